"""Latency, speed and energy with holes that stay holes; rank correlations against scipy."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from evaluation.efficiency import energy, latency, mid_ranks, rank_agreement, speed
from evaluation.errors import BadParameter


def test_latency_leaves_holes_out_and_counts_them() -> None:
    found = latency([1, 2, 3, np.nan, 4, 5])
    assert (found.p50, found.p95, found.n, found.holes) == (3, pytest.approx(4.8), 5, 1)
    assert np.isnan(latency([np.nan]).p50)
    with pytest.raises(BadParameter, match="seconds"):
        latency([-1])


def test_speed_is_a_regression_and_not_a_ratio() -> None:
    tokens = np.array([10, 20, 40, 80, np.nan])
    found = speed(tokens, 0.5 + tokens / 50)
    assert (found.tokens_per_second, found.intercept, found.n, found.holes) == (
        pytest.approx(50), pytest.approx(0.5), 4, 1,
    )  # fmt: skip


def test_errors_of_the_regression_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    tokens = rng.integers(10, 300, 40).astype(float)
    seconds = 0.3 + 0.02 * tokens + rng.normal(0, 0.2, 40)
    found, known = speed(tokens, seconds), stats.linregress(tokens, seconds)
    assert (found.slope, found.slope_error) == pytest.approx((known.slope, known.stderr))
    assert (found.intercept, found.intercept_error) == pytest.approx((known.intercept, known.intercept_stderr))
    assert found.tokens_per_second_error == pytest.approx(known.stderr / known.slope**2)


@pytest.mark.parametrize(("tokens", "seconds"), [([5, 5, 5], [1, 2, 3]), ([1, 2], [1, 2]), ([], [])])
def test_too_little_to_tell_a_speed(tokens: list[float], seconds: list[float]) -> None:
    assert np.isnan(speed(tokens, seconds).tokens_per_second)


def test_longer_answers_that_take_less_time_have_no_speed() -> None:
    found = speed([1, 2, 3], [3, 2, 1.5])
    assert found.slope < 0
    assert np.isnan(found.tokens_per_second)
    with pytest.raises(BadParameter, match="latency"):
        speed([1], [1, 2])


def test_energy_of_a_thousand_samples() -> None:
    found = energy([36, 72, np.nan])
    assert (found.kilojoules, found.watt_hours, found.n, found.holes) == (54, 15, 2, 1)
    assert np.isnan(energy([]).watt_hours)


def test_rank_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 6, 25).astype(float), rng.integers(0, 6, 25).astype(float)
    second[3] = np.nan
    found = rank_agreement({"cost": first, "latency": second, "memory": np.full(25, 2.0)})
    kept = ~np.isnan(second)
    assert found.spearman[0, 1] == pytest.approx(stats.spearmanr(first[kept], second[kept]).statistic)
    assert found.kendall[0, 1] == pytest.approx(stats.kendalltau(first[kept], second[kept]).statistic)
    assert (found.n[0, 1], found.n[0, 0], found.spearman[0, 0]) == (24, 25, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(found.kendall[0, 2])
    assert mid_ranks(np.array([5.0, 1, 5, 9])).tolist() == [2.5, 1, 2.5, 4]
    assert np.isnan(rank_agreement({"a": [1, 2], "b": [1, 2]}).spearman[0, 1])
    with pytest.raises(BadParameter, match="one number per contender"):
        rank_agreement({"a": [1, 2, 3], "b": [1, 2]})
