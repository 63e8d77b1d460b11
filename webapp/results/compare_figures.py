"""A comparison ready to draw: contenders with letters, pairs with the places of their intervals, groups, a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isfinite, isnan

import numpy as np

from evaluation.errors import BadParameter
from evaluation.paired import detectable_difference, samples_needed
from evaluation.side_by_side import Pair, SideBySide
from evaluation.verdicts import of_pair, rounded
from webapp.results.compare import Subject, Table, groups
from webapp.results.compare_query import Query
from webapp.results.compare_samples import LETTERS

EDGE = 4.0  # per cent of a plot's width that stay free at either side
USUAL = 2.0  # points that a plan is made for where the address names none


@dataclass(frozen=True)
class Contestant:
    """letter stands for the name in tables. rank: a place, or the interval of places that the pairs leave open.

    run: its id, where one benchmark is compared on; of a suite there are several.
    """

    letter: str
    pk: int
    name: str
    mean: float
    low: float | None
    high: float | None
    rank: str
    baseline: bool
    run: int | None


@dataclass(frozen=True)
class Plot:
    """Places from 0 to 100 on the axis that all pairs share; the band is what counts as equal."""

    low: float
    high: float
    at: float
    zero: float
    band: float
    band_width: float

    @property
    def width(self) -> float:
        return round(self.high - self.low, 2)


@dataclass(frozen=True)
class PairRow:
    first: Contestant
    second: Contestant
    pair: Pair
    plot: Plot
    sentence: str
    different: bool
    equal: bool
    changed_share: float

    @property
    def needed(self) -> int | None:
        """Rounded upwards to two digits; None where no number of samples would do."""
        return rounded(self.pair.samples_needed) if isfinite(self.pair.samples_needed) else None


@dataclass(frozen=True)
class GroupCell:
    mean: float
    difference: float
    low: float | None
    high: float | None
    apart: bool


@dataclass(frozen=True)
class GroupRow:
    name: str
    n: int
    cells: list[GroupCell]


@dataclass(frozen=True)
class Breakdown:
    """By benchmark or subject; differences are from the reference."""

    kind: str
    reference: Contestant
    rows: list[GroupRow]


@dataclass(frozen=True)
class Plan:
    """see and flips in per cent, power too. samples: needed to see it; problem: why there is no answer.

    shown: the smallest difference, in points, that the samples at hand show.
    """

    see: float
    flips: float
    power: float
    samples: int | None
    shown: float | None
    problem: str


def contestants(table: Table, found: SideBySide) -> list[Contestant]:
    sign = table.sign
    rows = zip(LETTERS, table.contenders, table.names, strict=False)
    return [
        Contestant(
            letter=letter,
            pk=pk,
            name=name,
            mean=sign * float(found.mean[row]),
            low=_known(sign * float((found.low if sign > 0 else found.high)[row])),
            high=_known(sign * float((found.high if sign > 0 else found.low)[row])),
            rank=_rank(int(found.rank_low[row]), int(found.rank_high[row])),
            baseline=row == found.baseline,
            run=table.runs[pk, table.versions[0].pk].pk if len(table.versions) == 1 else None,
        )
        for row, (letter, pk, name) in enumerate(rows)
    ]


def _rank(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def _known(value: float) -> float | None:
    return None if isnan(value) else value


def pair_rows(found: SideBySide, people: Sequence[Contestant]) -> list[PairRow]:
    """The most clearly different pairs first, in the order of the contenders where that is equal."""
    low = min(0.0, -found.margin, *(pair.low for pair in found.pairs))
    high = max(0.0, found.margin, *(pair.high for pair in found.pairs))
    names = [person.name for person in people]
    return [
        PairRow(
            first=people[pair.first],
            second=people[pair.second],
            pair=pair,
            plot=_plot(pair, found.margin, low, high),
            sentence=of_pair(found, pair, names),
            different=pair.p_adjusted <= 1 - found.level,
            equal=pair.p_adjusted > 1 - found.level and pair.equivalence_adjusted <= 1 - found.level,
            changed_share=pair.answers_changed / found.n,
        )
        for pair in found.pairs
    ]


def _plot(pair: Pair, margin: float, low: float, high: float) -> Plot:
    def place(value: float) -> float:
        return round(EDGE + (100 - 2 * EDGE) * (value - low) / (high - low), 2)

    band = place(-margin)
    return Plot(place(pair.low), place(pair.high), place(pair.difference), place(0.0), band, place(margin) - band)


def breakdown(chosen: Subject, table: Table, people: Sequence[Contestant]) -> Breakdown | None:
    """By benchmark or subject; against the baseline, or the best where there is none."""
    split = groups(chosen, table)
    if split is None:
        return None
    kind, names, of_sample = split
    reference = next((row for row, person in enumerate(people) if person.baseline), None)
    if reference is None:
        reference = int(np.argmax([table.sign * person.mean for person in people]))
    rows = []
    for name, group in zip(names, table.broken_down(of_sample, reference), strict=True):
        cells = zip(*(column.tolist() for column in (group.mean, group.difference, group.low, group.high)), strict=True)
        rows.append(GroupRow(name, group.n, [_group_cell(table.sign, *cell) for cell in cells]))
    return Breakdown(kind, people[reference], rows)


def _group_cell(sign: float, mean: float, difference: float, low: float, high: float) -> GroupCell:
    return GroupCell(sign * mean, difference, _known(low), _known(high), low > 0 or high < 0)


def plan(table: Table, found: SideBySide, query: Query) -> Plan:
    """What the address asks of the planner; left out, the flip rate is the one of the most different pair.

    Of graded scores the place of the flip rate is taken by the mean squared change, which it is of right and wrong.
    """
    squares = [float(((table.scores[p.first] - table.scores[p.second]) ** 2).mean()) for p in found.pairs]
    flips = query.flips or round(100 * max(squares), 2)
    see = query.see or USUAL
    shown = None
    if flips > 0:
        least = detectable_difference(found.n, min(flips / 100, 1.0), power=query.power / 100)
        shown = 100 * least if isfinite(least) else None
    try:
        needed = ceil(samples_needed(see / 100, flips / 100, power=query.power / 100))
    except BadParameter as error:
        return Plan(see, flips, query.power, None, shown, error.message)
    return Plan(see, flips, query.power, needed, shown, "")
