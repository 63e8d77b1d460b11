"""Paired statistics: against statsmodels and scipy, by hand, and their promises under simulation."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.paired import (
    binary_differences,
    bootstrap_differences,
    clopper_pearson,
    detectable_difference,
    maximum_interval,
    samples_needed,
)
from evaluation.uncertainty import holm, mcnemar_exact

DRAWS = 2_000


@pytest.mark.oracle
def test_clopper_pearson_equals_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    low, high = clopper_pearson(np.arange(31), 30, 0.9)
    expected = [proportion_confint(count, 30, alpha=0.1, method="beta") for count in range(31)]
    assert np.nan_to_num(low) == pytest.approx([pair[0] for pair in expected], abs=1e-12)
    assert np.nan_to_num(high) == pytest.approx([pair[1] for pair in expected], abs=1e-12)


def score_by_search(wins: int, losses: int, n: int, difference: float) -> float:
    """Tango's statistic from its definition: the nuisance share maximises the likelihood under the difference."""
    from scipy.optimize import minimize_scalar

    def unlikely(share: float) -> float:
        cells = (share + difference, share, 1 - difference - 2 * share)
        return -sum(count * np.log(cell) for count, cell in zip((wins, losses, n - wins - losses), cells, strict=True))

    bounds = (max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12)
    share = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    return (wins - losses - n * difference) / sqrt(n * (2 * share + difference * (1 - difference)))


@pytest.mark.parametrize(("wins", "losses", "n"), [(15, 5, 100), (3, 4, 200), (40, 20, 160), (9, 1, 12)])
def test_the_ends_of_the_interval_have_the_score_of_its_level(wins: int, losses: int, n: int) -> None:
    low, high = binary_differences(wins, losses, n).interval()
    assert score_by_search(wins, losses, n, float(low)) == pytest.approx(1.959964, abs=1e-4)
    assert score_by_search(wins, losses, n, float(high)) == pytest.approx(-1.959964, abs=1e-4)


def test_the_interval_turns_with_the_pair_and_stays_inside_the_possible() -> None:
    b, c = np.meshgrid(np.arange(13.0), np.arange(13.0), indexing="ij")
    possible = b + c <= 12
    low, high = binary_differences(b[possible], c[possible], 12).interval()
    back_low, back_high = binary_differences(c[possible], b[possible], 12).interval()
    assert (low == -back_high).all()
    assert (high == -back_low).all()
    assert low.min() == -1
    assert high.max() == 1
    assert (low <= (b - c)[possible] / 12).all()
    assert (high - low > 0).all()


@pytest.mark.parametrize("n", [200, 2_000])
@pytest.mark.parametrize(
    ("wins", "losses"),
    [(0.01, 0.01), (0.015, 0.005), (0.02, 0.01), (0.025, 0.025), (0.1, 0.1), (0.14, 0.08), (0.2, 0.1), (0.2, 0.2)],
)
def test_the_paired_interval_covers_as_often_as_it_says(n: int, wins: float, losses: float) -> None:
    rng = np.random.default_rng(n)
    drawn = rng.multinomial(n, (wins, losses, 1 - wins - losses), size=DRAWS)
    low, high = binary_differences(drawn[:, 0], drawn[:, 1], n).interval()
    covered = ((low <= wins - losses) & (wins - losses <= high)).mean()
    assert 0.93 <= covered <= 0.97


def test_the_bootstrap_interval_covers_as_often_as_it_says() -> None:
    """Graded scores of two contenders that find the same samples hard; the true difference is 0.02."""
    rng = np.random.default_rng(4)
    covered = 0
    for draw in range(DRAWS):
        hard = rng.random(200)
        values = np.stack([hard**2 + 0.02, hard**2]) + 0.2 * rng.normal(size=(2, 200))
        low, high = bootstrap_differences(values, resamples=300, seed=draw).interval()
        covered += bool(low[0, 1] <= 0.02 <= high[0, 1])
    assert 0.93 <= covered / DRAWS <= 0.97


def exact_coverage(n: int, flips: float) -> float:
    """Of the 95 % interval for two equally accurate contenders, summed over all outcomes."""
    from scipy.stats import binom

    b, c = np.meshgrid(np.arange(60), np.arange(60), indexing="ij")
    low, high = binary_differences(b, c, n).interval()
    chance = binom.pmf(b, n, flips / 2) * binom.pmf(c, n - b, flips / 2 / (1 - flips / 2))
    return float((chance * ((low <= 0) & (high >= 0))).sum())


def test_too_few_flips_for_any_interval_make_it_careful() -> None:
    """What the documentation says of the coarse end."""
    assert exact_coverage(200, 0.01) == pytest.approx(0.986, abs=1e-3)
    assert exact_coverage(200, 0.02) == pytest.approx(0.9585, abs=1e-3)
    assert exact_coverage(2_000, 0.01) == pytest.approx(0.948, abs=1e-3)


def test_a_family_of_equals_is_rarely_called_different() -> None:
    """Five contenders of equal accuracy, ten exact tests a board, adjusted by Holm."""
    rng = np.random.default_rng(3)
    false_alarms = 0
    for _ in range(DRAWS):
        right = rng.random(200) < np.where(rng.random((5, 200)) < 0.6, 0.9, 0.4)
        first, second = np.triu_indices(5, 1)
        wins, losses = ((a & ~b).sum(axis=1) for a, b in ((right[first], right[second]), (right[second], right[first])))
        false_alarms += bool((holm(mcnemar_exact(wins, losses)) <= 0.05).any())
    assert false_alarms / DRAWS <= 0.055


def test_no_disagreement_is_no_certainty() -> None:
    low, high = binary_differences(0, 0, 50).interval()
    assert float(low) < 0 < float(high)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(BadParameter):
        binary_differences(60, 50, 100)
    with pytest.raises(BadParameter):
        clopper_pearson(6, 5)
    with pytest.raises(NotEnoughData):
        binary_differences(0, 0, 0)
    with pytest.raises(NotEnoughData):
        maximum_interval([], 5)


def test_equivalence_needs_an_interval_inside_the_margin() -> None:
    found = binary_differences(20, 20, 4_000)
    low, high = found.interval(0.9)
    for margin in (0.001, 0.002, 0.003, 0.005, 0.01):
        assert (float(found.equivalence_p(margin)) <= 0.05) == (-margin <= float(low) and float(high) <= margin)
    with pytest.raises(BadParameter):
        found.equivalence_p(0)


def test_the_bootstrap_error_is_the_paired_one() -> None:
    rng = np.random.default_rng(1)
    values = rng.random(500) + 0.3 * rng.random((3, 500))
    found = bootstrap_differences(values, resamples=4_000)
    change = values[0] - values[1]
    assert found.value[0, 1] == pytest.approx(change.mean())
    assert found.error[0, 1] == pytest.approx(change.std(ddof=1) / sqrt(500), rel=0.05)
    assert found.error[2, 2] == 0
    assert found.p_values()[2, 2] == 1


def test_clusters_count_as_what_they_are() -> None:
    """Every sample copied ten times: as a cluster it is still one sample."""
    rng = np.random.default_rng(2)
    values = rng.random((2, 60))
    once = bootstrap_differences(values, resamples=4_000)
    copied = np.repeat(values, 10, axis=1)
    clustered = bootstrap_differences(copied, groups=np.repeat(np.arange(60), 10), resamples=4_000)
    assert clustered.error[0, 1] == pytest.approx(once.error[0, 1], rel=1e-9)
    assert bootstrap_differences(copied, resamples=4_000).error[0, 1] < 0.5 * once.error[0, 1]
    with pytest.raises(NotEnoughData):
        bootstrap_differences(values, groups=np.zeros(60, dtype=np.int64))


def test_the_largest_share_has_a_wider_interval_than_one_alone() -> None:
    low, high = clopper_pearson(12, 100)
    several = maximum_interval([12, 3, 7], 100)
    assert several[0] < float(low)
    assert several[1] > float(high)
    assert maximum_interval([12], 100) == pytest.approx((float(low), float(high)))


def test_the_planner_keeps_its_promise() -> None:
    """With as many samples as asked for, the normal test sees the difference in four of five draws."""
    n = round(samples_needed(0.03, 0.2))
    assert n == pytest.approx((1.959964 + 0.841621) ** 2 * (0.2 - 0.0009) / 0.0009, abs=1)
    drawn = np.random.default_rng(1).multinomial(n, (0.115, 0.085, 0.8), size=4_000)
    low, _ = binary_differences(drawn[:, 0], drawn[:, 1], n).interval()
    assert (low > 0).mean() == pytest.approx(0.8, abs=0.03)


def test_planning_both_ways_agrees() -> None:
    assert samples_needed(detectable_difference(1_500, 0.1), 0.1) == pytest.approx(1_500)
    assert samples_needed(0, 0.1) == inf
    assert detectable_difference(5, 0.01) == inf
    with pytest.raises(BadParameter):
        samples_needed(0.2, 0.1)
