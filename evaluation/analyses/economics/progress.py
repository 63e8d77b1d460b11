"""Progress over release dates: V falls as contenders join the expert, and the fall halves in a certain time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite, log

import numpy as np

from evaluation.analyses.economics.frontier import benchmark_value, relative_gain
from evaluation.tables import Floats

FEWEST_DATES = 4  # three parameters need more dates than that to be worth a curve
RATES = 400  # on the first grid of decay rates
HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Step:
    """V after this contender joined all earlier ones and the expert; gain = V before - V after, in USD per sample."""

    date: str
    contender: str
    value: float
    gain: float
    relative_gain: float


@dataclass(frozen=True, slots=True)
class Trend:
    """V(t) = a exp(-b t) + c, t in days since `start`; half_time = ln 2 / b in days. error: root mean square, USD."""

    start: str
    a: float
    b: float
    c: float
    half_time: float
    error: float


def progress(value: Floats, expert: Floats, released: Sequence[str], names: Sequence[str]) -> tuple[Step, ...]:
    """Contenders with a date, from the earliest; equal dates by name. It starts from the expert alone, never rises.

    value: (contender, sample) cost-of-pass. expert: (sample,) USD.
    """
    order = sorted((row for row, day in enumerate(released) if day), key=lambda row: (released[row], names[row]))
    minima, steps = np.array(expert), []
    for row in order:
        before = benchmark_value(minima)
        np.fmin(minima, value[row], out=minima)
        after = benchmark_value(minima)
        gain = before - after if isfinite(after) else 0.0
        steps.append(Step(released[row], names[row], after, gain, relative_gain(before, after)))
    return tuple(steps)


def trend(steps: Sequence[Step]) -> Trend | None:
    """Least squares of a exp(-b t) + c (a, c >= 0) over the last V of each date.

    For a given b the rest is linear, so only b is searched: a grid from a fall over a day to one over a hundred times
    the span, then golden sections around its best. None with fewer than four dates, or when no b inside the grid fits
    best: then V falls at once, or not at all.
    """
    last = {step.date: step.value for step in steps if isfinite(step.value)}
    if len(last) < FEWEST_DATES:
        return None
    days = np.array([date.fromisoformat(day).toordinal() for day in last], dtype=np.float64)
    start, days = min(last), days - days[0]
    values = np.array(list(last.values()))
    rates = np.geomspace(0.01 / days[-1], 1.0, RATES)
    errors = np.array([_fit(days, values, rate)[2] for rate in rates])
    best = int(errors.argmin())
    if best in (0, RATES - 1):
        return None
    rate = _refined(days, values, rates[best - 1], rates[best + 1])
    a, c, error = _fit(days, values, rate)
    return None if a <= 0 else Trend(start, a, rate, c, log(2) / rate, (error / days.size) ** 0.5)


def _refined(days: Floats, values: Floats, low: float, high: float) -> float:
    golden = (5**0.5 - 1) / 2
    for _ in range(HALVINGS):
        inner, outer = high - golden * (high - low), low + golden * (high - low)
        if _fit(days, values, inner)[2] <= _fit(days, values, outer)[2]:
            high = outer
        else:
            low = inner
    return float((low + high) / 2)


def _fit(days: Floats, values: Floats, rate: float) -> tuple[float, float, float]:
    """a, c and the sum of squares for one rate; a floor below 0 is put at 0."""
    curve = np.exp(-rate * days)
    centred = curve - curve.mean()
    spread = float(centred @ centred)
    a = float(centred @ values) / spread if spread > 0 else 0.0
    a = max(a, 0.0)
    c = float(values.mean() - a * curve.mean())
    if c < 0:
        a, c = float(curve @ values) / float(curve @ curve), 0.0
    residual = values - a * curve - c
    return a, c, float(residual @ residual)
