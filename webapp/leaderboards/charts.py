"""The geometry of a board's two drawings, in pixels of their SVG: rank intervals, and a heatmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from webapp.leaderboards.selectors import Board
from webapp.leaderboards.tables import Column, Row

LABELS, EDGE, AXIS = 210, 70, 28  # left of the plot, right of it, above it
PLOT, BAR = 560, 24
TICKS = 8
HEADS = 120  # above a heatmap: names of benchmarks, turned
SHADES = 10


@dataclass(frozen=True)
class RankBar:
    """low, width: of the interval; dot: the place in the order; group: contenders that intervals tie together."""

    row: Row
    y: int
    low: float
    width: float
    dot: float
    group: int

    @property
    def shaded(self) -> bool:
        return self.group % 2 == 1


@dataclass(frozen=True)
class Ranks:
    bars: list[RankBar]
    ticks: list[tuple[int, float]]
    width: int
    height: int
    left_out: int


def ranks(board: Board) -> Ranks:
    """Of the ranked contenders on the page; the axis is that of all of them."""
    rows = [row for row in board.ranked if row.standing.rank_low is not None]
    places = max((row.standing.rank_high or 0 for row in board.table.rows), default=1) or 1
    groups = tie_groups([row for row in board.table.rows if row.standing.rank_low is not None])
    step = PLOT / places
    bars = [
        RankBar(
            row=row,
            y=AXIS + at * BAR,
            low=round(LABELS + ((row.standing.rank_low or 1) - 1) * step, 1),
            width=round(max(3.0, ((row.standing.rank_high or 1) - (row.standing.rank_low or 1) + 1) * step), 1),
            dot=round(LABELS + ((row.standing.position or 1) - 0.5) * step, 1),
            group=groups[row.standing.contender_id],
        )
        for at, row in enumerate(rows)
    ]
    every = max(1, -(-places // TICKS))
    ticks = [(place, round(LABELS + (place - 0.5) * step, 1)) for place in [1, *range(every, places + 1, every)]]
    return Ranks(
        bars, sorted(set(ticks)), LABELS + PLOT + EDGE, AXIS + len(bars) * BAR + 8, len(board.shown) - len(bars)
    )


def tie_groups(rows: list[Row]) -> dict[int, int]:
    """Contender id -> group. A new one begins where no interval reaches across from the contenders above."""
    groups: dict[int, int] = {}
    group, reach = -1, 0
    for row in sorted(rows, key=lambda row: (row.standing.rank_low or 0, row.standing.rank_high or 0)):
        if (row.standing.rank_low or 0) > reach:
            group += 1
        reach = max(reach, row.standing.rank_high or 0)
        groups[row.standing.contender_id] = group
    return groups


@dataclass(frozen=True)
class HeatLine:
    """paths: (shade from 0 to 10, the outline of all cells of that shade); numbers: (x, text) where they fit."""

    row: Row
    y: int
    paths: list[tuple[int, str]]
    numbers: list[tuple[float, str]]
    values: list[str]


@dataclass(frozen=True)
class Heatmap:
    lines: list[HeatLine]
    heads: list[tuple[float, Column]]
    cell: tuple[int, int]
    left: int
    top: int
    width: int
    height: int


def heatmap(board: Board) -> Heatmap:
    """Contenders of the page by the chosen benchmarks. One path per row and shade keeps 6,000 cells light."""
    columns = board.visible
    wide = max(18, min(72, 760 // max(1, len(columns))))
    tall = 24 if wide >= 36 else 18
    scales = [_scale(column) for column in columns]
    lines = [_line(row, scales, HEADS + at * tall, wide, tall) for at, row in enumerate(board.shown)]
    heads = [(LABELS + (at + 0.5) * wide, column) for at, column in enumerate(columns)]
    width = LABELS + len(columns) * wide + EDGE
    return Heatmap(lines, heads, (wide, tall), LABELS, HEADS, width, HEADS + len(lines) * tall + 4)


def _line(row: Row, scales: Sequence[Scale], y: int, wide: int, tall: int) -> HeatLine:
    outlines: dict[int, list[str]] = {}
    numbers, values, cell = [], [], f"h{wide - 1}v{tall - 1}h{1 - wide}z"
    for x, scale in zip(count(LABELS, wide), scales, strict=False):
        mean = row.line.results[scale.at]
        if mean is None:
            values.append("—")
            continue
        values.append(f"{100 * mean:.1f}")
        outlines.setdefault(scale.shade(mean), []).append(f"M{x} 0{cell}")
        if wide >= 36:
            numbers.append((x + wide / 2, values[-1]))
    return HeatLine(row, y, [(shade, "".join(parts)) for shade, parts in sorted(outlines.items())], numbers, values)


class Scale(NamedTuple):
    """Of a column's shades. at: its place in a row."""

    at: int
    low: float
    span: float
    rising: bool

    def shade(self, mean: float) -> int:
        """From 0 to 10, the better the stronger."""
        share = (mean - self.low) / self.span if self.span > 0 else 0.5
        return round(SHADES * (share if self.rising else 1 - share))


def _scale(column: Column) -> Scale:
    """The whole scale for shares, what is within the column for other measures."""
    low, high = column.low or 0.0, column.high or 0.0
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    return Scale(column.at, low, high - low, column.version.higher_is_better)
