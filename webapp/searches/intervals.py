"""The geometry of a search's intervals: per cent of the width of their bars, on one axis for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from webapp.searches.knowledge import Found, Known, Step

TICK = 0.05  # the axis ends at multiples of it


@dataclass(frozen=True)
class Axis:
    """From low to high, in scores."""

    low: float
    high: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


@dataclass(frozen=True)
class Bar:
    """mark: the mean; bound: what could still be its mean, where it is known; all in per cent of the width."""

    start: float
    length: float
    mark: float
    bound: float | None = None


@dataclass(frozen=True)
class KnownRow:
    known: Known
    place: int | None
    leads: bool
    bar: Bar | None
    whole: bool


@dataclass(frozen=True)
class StepRow:
    step: Step
    bar: Bar

    @property
    def half(self) -> float:
        return (self.step.high - self.step.low) / 2

    @property
    def low(self) -> float:
        """No mean of scores is below 0, whatever Student's interval says."""
        return max(0.0, self.step.low)

    @property
    def high(self) -> float:
        return min(1.0, self.step.high)


def axis(ends: Sequence[float]) -> Axis:
    low, high = floor(min(ends) / TICK) * TICK, ceil(max(ends) / TICK) * TICK
    return Axis(low, high if high > low else low + TICK)


def known_rows(found: Found, size: int) -> tuple[Axis | None, list[KnownRow]]:
    """Best mean first; who was not asked yet comes last."""
    ends = [end for one in found.known for end in (one.low, one.high, one.mean) if end is not None]
    bounds = [min(1.0, one.bound) for one in found.known if one.bound is not None]
    scale = axis([*ends, *bounds]) if ends else None
    ordered = sorted(found.known, key=lambda one: (one.mean is None, -(one.mean or 0.0), -one.count, one.name))
    return scale, [
        KnownRow(
            one,
            place if one.mean is not None else None,
            one.contender == found.leader,
            _bar(one, scale),
            one.count == size,
        )
        for place, one in enumerate(ordered, 1)
    ]


def _bar(one: Known, scale: Axis | None) -> Bar | None:
    if scale is None or one.mean is None:
        return None
    low, high = (one.mean if end is None else end for end in (one.low, one.high))
    start = scale.at(low)
    bound = None if one.bound is None else scale.at(one.bound)
    return Bar(start, round(scale.at(high) - start, 2), scale.at(one.mean), bound)


def step_rows(found: Found) -> tuple[Axis | None, list[StepRow]]:
    """The course of an estimate, the last step first."""
    if not found.steps:
        return None, []
    scale = axis([min(1.0, max(0.0, end)) for step in found.steps for end in (step.low, step.high)])
    rows = [
        StepRow(step, Bar(scale.at(step.low), round(scale.at(step.high) - scale.at(step.low), 2), scale.at(step.value)))
        for step in found.steps
    ]
    return scale, rows[::-1]
