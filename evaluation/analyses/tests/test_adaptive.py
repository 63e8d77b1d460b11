"""UCB-E: what it must find, what it must equal, when it may stop."""

import numpy as np
import pytest

from evaluation.analyses.adaptive import AdaptiveParams, compute
from evaluation.analyses.searching.bounds import Spending, leaders, spend, sums_at, upper_bounds
from evaluation.analyses.searching.stopping import chance_of_another, lower_confidence, surely_best
from evaluation.errors import BadParameter, BadTable, NotEnoughData
from evaluation.tables import ScoreTable


def drawn(skills, size, seed=0, spread=1.0):
    """Right and wrong answers with shared difficulty: on average contender m answers a share of skills[m]."""
    rng = np.random.default_rng(seed)
    logit = np.log(np.array(skills) / (1 - np.array(skills)))[:, None]
    values = rng.random((len(skills), size)) < 1 / (1 + np.exp(rng.normal(0, spread, size) - 1.2 * logit))
    return table(values.astype(float))


def table(values):
    names = tuple(f"model {row:03d}" for row in range(len(values)))
    return ScoreTable(names, ("b",), tuple(("b", at) for at in range(values.shape[1])), values[:, :, None])


CLEAR = drawn([0.79, *[0.74] * 20, *np.linspace(0.3, 0.7, 59)], 1000)


def test_it_finds_a_leader_by_three_points_where_uniform_spending_does_not():
    means = np.sort(CLEAR.values.mean(axis=(1, 2)))
    assert means[-1] - means[-2] >= 0.03
    result = compute(CLEAR, AdaptiveParams(seeds=100))
    assert result.cells == 12_000
    assert result.found_best >= 0.9
    # Three times as often, or, where uniform spending is often right already, a third of its misses.
    often = result.found_best >= 3 * result.uniform_found_best
    assert often or 1 - result.found_best <= (1 - result.uniform_found_best) / 3
    assert result.curve[-1].found_best == result.found_best
    assert result.samples_spent.sum() == pytest.approx(12_000)
    assert [point.cells for point in result.curve] == sorted(point.cells for point in result.curve)
    # What the replays say of themselves is no more hopeful than the truth.
    assert result.chance_wrong >= 1 - result.found_best - 0.05


@pytest.mark.parametrize("method", ["ucb-e", "uniform"])
def test_the_whole_budget_is_the_whole_evaluation(method):
    result = compute(drawn([0.5, 0.55, 0.45], 60, seed=4), AdaptiveParams(budget=1.0, method=method, seeds=5))
    assert result.found_best == 1.0
    assert result.mean_error == 0.0
    assert result.chance_wrong == 0.0
    assert result.samples_spent.tolist() == [60.0] * 3


def test_a_decision_follows_the_bound():
    sums, counts = np.array([[6.0, 3.0, 0.0]]), np.array([[10, 4, 0]])
    assert upper_bounds(sums, counts, 20, 1.0)[0] == pytest.approx([0.6 + 10**-0.5, 0.75 + 0.5, np.inf])
    assert upper_bounds(sums, np.array([[10, 20, 1]]), 20, 1.0)[0, 1] == -np.inf
    assert leaders(np.array([[1.0, 2.0, 4.0]]), np.array([[1, 2, 4]]))[0] == 2  # equal means: the one asked most


def test_noting_the_budget_on_the_way_changes_no_decision():
    scores = np.random.default_rng(1).random((1, 6, 50))
    totals = np.concatenate([np.zeros((1, 6, 1)), np.cumsum(scores, axis=2)], axis=2)
    often = spend(totals, np.arange(1, 151), Spending(batch=8))
    once = spend(totals, np.array([150]), Spending(batch=8))
    assert often[-1].tolist() == once[0].tolist()
    assert [int(counts.sum()) for counts in often] == list(range(1, 151))
    assert sums_at(totals, once[0])[0, 2] == pytest.approx(scores[0, 2, : once[0][0, 2]].sum())


def test_a_confidence_sequence_may_be_looked_at_all_the_time():
    """Over 1,000 paths of no difference, at most 5 % ever say that there is one."""
    rng = np.random.default_rng(8)
    paths = rng.choice([-1.0, 0.0, 1.0], p=[0.15, 0.7, 0.15], size=(1000, 800))
    assert (lower_confidence(paths, 0.05).max(axis=1) > 0).mean() <= 0.05
    better = rng.choice([-1.0, 0.0, 1.0], p=[0.05, 0.75, 0.2], size=(200, 800))
    ends = lower_confidence(better, 0.05)
    assert (ends[:, -1] > 0).mean() > 0.9
    assert (ends.max(axis=1) <= 0.15).mean() >= 0.95


def test_stopping_names_the_error_it_makes():
    result = compute(drawn([0.9, 0.5, 0.5, 0.4], 1500, seed=2), AdaptiveParams(budget=0.8, seeds=40, stop_error=0.05))
    assert result.stopping.stopped > 0.9
    assert result.stopping.budget_used < 0.5
    assert result.stopping.wrong <= 0.05
    equal = compute(drawn([0.6, 0.6, 0.6], 400, seed=3), AdaptiveParams(budget=0.8, seeds=40, stop_error=0.05))
    assert equal.stopping.wrong <= 0.05


def test_doubt_shrinks_with_evidence():
    scores = np.vstack([np.tile([1.0, 1, 1, 1, 0], 40), np.tile([1.0, 1, 0, 1, 0], 40)])
    few, many = (chance_of_another(scores, np.array([n, n]), 0) for n in (10, 150))
    assert many < few
    assert chance_of_another(scores, np.array([200, 200]), 0) == 0.0
    assert not surely_best(scores, np.array([10, 10]), 0, 0.05)


def test_bad_input_is_refused_by_field():
    small = drawn([0.5, 0.6], 20)
    with pytest.raises(BadParameter) as refused:
        compute(small, AdaptiveParams(budget=0.01))
    assert refused.value.field == "budget"
    with pytest.raises(NotEnoughData):
        compute(table(np.ones((1, 9))), AdaptiveParams())
    with pytest.raises(BadTable):
        compute(table(np.array([[0.0, 3.0], [1.0, 0.0]])), AdaptiveParams(budget=1.0))
    with pytest.raises(NotEnoughData, match="model 001"):
        compute(table(np.array([[0.0, 1.0], [np.nan, 0.0]])), AdaptiveParams(budget=1.0))
