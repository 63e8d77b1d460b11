"""Uncertainty: against published figures, brute force and statsmodels."""

from __future__ import annotations

from math import comb, sqrt

import numpy as np
import pytest

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.uncertainty import (
    holm,
    mcnemar_exact,
    mean_with_error,
    paired_difference,
    rank_intervals,
    separated,
    tie_groups,
    two_sided,
    wilson_interval,
)


def test_the_95_percent_quantile_is_the_usual_one() -> None:
    assert two_sided(0.95) == pytest.approx(1.959964, abs=1e-6)
    with pytest.raises(BadParameter):
        two_sided(1.0)


@pytest.mark.oracle
@pytest.mark.parametrize(("successes", "n"), [(0, 10), (10, 10), (1, 3), (47, 500)])
def test_wilson_equals_statsmodels(successes: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    interval = wilson_interval(successes, n)
    assert (interval.low, interval.high) == pytest.approx(proportion_confint(successes, n, method="wilson"), abs=1e-12)


def test_wilson_stays_inside_and_refuses_the_impossible() -> None:
    assert (wilson_interval(0, 5).low, wilson_interval(5, 5).high) == (0, 1)
    with pytest.raises(NotEnoughData):
        wilson_interval(0, 0)
    with pytest.raises(BadParameter):
        wilson_interval(6, 5)


def test_a_mean_of_one_value_has_no_error() -> None:
    assert mean_with_error([3.0]).standard_error is None
    estimate = mean_with_error([1.0, 2.0, 4.0])
    assert estimate.value == pytest.approx(7 / 3)
    assert estimate.n == 3
    assert estimate.standard_error == pytest.approx(np.std([1, 2, 4], ddof=1) / sqrt(3))


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_holes_are_refused(values: list[float]) -> None:
    with pytest.raises(NotEnoughData):
        mean_with_error(values)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 5), (2, 9), (30, 11)])
def test_mcnemar_is_the_binomial_sum(wins: int, losses: int) -> None:
    total = wins + losses
    tail = sum(comb(total, k) for k in range(min(wins, losses) + 1)) / 2**total
    assert mcnemar_exact(wins, losses) == pytest.approx(min(1, 2 * tail), rel=1e-12)


@pytest.mark.oracle
def test_mcnemar_and_holm_equal_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    wins, losses = np.array([3, 17, 40, 0]), np.array([9, 20, 12, 0])
    p = mcnemar_exact(wins, losses)
    expected = [mcnemar([[0, b], [c, 0]], exact=True).pvalue for b, c in zip(wins[:3], losses[:3], strict=True)]
    assert p[:3] == pytest.approx(expected, rel=1e-10)
    assert p[3] == 1
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_negative_counts_are_refused() -> None:
    with pytest.raises(BadParameter):
        mcnemar_exact(-1, 2)


@pytest.mark.oracle
def test_paired_difference_is_students_interval() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    rng = np.random.default_rng(1)
    first, second = rng.random(40), rng.random(40)
    found = paired_difference(first, second)
    low, high = DescrStatsW(first - second).tconfint_mean()
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), rel=1e-10)
    assert found.wins + found.losses == found.n == 40
    assert found.wins == int((first > second).sum())


def test_paired_difference_needs_two_pairs_of_equal_length() -> None:
    with pytest.raises(NotEnoughData):
        paired_difference([1.0], [0.0])
    with pytest.raises(BadParameter):
        paired_difference([1.0, 2.0], [0.0, 1.0, 2.0])


def test_rank_intervals_count_who_is_surely_better_and_worse() -> None:
    better = separated(np.array([5.0, 4.9, 1.0]), np.array([0.1, 0.1, 0.1]))
    low, high = rank_intervals(better)
    assert (low.tolist(), high.tolist()) == ([1, 1, 3], [2, 2, 3])
    assert tie_groups(np.array([5.0, 4.9, 1.0]), better).tolist() == [1, 1, 2]


def test_equal_values_share_a_rank_even_without_noise() -> None:
    for errors in (None, np.zeros(3)):
        low, high = rank_intervals(separated(np.array([1.0, 2.0, 1.0]), errors))
        assert (low.tolist(), high.tolist()) == ([2, 1, 2], [3, 1, 3])


def test_a_tie_group_ends_where_its_leader_is_better() -> None:
    values, errors = np.array([3.0, 2.0, 1.0]), np.full(3, 0.6)
    better = separated(values, errors)
    assert better.tolist() == [[False, False, True], [False, False, False], [False, False, False]]
    assert tie_groups(values, better).tolist() == [1, 1, 2]
