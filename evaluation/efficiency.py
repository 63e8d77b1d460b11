"""Efficiency beside money: latency, speed, energy, and how far indicators of cost disagree about who is cheap.

Arrays in, frozen dataclasses out. NaN is a hole: it is left out and counted, never taken as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from evaluation.errors import BadParameter
from evaluation.tables import Floats, Integers

FEWEST = 3  # points for a slope with an error, contenders for a rank correlation


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of n attempts: median and 95th percentile, NaN without any. holes: attempts that were not timed."""

    p50: float
    p95: float
    n: int
    holes: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Least squares of latency on output tokens, seconds = intercept + slope * tokens.

    tokens_per_second: 1 / slope, with its error by the delta method; NaN where the slope is not above 0. intercept:
    what an attempt takes before its first token: prompt, queue, network. Errors are standard errors.
    """

    tokens_per_second: float
    tokens_per_second_error: float
    slope: float
    slope_error: float
    intercept: float
    intercept_error: float
    n: int
    holes: int


@dataclass(frozen=True, slots=True)
class Energy:
    """Measured joules: of a thousand samples, in kilojoules and watt-hours; NaN where nothing was measured."""

    kilojoules: float
    watt_hours: float
    n: int
    holes: int


@dataclass(frozen=True, eq=False)
class RankAgreement:
    """Do indicators put contenders in the same order? Matrices over `indicators`, in their order.

    spearman: correlation of mid-ranks. kendall: tau-b. n: contenders that have both. NaN below three of them, or where
    an indicator is the same for all.
    """

    indicators: tuple[str, ...]
    spearman: Floats
    kendall: Floats
    n: Integers


def latency(seconds: ArrayLike) -> Latency:
    """Percentiles by linear interpolation. Raises BadParameter for a negative time."""
    timed, holes = _known(seconds, "seconds")
    if timed.size == 0:
        return Latency(nan, nan, 0, holes)
    p50, p95 = np.quantile(timed, (0.5, 0.95)).tolist()
    return Latency(p50, p95, timed.size, holes)


def speed(tokens: ArrayLike, seconds: ArrayLike) -> Speed:
    """tokens: output tokens of each attempt; seconds: its latency. NaN where fewer than three differ in length."""
    x, y = np.asarray(tokens, dtype=np.float64).ravel(), np.asarray(seconds, dtype=np.float64).ravel()
    if x.shape != y.shape:
        raise BadParameter("Give one latency per number of tokens.", field="seconds")
    both = ~np.isnan(x) & ~np.isnan(y)
    holes, x, y = int((~both).sum()), x[both], y[both]
    centred = x - x.mean() if x.size else x
    spread = float(centred @ centred)
    if x.size < FEWEST or spread == 0:
        return Speed(nan, nan, nan, nan, nan, nan, x.size, holes)
    slope = float(centred @ y) / spread
    intercept = float(y.mean() - slope * x.mean())
    residual = y - intercept - slope * x
    variance = float(residual @ residual) / (x.size - 2)
    error = sqrt(variance / spread)
    intercept_error = sqrt(variance * (1 / x.size + float(x.mean()) ** 2 / spread))
    rate, rate_error = (1 / slope, error / slope**2) if slope > 0 else (nan, nan)
    return Speed(rate, rate_error, slope, error, intercept, intercept_error, x.size, holes)


def energy(joules: ArrayLike) -> Energy:
    """joules: measured for each sample. Samples without a measurement do not count as free."""
    measured, holes = _known(joules, "joules")
    if measured.size == 0:
        return Energy(nan, nan, 0, holes)
    thousand = 1000 * float(measured.mean())
    return Energy(thousand / 1000, thousand / 3600, measured.size, holes)


def rank_agreement(indicators: Mapping[str, ArrayLike]) -> RankAgreement:
    """indicators: name -> one number per contender, all in the same order of contenders; NaN where unknown."""
    columns = [np.asarray(values, dtype=np.float64) for values in indicators.values()]
    if len({column.shape for column in columns}) > 1 or any(column.ndim != 1 for column in columns):
        raise BadParameter("Indicators need one number per contender each.", field="indicators")
    size = len(columns)
    spearman, kendall = np.full((size, size), np.nan), np.full((size, size), np.nan)
    n = np.zeros((size, size), dtype=np.int64)
    for row, first in enumerate(columns):
        for column, second in enumerate(columns):
            both = ~np.isnan(first) & ~np.isnan(second)
            n[row, column] = both.sum()
            if n[row, column] >= FEWEST:
                x, y = first[both], second[both]
                spearman[row, column] = _cosine(_centred(mid_ranks(x)), _centred(mid_ranks(y)))
                kendall[row, column] = _cosine(_signs(x), _signs(y))
    for matrix in (spearman, kendall, n):
        matrix.setflags(write=False)
    return RankAgreement(tuple(indicators), spearman, kendall, n)


def mid_ranks(values: Floats) -> Floats:
    """1 for the smallest; equals share the mean of their places."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[which])


def _signs(values: Floats) -> Floats:
    """Who is above whom, flat: Kendall's tau-b is the cosine of two of these."""
    return np.sign(values[:, None] - values[None, :]).ravel()


def _centred(values: Floats) -> Floats:
    return np.asarray(values - values.mean())


def _cosine(first: Floats, second: Floats) -> float:
    size = sqrt(float(first @ first)) * sqrt(float(second @ second))
    return float(np.clip(float(first @ second) / size, -1, 1)) if size > 0 else nan


def _known(values: ArrayLike, name: str) -> tuple[Floats, int]:
    numbers = np.asarray(values, dtype=np.float64).ravel()
    known = numbers[~np.isnan(numbers)]
    if bool((known < 0).any() or np.isinf(known).any()):
        raise BadParameter(f"`{name}` are finite and not negative.", field=name)
    return known, numbers.size - known.size
