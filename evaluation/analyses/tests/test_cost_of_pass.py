"""Cost-of-pass: the worked example of two contenders, what must hold of every table, traps that must be told."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isinf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.analyses.cost_of_pass import CostOfPassParams, CostOfPassResult, compute
from evaluation.costs import CostTable, cells
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tests.costs import cost_tables, table_of, worked

QUICK = CostOfPassParams(bootstrap=0)


def computed(table: CostTable, **params: object) -> CostOfPassResult:
    return compute(table, replace(QUICK, **params))


def said(result: CostOfPassResult) -> str:
    return " ".join(result.warnings)


def test_the_worked_example() -> None:
    table = worked(families={"open": ("A",), "both": ("A", "B")}, released=("2025-01-01", "2025-03-01"))
    assert cells(table.correct, table.cost_usd).value.tolist() == [[2, inf, inf], [3, 3, inf]]
    result = computed(table)
    assert (result.frontier_value, result.frontier_value_without_expert, result.expert_value) == (5, inf, 10)
    assert (result.unsolved_share, result.expert_holds, result.gain, result.relative_gain) == (1 / 3, 1, 5, 0.5)
    a, b = result.contenders
    assert (a.value_with_expert, b.value_with_expert) == (22 / 3, 16 / 3)
    assert (a.cost_per_pass, b.cost_per_pass) == (6, 4.5)
    assert (a.unsolved_share, b.unsolved_share, a.accuracy, b.accuracy) == (2 / 3, 1 / 3, 1 / 3, 2 / 3)
    assert (a.holds, b.holds, a.holds_alone, a.mean_cost, b.mean_cost) == (1, 1, 1, 2, 3)
    assert a.essentialness == pytest.approx((16 / 3 - 5) / (16 / 3))
    assert b.essentialness == pytest.approx((22 / 3 - 5) / (22 / 3))
    assert [(step.date, step.contender, step.value) for step in result.progress] == [
        ("2025-01-01", "A", 22 / 3), ("2025-03-01", "B", 5),
    ]  # fmt: skip
    assert [(one.name, one.value_without) for one in result.families] == [("open", 16 / 3), ("both", 10)]
    assert result.families[1].essentialness == 0.5


def test_the_value_is_the_mean_of_minima_and_ties_are_held_by_all() -> None:
    result = computed(table_of([[1, 1], [1, 1], [1, 1]], [[1, 9], [9, 1], [9, 1]], 20))
    assert result.frontier_value == 1
    assert [one.holds for one in result.contenders] == [1, 1, 1]
    assert [one.holds_alone for one in result.contenders] == [1, 0, 0]
    assert [one.essentialness for one in result.contenders] == [pytest.approx(0.8), 0, 0]


def test_attempts_are_averaged_before_they_are_divided() -> None:
    result = computed(table_of([[[1, 0, 0, 1]]], [[[1, 2, 3, 4]]]))
    assert result.frontier_value == 5
    assert "n = 1" not in said(result)


@pytest.mark.parametrize("lost", ["correct", "cost_usd"])
def test_a_hole_leaves_the_minimum_and_is_told(lost: str) -> None:
    table = worked()
    holed = getattr(table, lost).copy()
    holed[0, 0, 0] = np.nan
    result = computed(replace(table, **{lost: holed}))
    assert result.frontier_value == pytest.approx(16 / 3)
    assert result.contenders[0].value_with_expert == 10
    assert (result.contenders[0].holes, result.contenders[0].samples) == (1, 2)
    assert "A lacks a cost or a correctness on 1 of 3 samples" in said(result)


def test_one_incomplete_attempt_among_several_makes_the_cell_undefined() -> None:
    found = cells(np.array([[[1, 1], [1, np.nan]]]), np.array([[[2, np.nan], [2, np.nan]]]))
    assert isnan(found.value[0, 0])
    assert found.rate[0, 0] == 1
    assert (found.value[0, 1], found.attempts[0, 1]) == (2, 1)


def test_a_sample_that_nobody_has_stays_at_the_expert() -> None:
    result = computed(table_of([[1, np.nan]], [[2, np.nan]]))
    assert (result.frontier_value, result.unsolved_share) == (6, 0.5)


def test_traps_are_told() -> None:
    table = table_of(np.eye(1, 40).repeat(2, axis=0), np.ones((2, 40)), chance=np.array([0.25]))
    text = said(computed(table))
    assert "one attempt per sample (n = 1)" in text
    assert "A on b: accuracy 0.025, chance 0.250" in text
    assert "of the value is the expert's: nobody passes 97.5 % of the samples" in text


def test_an_unknown_expert_is_said_and_never_free() -> None:
    result = computed(worked(expert=np.nan))
    assert result.frontier_value == inf
    assert "no expert cost of b" in said(result)
    assert isnan(result.gain)
    solved = computed(table_of([[1, 1], [0, 1]], [[1, 1], [1, 1]], np.nan))
    assert solved.frontier_value == 1
    assert solved.contenders[0].essentialness == 1
    assert computed(worked(expert=np.nan), expert_cost=10.0).frontier_value == 5


def test_benchmarks_are_told_apart_and_weighed_by_samples() -> None:
    samples = (("x", "1"), ("y", "1"), ("y", "2"))
    table = replace(worked(), benchmarks=("x", "y"), samples=samples, expert_cost_usd=[1, 4], chance=[np.nan] * 2)
    result = computed(table)
    assert [(one.frontier_value, one.expert_cost, one.samples) for one in result.benchmarks] == [(1, 1, 1), (3.5, 4, 2)]
    assert result.frontier_value == pytest.approx((1 + 7) / 3)
    assert result.benchmarks[1].value_with_expert.tolist() == [4, 3.5]


def test_who_reaches_the_best_for_less() -> None:
    rng = np.random.default_rng(1)
    right = (rng.random(400) < 0.7).astype(float)
    equal = computed(table_of([right, right], [[1.0] * 400, [0.16] * 400]))
    assert equal.verdict == "B reaches A's quality, 84 % cheaper (accuracy within 2 %)."
    fewer = computed(table_of([right[:8], np.r_[0, right[1:8]]], [[1.0] * 8, [0.5] * 8]))
    assert fewer.verdict == "8 samples cannot tell B from A in accuracy; B is 50 % cheaper."
    worse = computed(table_of([right, right * (rng.random(400) < 0.5)], [[1.0] * 400, [0.5] * 400]))
    assert worse.verdict == "A is the most accurate, and nobody cheaper reaches its accuracy."
    assert [one.dominated for one in equal.contenders] == [True, False]


def test_intervals_hold_the_value_and_follow_the_seed() -> None:
    rng = np.random.default_rng(2)
    table = table_of(rng.integers(0, 2, (3, 60, 3)), rng.lognormal(0, 1, (3, 60, 3)))
    result = computed(table, bootstrap=1_000)
    low, high = result.frontier_interval
    assert low < result.frontier_value < high
    for one in result.contenders:
        assert one.value_interval[0] < one.value_with_expert < one.value_interval[1]
        assert one.accuracy_interval[0] < one.accuracy < one.accuracy_interval[1]
        assert one.mean_cost_interval[0] < one.mean_cost < one.mean_cost_interval[1]
    assert computed(table, bootstrap=1_000).frontier_interval == (low, high)
    assert computed(table, bootstrap=1_000, seed=2).frontier_interval != result.frontier_interval


@pytest.mark.parametrize("attempts", [1, 4])
def test_intervals_are_those_of_redrawing_samples_and_then_attempts(attempts: int) -> None:
    rng = np.random.default_rng(3)
    right, price = rng.integers(0, 2, (3, 80, attempts)).astype(float), rng.lognormal(0, 1, (3, 80, attempts))
    plain = []
    for _ in range(4_000):
        columns, pick = rng.integers(0, 80, 80), rng.integers(0, attempts, right.shape)
        drawn = (np.take_along_axis(values[:, columns], pick, axis=2) for values in (right, price))
        plain.append(np.minimum(cells(*drawn).value.min(axis=0), 10).mean())
    found = computed(table_of(right, price), bootstrap=4_000).frontier_interval
    low, high = np.quantile(plain, (0.025, 0.975))
    assert found == pytest.approx((low, high), abs=0.12 * (high - low))


def test_majority_votes_and_best_of_majority_are_techniques() -> None:
    table = table_of([[[1, 1, 0, 1]]], [[[1.0] * 4]], 100)
    with pytest.raises(NotEnoughData, match="Voting needs the answers"):
        computed(table, votes="3")
    with pytest.raises(BadParameter, match="votes"):
        computed(table, votes="3,x")
    stored = replace(table, answers=np.array([[[0, 0, 1, 0]]]))
    with pytest.raises(NotEnoughData, match="reward"):
        computed(stored, best_of=True)
    result = computed(replace(stored, reward=np.array([[[0.1, 0.1, 0.9, 0.1]]])), votes="1,3", best_of=True)
    assert [one.name for one in result.techniques] == ["majority of 1", "majority of 3", "Best-of-Majority"]
    assert [one.accuracy for one in result.techniques] == pytest.approx([0.75, 0.84375, 0])
    assert [one.gain for one in result.techniques] == [0, 0, 0]


@settings(deadline=None, max_examples=60)
@given(cost_tables())
def test_adding_a_contender_never_raises_the_value(table: CostTable) -> None:
    fewer = replace(table, contenders=table.contenders[:-1], correct=table.correct[:-1], cost_usd=table.cost_usd[:-1],
                    released=()) if len(table.contenders) > 1 else None  # fmt: skip
    whole = computed(table)
    assert whole.frontier_value <= table.expert_cost_usd[0] * (1 + 1e-12)
    if fewer is not None:
        assert whole.frontier_value <= computed(fewer).frontier_value
        without = computed(fewer).frontier_value
        assert whole.contenders[-1].essentialness == pytest.approx((without - whole.frontier_value) / without)


@settings(deadline=None, max_examples=60)
@given(cost_tables(), st.floats(0.01, 100))
def test_scaling_all_costs_scales_the_value(table: CostTable, factor: float) -> None:
    scaled = replace(table, cost_usd=table.cost_usd * factor, expert_cost_usd=table.expert_cost_usd * factor)
    assert computed(scaled).frontier_value == pytest.approx(factor * computed(table).frontier_value)


@settings(deadline=None, max_examples=60)
@given(cost_tables(), st.integers(0, 2**32 - 1))
def test_order_of_contenders_samples_and_attempts_does_not_matter(table: CostTable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, tries = (rng.permutation(size) for size in table.correct.shape)
    cut = np.ix_(rows, columns, tries)
    mixed = replace(
        table,
        contenders=tuple(table.contenders[row] for row in rows),
        samples=tuple(table.samples[column] for column in columns),
        correct=table.correct[cut],
        cost_usd=table.cost_usd[cut],
    )
    forth, back = computed(table), computed(mixed)
    assert back.frontier_value == pytest.approx(forth.frontier_value)
    values = {one.name: (one.value_with_expert, one.essentialness, one.holds) for one in forth.contenders}
    for one in back.contenders:
        assert (one.value_with_expert, one.essentialness, one.holds) == pytest.approx(values[one.name], abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(cost_tables(), st.integers(0, 2**32 - 1), st.sampled_from(["correct", "cost_usd"]))
def test_a_hole_never_lowers_the_value(table: CostTable, seed: int, lost: str) -> None:
    rng = np.random.default_rng(seed)
    numbers = getattr(table, lost).copy()
    other = table.cost_usd if lost == "correct" else table.correct
    made = np.argwhere(~np.isnan(other))
    if len(made):
        numbers[tuple(made[rng.integers(len(made))])] = np.nan
    before, after = computed(table), computed(replace(table, **{lost: numbers}))
    assert after.frontier_value >= before.frontier_value - 1e-12
    assert isinf(after.frontier_value_without_expert) or (
        after.frontier_value_without_expert >= before.frontier_value_without_expert - 1e-12
    )
