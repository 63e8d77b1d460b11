"""Means from few samples: published cases, unbiasedness, coverage."""

import numpy as np
import pytest

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.estimators import aipw, lure, lure_weights, ppi, random_mean, usual_half_width, usual_samples

DRAWS = 2000


def scores(contenders=12, size=400, seed=3):
    """Right and wrong with shared difficulty, contenders of growing skill."""
    rng = np.random.default_rng(seed)
    skill, hard = np.linspace(-1, 1.5, contenders), rng.normal(0, 1.5, size)
    return (rng.random((contenders, size)) < 1 / (1 + np.exp(hard - skill[:, None]))).astype(float)


def test_lure_equals_the_worked_case():
    q = [0.4, 0.3, 0.5]
    assert lure_weights(q, 5) == pytest.approx([0.75, 0.888889, 0.666667], abs=1e-6)
    assert lure([1, 0, 1], q, 5).value == pytest.approx(0.4722222, abs=1e-7)


def test_all_samples_leave_nothing_to_estimate():
    y = np.array([1.0, 0, 0, 1, 1])
    found = lure(y, [0.3, 0.1, 0.5, 0.4, 1.0], 5)
    assert (found.value, found.low, found.high) == (y.mean(),) * 3
    assert random_mean(y, 5).standard_error == 0.0
    others = np.random.default_rng(0).random((3, 20))
    whole = np.random.default_rng(1).random(20)
    everything = aipw(whole, np.arange(20), others)
    assert everything.value == pytest.approx(whole.mean())
    assert everything.low == everything.high


def test_equal_scores_are_no_certainty():
    found = random_mean(np.ones(10), 100)
    assert (found.low, found.high) == (-np.inf, np.inf)


def replayed(method, seeds=DRAWS):
    return [method(np.random.default_rng([9, seed])) for seed in range(seeds)]


def judged(found, truth):
    """Bias in its own standard errors, and coverage."""
    value = np.array([one.value for one in found])
    bias = (value.mean() - truth) / (value.std(ddof=1) / len(found) ** 0.5)
    return abs(bias), np.mean([one.low <= truth <= one.high for one in found])


@pytest.mark.parametrize("row", [3, 8])
def test_lure_is_unbiased_and_its_intervals_cover(row):
    table = scores()
    y, wrong = table[row], 1 - np.delete(table, row, axis=0).mean(axis=0)
    weight = 0.8 * wrong / wrong.sum() + 0.2 / y.size

    def once(rng):
        left, drawn, q = weight.copy(), [], []
        for _ in range(60):
            share = left / left.sum()
            drawn.append(rng.choice(y.size, p=share))
            q.append(share[drawn[-1]])
            left[drawn[-1]] = 0
        return lure(y[drawn], q, y.size)

    bias, coverage = judged(replayed(once), y.mean())
    assert bias < 4
    assert 0.93 <= coverage <= 0.97


@pytest.mark.parametrize("row", [3, 8, 11])
def test_aipw_is_unbiased_and_its_intervals_cover(row):
    table = scores()
    y, others = table[row], np.delete(table, row, axis=0)

    def once(rng):
        asked = rng.permutation(y.size)[:60]
        return aipw(y[asked], asked, others)

    bias, coverage = judged(replayed(once), y.mean())
    assert bias < 4
    assert 0.93 <= coverage <= 0.97


def test_aipw_is_no_worse_than_chance_for_one_stronger_than_all_it_learned_from():
    table = scores()
    y, others = table[-1], table[:-1]
    assert y.mean() > others.mean(axis=1).max()
    errors = {"aipw": [], "random": []}
    for seed in range(500):
        asked = np.random.default_rng([4, seed]).permutation(y.size)[:60]
        errors["aipw"].append(abs(aipw(y[asked], asked, others).value - y.mean()))
        errors["random"].append(abs(random_mean(y[asked], y.size).value - y.mean()))
    assert np.mean(errors["aipw"]) <= np.mean(errors["random"])


def test_a_wrong_model_costs_no_truth():
    """Others who tell nothing, or the opposite, widen the interval; they do not move the estimate."""
    rng = np.random.default_rng(5)
    y = (rng.random(300) < 0.7).astype(float)
    noise = rng.random((6, 300))

    def once(draw):
        asked = draw.permutation(300)[:50]
        return aipw(y[asked], asked, np.vstack([noise, 1 - y]))

    bias, coverage = judged(replayed(once, 1000), y.mean())
    assert bias < 4
    assert coverage > 0.93


def test_ppi_leaves_a_useless_judge_out_and_uses_a_good_one():
    rng = np.random.default_rng(6)
    truth = (rng.random(2000) < 0.6).astype(float)
    good = np.where(rng.random(2000) < 0.9, truth, 1 - truth)
    useless = rng.random(2000)
    y = truth[:100]
    plain = y.std(ddof=1) / 10
    assert ppi(y, useless[:100], useless[100:]).standard_error == pytest.approx(plain, rel=0.05)
    assert ppi(y, good[:100], good[100:]).standard_error < 0.75 * plain
    assert ppi(y, 1 - good[:100], 1 - good[100:]).standard_error <= 1.001 * plain  # lambda stays at or above 0


def test_ppi_covers():
    def once(draw):
        truth = (draw.random(400) < 0.6).astype(float)
        judge = np.where(draw.random(400) < 0.85, truth, 1 - truth)
        return ppi(truth[:80], judge[:80], judge[80:])

    bias, coverage = judged(replayed(once), 0.6)
    assert bias < 4
    assert 0.93 <= coverage <= 0.97


def test_bad_input_is_refused():
    with pytest.raises(BadParameter):
        lure([1, 0], [0.5, 0.0], 5)
    with pytest.raises(NotEnoughData):
        lure([1, 0, 1], [0.5, 0.5, 0.5], 2)
    with pytest.raises(NotEnoughData):
        aipw([1, 0], np.array([0, 1]), np.ones((2, 9)))
    with pytest.raises(NotEnoughData):
        ppi([1], [1], [1, 0])


def test_what_random_samples_are_expected_to_tell():
    """0.5 +- 0.1 takes 96 samples of many (1.96^2 / 4 / 0.01), and fewer of few."""
    assert usual_half_width(0.5, 96, 10**9) == pytest.approx(0.1, abs=1e-4)
    assert usual_half_width(0.3, 500, 500) == 0.0
    assert usual_samples(0.5, 0.1, 10**9) == 97
    assert usual_samples(0.5, 0.1, 200) == 65
    assert usual_samples(0.5, 0.0, 200) == 200
    for n in (10, 100, 399):
        assert usual_samples(0.2, usual_half_width(0.2, n, 400), 400) in {n, n + 1}
