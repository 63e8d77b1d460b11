"""The tournament as a whole: worked examples, options, warnings, and what its figures mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation.analyses import ANALYSES
from evaluation.analyses.swiss import SwissParams, SwissResult, advised_rounds, compute, parse_eliminations, ranking
from evaluation.errors import BadParameter, BadTable, NotEnoughData
from evaluation.tables import BenchmarkTable

GOLDEN = BenchmarkTable(tuple("abcd"), ("x", "y", "z"), np.array([[9.0, 1, 5], [7, 8, 2], [5, 6, 9], [3, 4, 7]]))


def random_table(contenders: int, benchmarks: int, seed: int = 1, digits: int = 3) -> BenchmarkTable:
    mean = np.round(np.random.default_rng(seed).random((contenders, benchmarks)), digits)
    names = tuple(f"m{number}" for number in range(contenders))
    return BenchmarkTable(names, tuple(f"b{number}" for number in range(benchmarks)), mean)


def played(table: BenchmarkTable = GOLDEN, **params: Any) -> SwissResult:
    return compute(table, SwissParams(**({"iterations": 20_000} | params)))


def test_golden_case_is_exact() -> None:
    result = played()
    assert result.exact
    assert result.eliminations["0"].expected_points.tolist() == [4 / 3, 5 / 3, 2, 0]
    assert result.eliminations["1"].expected_points.tolist() == [1, 4 / 3, 2 / 3, 0]
    assert result.eliminations["0"].standard_error.tolist() == [0, 0, 0, 0]
    assert result.eliminations["0"].rank_low.tolist() == result.eliminations["0"].rank_high.tolist() == [3, 2, 1, 4]


def test_golden_case_simulated() -> None:
    one = played(exact=False, iterations=200_000).eliminations["0"]
    assert np.abs(one.expected_points - [4 / 3, 5 / 3, 2, 0]).max() < 0.006
    assert one.standard_error == pytest.approx([np.sqrt(2 / 9 / 200_000)] * 2 + [0, 0], rel=0.02)
    assert one.final_points.tolist() == [0, 1, 2, 2]


def test_sensitivity_is_the_drop_between_two_eliminations_and_none() -> None:
    result = played(random_table(12, 5))
    none, two = result.eliminations["0"], result.eliminations["2"]
    assert result.sensitivity is not None
    assert np.array_equal(result.sensitivity.drop, two.expected_points - none.expected_points)
    assert np.array_equal(result.sensitivity.slope, result.sensitivity.drop / 2)
    error = np.hypot(none.standard_error, two.standard_error)
    assert np.allclose(result.sensitivity.drop_standard_error, error)
    assert np.allclose(result.sensitivity.slope_standard_error, error / 2)
    assert np.allclose(result.sensitivity.relative_drop, result.sensitivity.drop / none.expected_points)


def test_relative_drop_of_nothing_is_a_hole() -> None:
    sensitivity = played().sensitivity
    assert sensitivity is not None
    assert np.isnan(sensitivity.relative_drop).tolist() == [False, False, False, True]


def test_no_sensitivity_without_both_ends() -> None:
    assert played(eliminate="0,1").sensitivity is None


@pytest.mark.parametrize("eliminate", ["0", "1", "2", "3/0/1/0/2"])
def test_identical_contenders_get_the_same_numbers(eliminate: str) -> None:
    table = random_table(12, 5)
    twins = replace(table, mean=table.mean[[0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 3, 11]])
    one = played(twins, eliminate=eliminate).eliminations[eliminate]
    for pair in ((0, 4), (0, 8), (3, 10)):
        first, second = pair
        assert one.expected_points[first] == one.expected_points[second]
        assert one.distribution[first].tolist() == one.distribution[second].tolist()
        assert one.byes[first] == one.byes[second]
    assert one.expected_points.sum() == pytest.approx(one.final_points.sum())


def test_standard_error_covers_the_spread_between_seeds() -> None:
    table = random_table(10, 6)
    many = [played(table, seed=seed, iterations=2_000, eliminate="1").eliminations["1"] for seed in range(60)]
    spread = np.std([one.expected_points for one in many], axis=0, ddof=1)
    assert np.mean(spread / np.mean([one.standard_error for one in many], axis=0)) == pytest.approx(1, abs=0.15)


def test_elimination_schedules_do_not_disturb_each_other() -> None:
    table = random_table(12, 5)
    alone, together = played(table, eliminate="1"), played(table, eliminate="0,1,2")
    assert np.array_equal(alone.eliminations["1"].distribution, together.eliminations["1"].distribution)


def test_one_number_is_the_same_every_round() -> None:
    table = random_table(12, 3)
    result = played(table, eliminate="1,1/1/1,2/0/1")
    assert np.array_equal(result.eliminations["1"].distribution, result.eliminations["1/1/1"].distribution)
    assert result.eliminations["2/0/1"].eliminate == (2, 0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "not a number"), ("0,x", "not a number"), ("-1", "not a number"), ("0/1", "2 numbers"), ("1,1", "twice")],
)
def test_eliminations_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(BadParameter, match=message) as caught:
        parse_eliminations(text, 3)
    assert caught.value.field == "eliminate"


def test_increasing_transforms_change_nothing() -> None:
    table = random_table(12, 5)
    other = replace(table, mean=np.exp(5 * table.mean) - 7)
    for params in ({"exact": False}, {"exact": False, "eliminate": "1", "seed": 5}):
        one, two = played(table, **params), played(other, **params)
        assert [t.distribution.tolist() for t in one.eliminations.values()] == [
            t.distribution.tolist() for t in two.eliminations.values()
        ]


def test_directions_are_respected() -> None:
    flipped = replace(GOLDEN, mean=GOLDEN.mean * [1, -1, 1], higher_is_better=(True, False, True))
    assert played(flipped).eliminations["0"].expected_points.tolist() == [4 / 3, 5 / 3, 2, 0]


def test_rounds_may_hold_several_benchmarks() -> None:
    result = played(GOLDEN, rounds="x,y;z", eliminate="0")
    halves = BenchmarkTable(GOLDEN.contenders, ("w", "z"), np.array([[5.0, 5], [7.5, 2], [5.5, 9], [3.5, 7]]))
    same = played(halves, eliminate="0")
    assert np.array_equal(result.eliminations["0"].distribution, same.eliminations["0"].distribution)
    assert result.rounds == (("x", "y"), ("z",))


def test_one_round_is_the_mean_win_rate() -> None:
    table = random_table(8, 1, digits=1)
    result = played(table, eliminate="0")
    rate = ANALYSES["win-rate"].compute(table, ANALYSES["win-rate"].Params())
    assert result.exact
    assert np.allclose(result.eliminations["0"].expected_points, rate.value, atol=1e-12)


def test_missing_policies() -> None:
    holes = replace(GOLDEN, mean=np.where(GOLDEN.mean == 8, np.nan, GOLDEN.mean))
    with pytest.raises(NotEnoughData, match="b on y"):
        played(holes)
    lost = played(holes, missing="lose", eliminate="0")
    last = played(replace(GOLDEN, mean=np.where(GOLDEN.mean == 8, -1, GOLDEN.mean)), eliminate="0")
    assert np.array_equal(lost.eliminations["0"].distribution, last.eliminations["0"].distribution)
    assert lost.benchmarks_used.tolist() == [3, 2, 3, 3]


def test_ranks_and_chances_belong_together() -> None:
    one = played(random_table(9, 5), eliminate="1").eliminations["1"]
    assert np.allclose(one.distribution.sum(axis=1), 1)
    assert np.allclose(one.rank_or_better[:, 0], 1)
    assert np.allclose(one.rank_or_better[:, -1], one.distribution[:, -1])
    assert np.allclose(one.distribution @ np.arange(one.distribution.shape[1]), one.expected_points)
    for points, rank in enumerate(one.rank_of_points):
        assert rank == 1 + (one.final_points > points).sum()
        assert one.rank_or_better[:, points].sum() == pytest.approx((one.final_points >= points).sum())


def test_contenders_that_noise_cannot_separate_share_ranks() -> None:
    equal = replace(random_table(10, 4), mean=np.ones((10, 4)))
    one = played(equal, eliminate="1", iterations=500).eliminations["1"]
    assert set(one.expected_points.tolist()) == {one.final_points.mean()}
    assert (set(one.rank_low.tolist()), set(one.rank_high.tolist())) == ({1}, {10})
    clear = played(replace(equal, mean=np.arange(40.0).reshape(10, 4)), iterations=50_000).eliminations["0"]
    assert clear.rank_low[-1] == clear.rank_high[-1] == 1
    assert clear.tie_group[-1] == 1


def test_byes_are_shared_by_those_in_odd_groups() -> None:
    one = played(replace(random_table(9, 1), mean=np.arange(9.0)[:, None]), eliminate="0").eliminations["0"]
    assert one.byes == pytest.approx([1 / 9] * 9, abs=0.01)
    assert one.bye_share == (1 / 9,)


def test_many_byes_and_odd_numbers_of_rounds_are_warned_about() -> None:
    result = played(random_table(8, 12), eliminate="2", iterations=100)
    (dry, rounds) = result.warnings
    assert "elimination 2" in dry
    assert "25%" in dry
    assert "12 rounds are outside the advised 3 to 7" in rounds
    assert result.advised_rounds == advised_rounds(8) == (3, 7)
    assert played(random_table(16, 5), eliminate="0", iterations=100).warnings == ()


def test_resampling_adds_the_sampling_error_of_the_scores() -> None:
    close = BenchmarkTable(("a", "b"), ("x",), np.array([[0.5], [0.6]]), np.array([[0.1], [0.1]]))
    assert played(close, eliminate="0").eliminations["0"].expected_points.tolist() == [0, 1]
    result = played(close, eliminate="0", resample=True, iterations=200_000)
    assert not result.exact
    expected = 0.2398  # Normal(0.1, 0.1 * sqrt 2) below 0
    assert result.eliminations["0"].expected_points == pytest.approx([expected, 1 - expected], abs=0.005)
    with pytest.raises(NotEnoughData, match="standard errors"):
        played(resample=True)


@pytest.mark.parametrize("method", ["raw", "z-score", "rank"])
def test_resampling_without_error_changes_nothing_but_noise(method: str) -> None:
    sure = replace(random_table(9, 4), standard_error=np.zeros((9, 4)))
    params = {"rounds": "b0,b1;b2,b3", "round_score": method, "eliminate": "1", "iterations": 30_000}
    still, drawn = (played(sure, resample=resample, **params).eliminations["1"] for resample in (False, True))
    noise = np.hypot(still.standard_error, drawn.standard_error)
    assert (np.abs(still.expected_points - drawn.expected_points) <= 5 * noise + 1e-12).all()


def test_order_spread_over_all_orders_is_exact_for_small_fields() -> None:
    result = played(orders=6, eliminate="0")
    by_hand = [
        played(GOLDEN, rounds=";".join(order), eliminate="0").eliminations["0"].expected_points
        for order in ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx")
    ]
    spread = result.eliminations["0"].order_spread
    assert spread is not None
    assert np.allclose(spread, np.std(by_hand, axis=0))


def test_order_spread_takes_the_simulation_noise_out() -> None:
    alike = replace(random_table(9, 6), mean=np.repeat(random_table(9, 1).mean, 6, axis=1))
    spread = played(alike, orders=20, eliminate="0", iterations=2_000).eliminations["0"].order_spread
    assert spread is not None
    assert spread.max() < 0.02
    mixed = played(random_table(29, 12), orders=20, eliminate="0", iterations=2_000).eliminations["0"].order_spread
    assert mixed is not None
    assert 0.1 < mixed.mean() < 0.5
    assert played().eliminations["0"].order_spread is None
    with pytest.raises(BadParameter, match="at least two"):
        played(orders=1)


def test_crosstable_follows_the_tables_order_and_the_seed() -> None:
    table = random_table(11, 5)
    result, again = played(table, eliminate="0,1"), played(table.select(table.contenders[::-1]), eliminate="0,1")
    assert result.crosstable is not None
    assert again.crosstable is not None
    assert result.crosstable.result == again.crosstable.result[::-1]
    assert np.array_equal(result.crosstable.mean_buchholz, again.crosstable.mean_buchholz[::-1])
    other = played(table, seed=2).crosstable
    assert other is not None
    assert other.result != result.crosstable.result
    assert played(crosstable=False).crosstable is None
    assert np.sort(result.crosstable.points[:, -1]).tolist() == result.eliminations["0"].final_points.tolist()


def test_results_do_not_depend_on_processes() -> None:
    table, params = random_table(40, 6), SwissParams(iterations=60_000, eliminate="1", crosstable=False)
    alone, shared = compute(table, params), compute(table, params, processes=2)
    assert np.array_equal(alone.eliminations["1"].distribution, shared.eliminations["1"].distribution)


def test_large_fields_use_wider_numbers() -> None:
    table = random_table(300, 3)
    one = played(table, eliminate="0", iterations=2_000, crosstable=False).eliminations["0"]
    assert one.expected_points.sum() == pytest.approx(one.final_points.sum())
    best = int(table.mean.sum(axis=1).argmax())
    assert one.expected_points[best] > one.expected_points.mean()


def test_the_field_has_a_limit() -> None:
    crowd = BenchmarkTable(tuple(map(str, range(65_536))), ("x",), np.zeros((65_536, 1)))
    with pytest.raises(BadTable, match="65,535"):
        played(crowd)


def test_a_single_contender_earns_nothing() -> None:
    result = played(GOLDEN.select(["a"]))
    assert result.eliminations["0"].expected_points.tolist() == [0]
    assert result.eliminations["0"].rank_low.tolist() == [1]


def test_the_board_orders_by_the_first_tournament() -> None:
    result = played(random_table(12, 4), eliminate="1,0")
    order, one = ranking(result), result.eliminations["1"]
    assert order.value is one.expected_points
    assert order.low is not None
    assert np.allclose(order.value - order.low, 1.96 * one.standard_error, rtol=1e-4)
    assert order.benchmarks_used.tolist() == [4] * 12
