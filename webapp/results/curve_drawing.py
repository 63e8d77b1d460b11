"""The geometry of running means, in pixels of their SVG. Numbers are those of `curves`; here they become places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from webapp.results.curves import Curve, Curves, Point

LEFT, TOP, PLOT, HIGH = 52, 12, 560, 240
NAMES = 250  # right of the plot
LINE = 18  # between two names
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)
SETTLED = 0.2  # the first fifth of a curve swings too widely to give the scale
TICKS = 5
SHOWN = 20  # points that can be pointed at, of each curve


@dataclass(frozen=True)
class Mark:
    """A point that tells its numbers."""

    x: float
    y: float
    point: Point


@dataclass(frozen=True)
class Line:
    """hue: from 1. line, band: paths; (x, y): its end; label: height of its name, moved apart from others."""

    hue: int
    curve: Curve
    line: str
    band: str
    x: float
    y: float
    label: float
    marks: list[Mark]

    @property
    def last(self) -> Point:
        return self.curve.points[-1]


@dataclass(frozen=True)
class CurvePlot:
    """across, up: (place, text) of the ticks."""

    lines: list[Line]
    across: list[tuple[float, str]]
    up: list[tuple[float, str]]
    left_out: int
    left: int = LEFT
    right: int = LEFT + PLOT
    top: int = TOP
    bottom: int = TOP + HIGH
    width: int = LEFT + PLOT + NAMES
    height: int = TOP + HIGH + 44


@dataclass(frozen=True)
class _Scale:
    most: int
    low: float
    high: float

    def x(self, n: float) -> float:
        return round(LEFT + PLOT * n / self.most, 1)

    def y(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(TOP + HIGH * (1 - share), 1)


def plot(found: Curves) -> CurvePlot | None:
    """None before the first sample. The axis of samples goes to the end of the longest run, so curves only grow."""
    if not found.curves:
        return None
    scale = _scale(found.curves)
    return CurvePlot(_lines(found.curves, scale), _across(scale), _up(scale), found.left_out)


def _scale(curves: Sequence[Curve]) -> _Scale:
    most = max(max(curve.total or 0, curve.points[-1].n) for curve in curves)
    ends = [end for curve in curves for end in _ends(curve)]
    low, high = min(ends), max(ends)
    step = next((step for step in STEPS if (high - low) / step <= TICKS + 1), max(STEPS[-1], (high - low) / TICKS))
    low, high = floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step
    return _Scale(most, low, high if high > low else low + step)


def _ends(curve: Curve) -> list[float]:
    settled = [point for point in curve.points if point.n >= SETTLED * (curve.total or curve.points[-1].n)]
    ends = [(point.low, point.mean, point.high) for point in settled or curve.points[-1:]]
    return [end for triple in ends for end in triple if end is not None]


def _lines(curves: Sequence[Curve], scale: _Scale) -> list[Line]:
    ends = [scale.y(curve.points[-1].mean) for curve in curves]
    labels = _apart(ends)
    return [_line(at, curve, scale, labels[at]) for at, curve in enumerate(curves)]


def _line(at: int, curve: Curve, scale: _Scale, label: float) -> Line:
    marks = [Mark(scale.x(point.n), scale.y(point.mean), point) for point in curve.points]
    known = [point for point in curve.points if point.low is not None and point.high is not None]
    upper = [f"{scale.x(point.n)} {scale.y(point.high or 0)}" for point in known]
    lower = [f"{scale.x(point.n)} {scale.y(point.low or 0)}" for point in reversed(known)]
    every = max(1, ceil(len(marks) / SHOWN))
    return Line(
        hue=at + 1,
        curve=curve,
        line="M" + "L".join(f"{mark.x} {mark.y}" for mark in marks),
        band="M" + "L".join([*upper, *lower]) + "z" if len(known) > 1 else "",
        x=marks[-1].x,
        y=marks[-1].y,
        label=label,
        marks=marks[::-every][::-1],
    )


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of names, in the order given: at least a line apart, inside the plot, close to where they belong."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed: dict[int, float] = {}
    reach = TOP - LINE / 2
    for at in order:
        reach = placed[at] = max(heights[at], reach + LINE)
    floor_at = TOP + HIGH + LINE / 2
    for at in reversed(order):
        floor_at = placed[at] = min(placed[at], floor_at - LINE)
    return [round(placed[at], 1) for at in range(len(heights))]


def _across(scale: _Scale) -> list[tuple[float, str]]:
    steps = sorted({round(scale.most * at / TICKS) for at in range(TICKS + 1)})
    return [(scale.x(n), f"{n:,}") for n in steps]


def _up(scale: _Scale) -> list[tuple[float, str]]:
    span = scale.high - scale.low
    step = next((step for step in STEPS if span / step <= TICKS + 1), span / TICKS)
    values = [scale.low + at * step for at in range(round(span / step) + 1)]
    return [(scale.y(value), f"{100 * value:.0f}") for value in values]
