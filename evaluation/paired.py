"""Two contenders on the same samples: what their difference can be, and how many samples would show it.

Everything broadcasts over arrays of pairs. wins: samples on which only the first is right; losses: only the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import two_sided

BLOCK = 4096  # samples whose weights are drawn at a time
HALVINGS = 36  # of an interval's end: closer than 1e-10
BELOW_ONE = 1 - 1e-12


class Differences(Protocol):
    """Pairs' differences of means over the same samples, and what the samples allow them to be."""

    @property
    def value(self) -> Floats:
        """What was observed."""

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Low and high ends. Raises BadParameter for a level outside 0..1."""

    def equivalence_p(self, margin: float) -> Floats:
        """p of "they differ by margin or more": the larger of two one-sided tests (Schuirmann, 1987)."""


@dataclass(frozen=True, eq=False)
class BinaryDifferences:
    """Differences of shares, with the score interval of Tango (1998): the differences that its test would not refuse.

    It stays inside -1..1 and is open where nobody ever disagreed: few samples are no certainty. Exact coverage of the
    95 % interval, summed over all outcomes: 93.2 to 95.9 % at n = 200 for flip rates of 2 to 40 %, 94.8 to 95.2 % at
    n = 2,000. Where four flips or fewer are to be expected, outcomes are too coarse for any interval: at n = 200 and a
    flip rate of 1 % it covers 98.6 %. An exact McNemar test is more careful than this interval, so that 0 may lie just
    outside of it while p is still above 0.05.
    """

    wins: Floats
    losses: Floats
    n: Integers

    @property
    def value(self) -> Floats:
        return np.asarray((self.wins - self.losses) / self.n)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        reach = two_sided(level)
        low = np.asarray(-_score_end(self.losses, self.wins, self.n, reach))
        return low, _score_end(self.wins, self.losses, self.n, reach)

    def equivalence_p(self, margin: float) -> Floats:
        edge = np.asarray(min(_above_zero(margin), BELOW_ONE))
        below = _score(self.wins, self.losses, self.n, edge)
        above = _score(self.losses, self.wins, self.n, edge)
        return _tail(-np.maximum(below, above), inf)


@dataclass(frozen=True, eq=False)
class BootstrapDifferences:
    """Differences with a standard error each; `degrees` of Student's distribution."""

    value: Floats
    error: Floats
    degrees: float

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        two_sided(level)
        half = _quantile((1 + level) / 2, self.degrees) * self.error
        return np.asarray(self.value - half), np.asarray(self.value + half)

    def take(self, first: Integers, second: Integers) -> BootstrapDifferences:
        """Some of the pairs of a matrix."""
        return BootstrapDifferences(self.value[first, second], self.error[first, second], self.degrees)

    def p_values(self) -> Floats:
        """Two-sided p of "no difference"; 1 where neither difference nor error is there."""
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.where(self.value == 0, 0.0, np.abs(self.value) / self.error)
        return np.asarray(np.minimum(1.0, 2 * _tail(statistic, self.degrees)))

    def equivalence_p(self, margin: float) -> Floats:
        with np.errstate(divide="ignore"):
            statistic = (_above_zero(margin) - np.abs(self.value)) / self.error
        return _tail(statistic, self.degrees)


def binary_differences(wins: ArrayLike, losses: ArrayLike, n: ArrayLike) -> BinaryDifferences:
    """Difference of two shares over the same n samples, from how often only one of the two was right."""
    b, c, size = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64), np.asarray(n, dtype=np.int64)
    if bool((size < 1).any()):
        raise NotEnoughData("A paired difference needs at least one sample that both answered.")
    if bool((b < 0).any() or (c < 0).any() or (b + c > size).any()):
        raise BadParameter("Wins and losses lie between 0 and the number of samples.")
    return BinaryDifferences(b, c, size)


def _score(wins: Floats, losses: Floats, n: Integers, difference: Floats) -> Floats:
    """Tango's statistic of a difference, standard normal if it is the true one.

    Source: Equivalence test and confidence interval for the difference in proportions for the paired-sample design,
    Statistics in Medicine 17 (1998).
    """
    half = 2 * n * difference - wins - losses - (wins - losses) * difference
    root = np.sqrt(np.maximum(half**2 + 8 * n * losses * difference * (1 - difference), 0.0))
    variance = n * ((root - half) / (2 * n) + difference * (1 - difference))
    apart = wins - losses - n * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(apart == 0, 0.0, apart / np.sqrt(np.maximum(variance, 0.0))))


def _score_end(wins: Floats, losses: Floats, n: Integers, reach: float) -> Floats:
    """Largest difference whose statistic is not below -reach, by halving: the statistic falls with the difference."""
    low = (wins - losses) / n
    high = np.ones_like(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        refused = _score(wins, losses, n, middle) < -reach
        low, high = np.where(refused, low, middle), np.where(refused, middle, high)
    return np.asarray(np.where(low > BELOW_ONE, 1.0, (low + high) / 2))


def _above_zero(margin: float) -> float:
    if not margin > 0:
        raise BadParameter("An equivalence margin is above 0.", field="margin")
    return margin


def bootstrap_differences(
    values: Floats, *, groups: Integers | None = None, resamples: int = 1000, seed: int = 1
) -> BootstrapDifferences:
    """(contender, contender) differences of mean graded scores; errors by the Poisson bootstrap over samples.

    values: (contender, sample). groups: (sample,) number of the subject or passage, drawn as a whole. One matrix of
    Poisson(1) weights serves every contender, so that pairs stay pairs; the errors of all pairs follow from one
    covariance. Raises NotEnoughData below two samples or groups.
    """
    totals, sizes = _totals(values, groups)
    units = sizes.size
    if units < 2:
        raise NotEnoughData("A bootstrap needs at least two samples or groups.", field="cluster")
    rng = np.random.default_rng(seed)
    drawn, weight = np.zeros((resamples, values.shape[0])), np.zeros(resamples)
    for start in range(0, units, BLOCK):
        block = slice(start, start + BLOCK)
        weights = rng.poisson(1.0, size=(resamples, sizes[block].size)).astype(np.float64)
        drawn += weights @ totals[:, block].T
        weight += weights @ sizes[block]
    kept = weight > 0
    means = drawn[kept] / weight[kept, None]
    centred = means - means.mean(axis=0)
    covariance = centred.T @ centred / (len(means) - 1)
    variance = np.diag(covariance)
    spread = np.maximum(variance[:, None] + variance[None, :] - 2 * covariance, 0.0)
    np.fill_diagonal(spread, 0.0)
    mean = values.mean(axis=1)
    gap = mean[:, None] - mean[None, :]
    return BootstrapDifferences(gap, np.sqrt(spread * units / (units - 1)), float(units - 1))


def clopper_pearson(successes: ArrayLike, n: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact interval of a share (Clopper and Pearson, 1934); arrays of counts out of the same n."""
    from scipy.special import betaincinv

    two_sided(level)
    k = np.asarray(successes, dtype=np.float64)
    if n < 1:
        raise NotEnoughData("A share of no samples has no interval.")
    if bool((k < 0).any() or (k > n).any()):
        raise BadParameter(f"Successes lie between 0 and the {n} samples.", field="successes")
    tail = (1 - level) / 2
    low = np.where(k == 0, 0.0, betaincinv(np.maximum(k, 1), n - k + 1, tail))
    high = np.where(k == n, 1.0, betaincinv(k + 1, np.maximum(n - k, 1), 1 - tail))
    return low, high


def maximum_interval(successes: ArrayLike, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of the largest of several shares of the same n samples: simultaneous by Bonferroni's inequality."""
    k = np.atleast_1d(np.asarray(successes, dtype=np.float64))
    if k.size == 0:
        raise NotEnoughData("There is no share to take the largest of.")
    low, high = clopper_pearson(k, n, 1 - (1 - level) / k.size)
    return float(low.max()), float(high.max())


def samples_needed(difference: float, flips: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Samples in all to see a difference of shares with this power; infinite for none.

    flips: share of samples on which exactly one of the two is right; SE = sqrt((flips - difference^2) / n).
    """
    if not abs(difference) <= flips <= 1:
        raise BadParameter("The difference cannot exceed the share of flips, nor that share 1.", field="flips")
    reach = _reach(power, level)
    return reach**2 * (flips - difference**2) / difference**2 if difference else inf


def detectable_difference(n: int, flips: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Smallest difference of shares that n samples show with this power; infinite where even all flips would not do."""
    if n < 1:
        raise NotEnoughData("No sample shows no difference.", field="samples")
    if not 0 < flips <= 1:
        raise BadParameter("A share of flips lies between 0 and 1.", field="flips")
    reach = _reach(power, level)
    found = reach * sqrt(flips / (n + reach**2))
    return found if found <= flips else inf


def _reach(power: float, level: float) -> float:
    if not 0.5 <= power < 1:
        raise BadParameter("A power lies between 0.5 and 1.", field="power")
    return two_sided(level) + NormalDist().inv_cdf(power)


def _totals(values: Floats, groups: Integers | None) -> tuple[Floats, Floats]:
    """Sum of scores per contender and unit, and size of each unit: samples, or whole groups."""
    if groups is None:
        return values, np.ones(values.shape[1])
    _, place = np.unique(groups, return_inverse=True)
    sizes = np.bincount(place).astype(np.float64)
    return np.stack([np.bincount(place, weights=row) for row in values]), sizes


def _quantile(share: float, degrees: float) -> float:
    if degrees == inf:
        return NormalDist().inv_cdf(share)
    from scipy.special import stdtrit

    return float(stdtrit(degrees, share))


def _tail(statistic: Floats, degrees: float) -> Floats:
    """Upper tail of the normal or of Student's distribution."""
    from scipy.special import ndtr, stdtr

    return np.asarray(ndtr(-statistic) if degrees == inf else stdtr(degrees, -statistic), dtype=np.float64)
