"""The geometry of a board's two drawings, in pixels of their SVG: rank intervals, and a heatmap."""

from __future__ import annotations

from dataclasses import dataclass

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
    lines = [_line(row, columns, HEADS + at * tall, wide, tall) for at, row in enumerate(board.shown)]
    heads = [(LABELS + (at + 0.5) * wide, column) for at, column in enumerate(columns)]
    width = LABELS + len(columns) * wide + EDGE
    return Heatmap(lines, heads, (wide, tall), LABELS, HEADS, width, HEADS + len(lines) * tall + 4)


def _line(row: Row, columns: list[Column], y: int, wide: int, tall: int) -> HeatLine:
    outlines: dict[int, list[str]] = {}
    numbers, values = [], []
    for at, column in enumerate(columns):
        cell = row.cells[column.at]
        if not cell.complete or cell.mean is None:
            values.append("—")
            continue
        values.append(f"{100 * cell.mean:.1f}")
        x = LABELS + at * wide
        outlines.setdefault(_shade(cell.mean, column), []).append(f"M{x} 0h{wide - 1}v{tall - 1}h{1 - wide}z")
        if wide >= 36:
            numbers.append((x + wide / 2, values[-1]))
    return HeatLine(row, y, [(shade, "".join(parts)) for shade, parts in sorted(outlines.items())], numbers, values)


def _shade(mean: float, column: Column) -> int:
    """From 0 to 10, the better the stronger: of the whole scale for shares, within the column for other measures."""
    low, high = (
        (0.0, 1.0) if (column.low or 0) >= 0 and (column.high or 0) <= 1 else (column.low or 0, column.high or 0)
    )
    share = (mean - low) / (high - low) if high > low else 0.5
    return round(SHADES * (share if column.version.higher_is_better else 1 - share))
