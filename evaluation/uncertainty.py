"""How sure a number is: intervals, exact paired tests, ranks that admit ties. Shared by every analysis."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import Floats, Integers

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the unit of the estimate."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of n values; standard_error is None when one value is all there is."""

    value: float
    standard_error: float | None
    n: int


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of first - second over the same n samples, its interval, and on how many samples each was better."""

    difference: float
    standard_error: float
    interval: Interval
    n: int
    wins: int
    losses: int


def two_sided(level: float) -> float:
    """Normal quantile of a two-sided interval: 1.96 for 0.95. Raises BadParameter outside 0..1."""
    if not 0 < level < 1:
        raise BadParameter(f"A confidence level lies between 0 and 1, not {level}.", field="level")
    return NormalDist().inv_cdf((1 + level) / 2)


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Score interval of a share (Wilson, 1927). Raises NotEnoughData for n = 0, BadParameter for impossible counts."""
    if n == 0:
        raise NotEnoughData("A share of no samples has no interval.")
    if not 0 <= successes <= n:
        raise BadParameter(f"{successes} successes in {n} samples are impossible.", field="successes")
    z = two_sided(level)
    share, widening = successes / n, z * z / n
    centre = (share + widening / 2) / (1 + widening)
    half = sqrt(share * (1 - share) / n + widening / (4 * n)) * z / (1 + widening)
    return Interval(0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def mean_with_error(values: ArrayLike) -> Estimate:
    """Mean of independent values with its standard error. Raises NotEnoughData for none, or for a hole."""
    numbers = _without_holes(values)
    error = float(numbers.std(ddof=1)) / sqrt(numbers.size) if numbers.size > 1 else None
    return Estimate(float(numbers.mean()), error, numbers.size)


def paired_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedDifference:
    """Difference of two means over the same samples, Student's interval. Raises NotEnoughData below two samples."""
    a, b = _without_holes(first), _without_holes(second)
    if a.shape != b.shape:
        raise BadParameter(f"Paired values need equal lengths, not {a.size} and {b.size}.")
    if a.size < 2:
        raise NotEnoughData("A paired interval needs at least two samples.")
    from scipy.special import stdtrit  # here, so that listing analyses loads numpy only

    change = a - b
    centre, error = float(change.mean()), float(change.std(ddof=1)) / sqrt(change.size)
    half = float(stdtrit(change.size - 1, (1 + level) / 2)) * error
    wins, losses = int((change > 0).sum()), int((change < 0).sum())
    return PairedDifference(centre, error, Interval(centre - half, centre + half), change.size, wins, losses)


def mcnemar_exact(wins: ArrayLike, losses: ArrayLike) -> Floats:
    """Exact two-sided p of "equally accurate" from discordant counts (McNemar, 1947); arrays broadcast.

    p = min(1, 2 P[Binomial(wins + losses, 1/2) <= min(wins, losses)]): equal accuracy, not equal answers.
    """
    from scipy.special import bdtr

    b, c = np.asarray(wins, dtype=np.int64), np.asarray(losses, dtype=np.int64)
    if bool((b < 0).any() or (c < 0).any()):
        raise BadParameter("Counts of wins and losses are never negative.")
    return np.asarray(np.minimum(1.0, 2.0 * bdtr(np.minimum(b, c).astype(np.float64), b + c, 0.5)), dtype=np.float64)


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p of each member of a family of tests (Holm, 1979), in the order given."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted


def separated(values: Floats, standard_errors: Floats | None, level: float = 0.95) -> Flags:
    """(M, M) flags: row's value is above column's by more than the noise of two independent estimates.

    Without standard errors only equal values are tied: then ranks are those of the values, not of the truth.
    """
    gap = values[:, None] - values[None, :]
    if standard_errors is None:
        return np.asarray(gap > 0)
    variance = standard_errors**2
    return np.asarray(gap > two_sided(level) * np.sqrt(variance[:, None] + variance[None, :]))


def rank_intervals(better: Flags) -> tuple[Integers, Integers]:
    """Best and worst rank that each contender can claim. better: (M, M), row is significantly above column."""
    low = 1 + better.sum(axis=0, dtype=np.int64)
    high = better.shape[0] - better.sum(axis=1, dtype=np.int64)
    return low, high


def tie_groups(values: Floats, better: Flags) -> Integers:
    """1, 2, ... per contender from the top; a group ends before the first one that its leader is better than."""
    groups = np.zeros(values.size, dtype=np.int64)
    group, leader = 0, -1
    for contender in np.argsort(-values, kind="stable").tolist():
        if leader < 0 or better[leader, contender]:
            group, leader = group + 1, contender
        groups[contender] = group
    return groups


def _without_holes(values: ArrayLike) -> Floats:
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if numbers.size == 0:
        raise NotEnoughData("There is not a single value.")
    if bool(np.isnan(numbers).any()):
        raise NotEnoughData(f"{int(np.isnan(numbers).sum())} of {numbers.size} values are missing.")
    return numbers
