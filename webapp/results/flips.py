"""Flips as a matrix: per contender what became of its reference's right and wrong answers, ready to draw as SVG.

Every sample is in exactly one column, so the numbers of a row add up to the samples that were compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.analyses.quantization import QuantizationResult, Shares

KINDS = ("stays right", "right → wrong", "wrong → right", "wrong → other", "stays wrong")
FLIPS = range(1, 4)  # the columns in which an answer changed
LABELS, HEADS, WIDE, TALL, EDGE = 210, 30, 112, 30, 8
SHADES = 10


@dataclass(frozen=True)
class FlipCell:
    """share: of the row's samples. low, high: its exact interval, where the answer changed. shade: 0 to 10."""

    kind: str
    count: int
    share: float
    low: float | None
    high: float | None
    x: int
    shade: int


@dataclass(frozen=True)
class FlipRow:
    """n: samples that the contender and its reference both answered."""

    name: str
    reference: str
    n: int
    y: int
    cells: list[FlipCell]

    @property
    def flipped(self) -> int:
        return sum(self.cells[at].count for at in FLIPS)


@dataclass(frozen=True)
class FlipMatrix:
    """heads: (middle of the column, its name)."""

    rows: list[FlipRow]
    heads: list[tuple[int, str]]
    width: int
    height: int
    tall: int = TALL
    wide: int = WIDE - 3


def flip_matrix(found: QuantizationResult) -> FlipMatrix | None:
    """Of all that are compared with another contender; None where nobody is."""
    compared = [at for at, name in enumerate(found.contenders) if found.reference[at] != name]
    if not compared:
        return None
    counts = {at: _counts(found, at) for at in compared}
    most = max((counts[at][kind] / int(found.n[at]) for at in compared for kind in FLIPS), default=0.0)
    rows = [_row(found, at, counts[at], HEADS + line * TALL, most) for line, at in enumerate(compared)]
    heads = [(LABELS + at * WIDE + WIDE // 2, kind) for at, kind in enumerate(KINDS)]
    return FlipMatrix(rows, heads, LABELS + len(KINDS) * WIDE + EDGE, HEADS + len(rows) * TALL + EDGE)


def _counts(found: QuantizationResult, at: int) -> list[int]:
    """By kind. Who is right now was right before or has won; who is wrong now and neither lost nor moved has stayed."""
    n = int(found.n[at])
    lost, won, other = (int(part.count[at]) for part in (found.lost, found.won, found.other_wrong))
    stayed_right = round(float(found.accuracy[at]) * n) - won
    return [stayed_right, lost, won, other, n - stayed_right - lost - won - other]


def _row(found: QuantizationResult, at: int, counts: list[int], y: int, most: float) -> FlipRow:
    n = int(found.n[at])
    sure: list[Shares | None] = [None, found.lost, found.won, found.other_wrong, None]
    cells = [
        FlipCell(
            kind=kind,
            count=count,
            share=count / n,
            low=None if part is None else float(part.low[at]),
            high=None if part is None else float(part.high[at]),
            x=LABELS + column * WIDE,
            shade=0 if part is None or not most else round(SHADES * count / n / most),
        )
        for column, (kind, count, part) in enumerate(zip(KINDS, counts, sure, strict=True))
    ]
    return FlipRow(found.contenders[at], found.reference[at], n, y, cells)
