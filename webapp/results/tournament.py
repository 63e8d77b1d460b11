"""A Swiss tournament as its page draws it: sentences, rows, small figures and the data of the charts.

Everything is taken from the stored result; nothing is computed again but positions on paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from evaluation.analyses.base import from_json
from evaluation.analyses.swiss import MUCH_BYE, SwissResult
from evaluation.analyses.swiss import Tournament as Played
from webapp.results import tournament_figures
from webapp.results.cost_figures import CostFigure

STRIPS = 100  # contenders whose distribution is drawn; all of them are in the JSON
SHADES = 10
WIDE, HIGH = 64, 22  # of a small three-point chart, in its own units
RESULTS = {"W": "beats", "L": "loses to"}
GENERALIST, SPECIALIST = "robust generalist", "aggressive specialist"


@dataclass(frozen=True)
class Bar:
    """A rank interval on the scale of all ranks, in per cent of the width."""

    start: float
    length: float
    mark: float


@dataclass(frozen=True)
class Row:
    """A contender in the order of E[S]. points: (E[S], standard error) per elimination; spark: x,y of its points."""

    number: int
    name: str
    rank: str
    leads_group: bool
    shaded: bool
    bar: Bar
    points: list[tuple[float, float]]
    spark: list[tuple[float, float]]
    first: float
    byes: float
    drop: float | None = None
    drop_error: float | None = None
    relative: float | None = None
    spread: float | None = None
    kind: str = ""

    @property
    def loss(self) -> str:
        """The drop in points, and its share of E[S] in per cent where there is something to lose."""
        return "" if self.drop is None else signed(self.drop)

    @property
    def loss_share(self) -> str:
        return "" if self.relative is None else signed(100 * self.relative, 0)


@dataclass(frozen=True)
class Game:
    """One round of one contender. letter: W, L, B (bye) or -."""

    letter: str
    opponent: int | None
    points: int
    words: str


@dataclass(frozen=True)
class Line:
    """A contender in the crosstable."""

    number: int
    name: str
    games: list[Game]
    points: int
    buchholz: int
    sonneborn_berger: int
    mean_buchholz: float
    mean_sonneborn_berger: float


class TournamentView:
    """What `components/tournament.html` draws of a report's result and parameters."""

    template = "components/tournament.html"

    def __init__(self, result: Any, parameters: Mapping[str, Any]) -> None:
        self.result = from_json(SwissResult, result)
        self.parameters = parameters
        self.keys = list(self.result.eliminations)
        self.main: Played = self.result.eliminations[self.keys[0]]
        self.order = np.argsort(-self.main.expected_points, kind="stable").tolist()
        self.names = [self.result.contenders[at] for at in self.order]
        self.number = {at: place for place, at in enumerate(self.order, 1)}

    @property
    def largest(self) -> int:
        """The most points that anybody can end with."""
        return int(self.main.final_points[-1])

    @cached_property
    def rows(self) -> list[Row]:
        return [self._row(at) for at in self.order]

    def _row(self, at: int) -> Row:
        main, size = self.main, len(self.order)
        low, high, group = (int(values[at]) for values in (main.rank_low, main.rank_high, main.tie_group))
        number = self.number[at]
        before = 0 if number == 1 else int(main.tie_group[self.order[number - 2]])
        winning = int(np.flatnonzero(main.rank_of_points == 1)[0])
        return Row(
            number=number,
            name=self.result.contenders[at],
            rank=str(low) if low == high else f"{low}–{high}",
            leads_group=group != before,
            shaded=group % 2 == 1,
            bar=Bar(100 * (low - 1) / size, 100 * (high - low + 1) / size, 100 * (number - 0.5) / size),
            points=[(float(one.expected_points[at]), float(one.standard_error[at])) for one in self._all],
            spark=self._spark(at),
            first=float(main.rank_or_better[at, winning]),
            byes=float(main.byes[at]),
            spread=None if main.order_spread is None else float(main.order_spread[at]),
            **self._sensitivity(at),
        )

    @property
    def _all(self) -> list[Played]:
        return [self.result.eliminations[key] for key in self.keys]

    def _spark(self, at: int) -> list[tuple[float, float]]:
        """Points of the small chart: one per elimination, on a scale that all contenders share."""
        top = max(float(one.expected_points.max()) for one in self._all) or 1.0
        step = (WIDE - 8) / max(1, len(self.keys) - 1)
        heights = [float(one.expected_points[at]) / top for one in self._all]
        return [(round(4 + step * i, 1), round(HIGH - 4 - share * (HIGH - 8), 1)) for i, share in enumerate(heights)]

    def _sensitivity(self, at: int) -> dict[str, Any]:
        found = self.result.sensitivity
        if found is None:
            return {}
        relative = float(found.relative_drop[at])
        return {
            "drop": float(found.drop[at]),
            "drop_error": float(found.drop_standard_error[at]),
            "relative": None if np.isnan(relative) else relative,
            "kind": self._kind(at),
        }

    @cached_property
    def base(self) -> Played | None:
        """The tournament without eliminations, which the drop is measured from."""
        return next((one for one in self._all if set(one.eliminate) == {0}), None)

    @cached_property
    def medians(self) -> tuple[float, float] | None:
        """(E[S] without eliminations, drop) of the middle contender: the cross in the scatter."""
        if self.base is None or self.result.sensitivity is None:
            return None
        return float(np.median(self.base.expected_points)), float(np.median(self.result.sensitivity.drop))

    def _kind(self, at: int) -> str:
        """In the better half: a robust generalist loses less than the middle contender, a specialist more."""
        if self.medians is None or self.base is None or self.result.sensitivity is None:
            return ""
        x, y = self.medians
        drop = float(self.result.sensitivity.drop[at])
        if self.base.expected_points[at] < x or drop == y:
            return ""
        return GENERALIST if drop > y else SPECIALIST

    @cached_property
    def verdict(self) -> list[str]:
        return [self._winner(), *self._fragile(), self._noise()]

    def _winner(self) -> str:
        leaders = [row for row in self.rows if self.main.tie_group[self.order[row.number - 1]] == 1]
        best = leaders[0].points[0][0]
        if len(self.rows) == 1:
            return f"{leaders[0].name} is alone: a tournament needs somebody to play against."
        if len(leaders) == 1:
            second = self.rows[1]
            return (
                f"{leaders[0].name} leads with {best:.2f} expected points of at most {self.largest}, "
                f"{best - second.points[0][0]:.2f} more than {second.name}."
            )
        who = "All contenders" if len(leaders) == len(self.rows) else _listed([row.name for row in leaders])
        last = leaders[-1].points[0][0]
        span = f"{best:.2f}" if round(best, 2) == round(last, 2) else f"{best:.2f} to {last:.2f}"
        return f"{who} share the first place: these simulations cannot tell their {span} expected points apart."

    def _fragile(self) -> list[str]:
        drops = {row.name: row.drop for row in self.rows if row.drop is not None}
        if len(drops) < 3 or len({round(drop, 6) for drop in drops.values()}) == 1:
            return []
        most, least = min(drops, key=drops.__getitem__), max(drops, key=drops.__getitem__)
        return [
            "When the two lowest leave after every round, "
            f"{most} loses most ({signed(drops[most])} points) and {least} least ({signed(drops[least])})."
        ]

    def _noise(self) -> str:
        if self.result.exact:
            return "These are exact expectations over all pairings, coins and eliminations, not a simulation."
        if self.parameters.get("resample"):
            return "The scores are drawn anew in each simulation, so their sampling error spreads the points."
        return "The ± is the noise of the simulated pairings alone; “resample” adds the sampling error of the scores."

    @property
    def levels(self) -> range:
        return range(self.main.distribution.shape[1])

    @cached_property
    def strips(self) -> list[dict[str, Any]]:
        """P(S = s) of the first contenders: written in per cent, and a shade for each."""
        chances = self.main.distribution[self.order[:STRIPS]]
        shades = np.ceil(SHADES * chances / max(float(chances.max()), 1e-12)).astype(int)
        return [
            {
                "row": row,
                "cells": [
                    {"points": s, "text": _share(chance), "shade": shade}
                    for s, (chance, shade) in enumerate(zip(one, shade_of, strict=True))
                ],
            }
            for row, one, shade_of in zip(self.rows, chances.tolist(), shades.tolist(), strict=False)
        ]

    @cached_property
    def lines(self) -> list[Line]:
        """The traced tournament, most points first, then by Buchholz and Sonneborn-Berger."""
        table = self.result.crosstable
        if table is None:
            return []
        found = [
            Line(
                number=self.number[at],
                name=self.result.contenders[at],
                games=[self._game(at, number) for number in range(len(table.result[at]))],
                points=int(table.points[at, -1]) if table.points.shape[1] else 0,
                buchholz=int(table.buchholz[at]),
                sonneborn_berger=int(table.sonneborn_berger[at]),
                mean_buchholz=float(table.mean_buchholz[at]),
                mean_sonneborn_berger=float(table.mean_sonneborn_berger[at]),
            )
            for at in range(len(self.result.contenders))
        ]
        return sorted(found, key=lambda line: (-line.points, -line.buchholz, -line.sonneborn_berger, line.number))

    def _game(self, at: int, number: int) -> Game:
        table = self.result.crosstable
        assert table is not None  # noqa: S101 - only called with one
        letter, opponent = table.result[at][number], int(table.opponent[at, number])
        points = int(table.points[at, number])
        if letter in RESULTS:
            words = f"{RESULTS[letter]} {self.result.contenders[opponent]}, {points} after the round"
            return Game(letter, self.number[opponent], points, words)
        return Game(letter, None, points, "sits out, no point" if letter == "B" else "is out")

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """Number, benchmarks and, per elimination, the share that sits out; None after the last round played."""
        shares = [one.bye_share for one in self._all]
        return [
            {
                "number": at + 1,
                "benchmarks": ", ".join(names),
                "byes": [_bye(share[at]) if at < len(share) else None for share in shares],
            }
            for at, names in enumerate(self.result.rounds)
        ]

    @property
    def charts(self) -> dict[str, Any]:
        return tournament_figures.charts(self)

    @property
    def figures(self) -> list[CostFigure]:
        return tournament_figures.figures(self)


def signed(value: float, digits: int = 2) -> str:
    """With a minus that is as wide as a digit, and no sign for zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _bye(share: float) -> dict[str, Any]:
    return {"text": f"{100 * share:.0f}", "much": share > MUCH_BYE}


def _share(chance: float) -> str:
    """In per cent: nothing for never, and no rounding to never or always."""
    if chance in {0.0, 1.0}:
        return "100" if chance else ""
    return "<1" if chance < 0.005 else ">99" if chance > 0.995 else f"{100 * chance:.0f}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"
