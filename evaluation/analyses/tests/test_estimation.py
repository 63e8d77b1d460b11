"""Replays of estimates from few samples."""

import numpy as np
import pytest

from evaluation.analyses.estimation import EstimationParams, compute, draw_lure, lure_chances
from evaluation.analyses.tests.test_adaptive import drawn, table
from evaluation.errors import BadParameter, NotEnoughData

TABLE = drawn(np.linspace(0.3, 0.85, 12), 400, seed=6)


@pytest.mark.parametrize("method", ["lure", "aipw", "random"])
@pytest.mark.parametrize("contender", ["model 002", "model 008"])
def test_estimates_are_unbiased_and_their_intervals_cover(method, contender):
    result = compute(TABLE, EstimationParams(contender=contender, samples=60, method=method, seeds=2000))
    assert abs(result.bias) < 4 * result.bias_error
    assert 0.93 <= result.coverage <= 0.97
    assert result.true_mean == TABLE.values[TABLE.contenders.index(contender)].mean()
    assert result.mean_error == pytest.approx(np.abs(result.estimates - result.true_mean).mean())


def test_aipw_is_no_worse_than_chance_for_one_stronger_than_all_it_learns_from():
    table = drawn(np.r_[np.linspace(0.2, 0.65, 11), 0.9], 400, seed=6, spread=2.0)
    means = table.values.mean(axis=(1, 2))
    assert means[11] > means[:11].max() + 0.05
    strongest = compute(table, EstimationParams(contender="model 011", samples=60, method="aipw", seeds=1000))
    assert strongest.mean_error <= strongest.random_error
    assert abs(strongest.bias) < 4 * strongest.bias_error


def test_all_samples_are_the_truth():
    for method in ("lure", "aipw", "random"):
        result = compute(TABLE, EstimationParams(samples=400, method=method, seeds=3))
        assert result.mean_error == pytest.approx(0, abs=1e-9)
        assert result.coverage == 1.0


def test_lure_asks_where_others_fail_and_never_only_there():
    others = np.array([[1.0, 1, 0, 0], [1, 1, 1, 0]])
    chances = lure_chances(others, 0.2)
    assert chances.sum() == pytest.approx(1)
    assert chances.tolist() == sorted(chances)
    assert chances.min() == pytest.approx(0.05)
    assert lure_chances(np.ones((2, 4)), 0.2) == pytest.approx([0.25] * 4)
    asked, q = draw_lure(chances, 4, np.random.default_rng(0))
    assert sorted(asked.tolist()) == [0, 1, 2, 3]
    assert q[-1] == 1.0


def test_bad_input_is_refused_by_field():
    with pytest.raises(BadParameter, match="no contender") as refused:
        compute(TABLE, EstimationParams(contender="nobody"))
    assert refused.value.field == "contender"
    with pytest.raises(BadParameter) as refused:
        compute(TABLE, EstimationParams(samples=401))
    assert refused.value.field == "samples"
    with pytest.raises(BadParameter):
        compute(TABLE, EstimationParams(samples=9, method="aipw"))
    with pytest.raises(NotEnoughData):
        compute(table(np.ones((1, 60))), EstimationParams(samples=20))
