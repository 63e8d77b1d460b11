"""Mean score, mean z-score and mean win rate: worked examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.analyses.aggregates import AggregateParams, WinRateParams, mean_score, mean_z_score, win_rate
from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import BenchmarkTable

NAN = float("nan")
TABLE = BenchmarkTable(("a", "b", "c"), ("x", "y"), np.array([[0.8, 10.0], [0.6, 30.0], [0.6, 20.0]]))
ERRORS = np.array([[0.02, 1.0], [0.03, 1.0], [0.03, 2.0]])
HOLED = replace(TABLE, mean=np.array([[0.8, NAN], [0.6, 30.0], [0.6, 20.0]]))


def test_mean_score() -> None:
    result = mean_score(TABLE, AggregateParams())
    assert result.value == pytest.approx([5.4, 15.3, 10.3])
    assert result.rank_low.tolist() == result.rank_high.tolist() == [3, 1, 2]
    assert result.higher_is_better


def test_mean_score_of_losses_is_better_lower() -> None:
    result = mean_score(replace(TABLE, higher_is_better=(False, False), standard_error=ERRORS), AggregateParams())
    assert result.value == pytest.approx([5.4, 15.3, 10.3])
    assert result.rank_low.tolist() == [1, 3, 2]
    assert not result.higher_is_better
    assert result.low is not None
    assert (result.low < result.value).all()


def test_mean_score_does_not_mix_directions() -> None:
    with pytest.raises(BadTable, match="both directions"):
        mean_score(replace(TABLE, higher_is_better=(True, False)), AggregateParams())


def test_mean_z_score() -> None:
    result = mean_z_score(TABLE, AggregateParams())
    assert result.value == pytest.approx([(2**0.5 - 1.5**0.5) / 2, (-(0.5**0.5) + 1.5**0.5) / 2, -(0.5**0.5) / 2])
    turned = mean_z_score(replace(TABLE, higher_is_better=(True, False)), AggregateParams())
    assert turned.value == pytest.approx([(2**0.5 + 1.5**0.5) / 2, (-(0.5**0.5) - 1.5**0.5) / 2, -(0.5**0.5) / 2])


def test_a_benchmark_without_spread_adds_nothing() -> None:
    flat = replace(TABLE, mean=np.array([[1.0, 10.0], [1.0, 30.0], [1.0, 20.0]]))
    assert mean_z_score(flat, AggregateParams()).value == pytest.approx([-(1.5**0.5) / 2, 1.5**0.5 / 2, 0])


def test_win_rate_counts_ties_half() -> None:
    assert win_rate(TABLE, WinRateParams()).value == pytest.approx([0.5, (0.25 + 1) / 2, (0.25 + 0.5) / 2])


def test_win_rate_respects_directions() -> None:
    lower = win_rate(replace(TABLE, higher_is_better=(True, False)), WinRateParams())
    assert lower.value == pytest.approx([1, (0.25 + 0) / 2, (0.25 + 0.5) / 2])


def test_win_rate_skips_missing_scores_and_says_so() -> None:
    result = win_rate(HOLED, WinRateParams())
    assert result.value == pytest.approx([1, (0.25 + 1) / 2, (0.25 + 0) / 2])
    assert result.benchmarks_used.tolist() == [1, 2, 2]


def test_win_rates_average_to_one_half() -> None:
    table = BenchmarkTable(
        tuple("abcdefg"), tuple("uvwxyz"), np.random.default_rng(1).integers(0, 4, size=(7, 6)).astype(np.float64)
    )
    assert win_rate(table, WinRateParams()).value.mean() == pytest.approx(0.5)


def test_a_single_contender_beats_nobody() -> None:
    with pytest.raises(NotEnoughData, match="a shares no benchmark"):
        win_rate(TABLE.select(["a"]), WinRateParams())


def test_missing_is_refused_or_skipped() -> None:
    for compute in (mean_score, mean_z_score):
        with pytest.raises(NotEnoughData, match="a on y"):
            compute(HOLED, AggregateParams())
    assert mean_score(HOLED, AggregateParams(missing="available")).value == pytest.approx([0.8, 15.3, 10.3])
    empty = replace(TABLE, mean=np.array([[NAN, NAN], [0.6, 30.0], [0.6, 20.0]]))
    with pytest.raises(NotEnoughData, match="not a single score of a"):
        win_rate(empty, WinRateParams())


def test_errors_come_from_the_samples() -> None:
    result = mean_score(replace(TABLE, standard_error=ERRORS), AggregateParams(redraws=20_000))
    expected = np.sqrt((ERRORS**2).sum(axis=1)) / 2
    assert result.standard_error == pytest.approx(expected, rel=0.03)
    assert result.low is not None
    assert result.high is not None
    assert result.standard_error is not None
    assert np.allclose(result.high - result.low, 2 * 1.959964 * result.standard_error)


def test_without_errors_none_is_invented() -> None:
    for errors in (None, np.where(ERRORS == 0.02, NAN, ERRORS)):
        result = win_rate(replace(TABLE, standard_error=errors), WinRateParams())
        assert (result.standard_error, result.low, result.high) == (None, None, None)


def test_noise_widens_ranks() -> None:
    noisy = mean_score(replace(TABLE, standard_error=ERRORS * 20), AggregateParams())
    assert noisy.rank_low.tolist() == [1, 1, 1]
    assert noisy.rank_high.tolist() == [3, 3, 3]
