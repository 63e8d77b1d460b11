"""Who met whom: one tournament in full, and the opponents' points averaged over many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.base import Frozen
from evaluation.analyses.tournament.plan import Plan
from evaluation.analyses.tournament.simulation import Strength, first_seats, generator, play
from evaluation.tables import Floats, Integers

CELLS = 2_000_000  # contender x round x simulation kept at once
BYE, OUT = -1, -2


@dataclass(frozen=True, eq=False)
class Crosstable(Frozen):
    """One seeded tournament, and tie-break figures of every contender.

    opponent: (contender, round) position of the opponent in `contenders`; -1 where there was none.
    result: one text per contender, a letter per round: W won, L lost, B bye (no point), - eliminated or over.
    points: (contender, round) points after the round.
    buchholz: final points of all opponents, added up; sonneborn_berger: only of those that were beaten.
    mean_buchholz, mean_sonneborn_berger: the same, averaged over `simulations` tournaments.
    """

    opponent: Integers
    result: tuple[str, ...]
    points: Integers
    buchholz: Integers
    sonneborn_berger: Integers
    mean_buchholz: Floats
    mean_sonneborn_berger: Floats
    simulations: int


@dataclass(frozen=True, eq=False, slots=True)
class Trace:
    """Everything that happened. opponent: (round, contender, simulation), -1 bye, -2 out; won: same shape."""

    opponent: NDArray[np.int32]
    won: NDArray[np.bool_]

    @property
    def points(self) -> Integers:
        """(contender, simulation) final points."""
        return np.asarray(self.won.sum(axis=0, dtype=np.int64))

    def opponents_points(self, *, beaten_only: bool) -> Integers:
        """(contender, simulation) final points of the opponents, added up."""
        points = self.points
        total = np.zeros_like(points)
        for opponent, won in zip(self.opponent, self.won, strict=True):
            counted = won if beaten_only else opponent >= 0
            total += np.where(counted, np.take_along_axis(points, np.maximum(opponent, 0), axis=0), 0)
        return total


def trace(plan: Plan, strengths: Sequence[Strength], simulations: int, seed: int, stream: tuple[int, ...]) -> Trace:
    """Play a few tournaments and keep every game."""
    shape = (len(plan.rounds), plan.contenders, simulations)
    opponent, won = np.full(shape, OUT, dtype=np.int32), np.zeros(shape, dtype=np.bool_)
    seats = first_seats(plan.contenders, simulations)
    for number, played in enumerate(play(plan, strengths, seats, generator(seed, *stream))):
        winners, losers, byes = (who.astype(np.int32) for who in (played.winners, played.losers, played.byes))
        np.put_along_axis(opponent[number], winners, losers, axis=0)
        np.put_along_axis(opponent[number], losers, winners, axis=0)
        np.put_along_axis(opponent[number], byes, BYE, axis=0)
        np.put_along_axis(won[number], winners, True, axis=0)
    return Trace(opponent, won)


def crosstable(
    plan: Plan, strengths: Sequence[Strength], order: Integers, iterations: int, seed: int, stream: tuple[int, ...]
) -> Crosstable:
    """The first of at most `iterations` traced tournaments, and means over all of them.

    order: (contender,) position in the result of each contender of the plan.
    """
    cells = max(1, plan.contenders * len(plan.rounds))
    kept = trace(plan, strengths, min(iterations, max(16, min(4096, CELLS // cells))), seed, stream)
    back = np.argsort(order)
    opponent, won = kept.opponent[:, back, 0].T, kept.won[:, back, 0].T
    buchholz = kept.opponents_points(beaten_only=False)[back]
    sonneborn_berger = kept.opponents_points(beaten_only=True)[back]
    return Crosstable(
        opponent=np.where(opponent >= 0, order[np.maximum(opponent, 0)], -1),
        result=tuple("".join(map(_letter, *row)) for row in zip(opponent.tolist(), won.tolist(), strict=True)),
        points=won.cumsum(axis=1, dtype=np.int64),
        buchholz=buchholz[:, 0].copy(),
        sonneborn_berger=sonneborn_berger[:, 0].copy(),
        mean_buchholz=buchholz.mean(axis=1),
        mean_sonneborn_berger=sonneborn_berger.mean(axis=1),
        simulations=kept.won.shape[2],
    )


def _letter(opponent: int, won: bool) -> str:
    if opponent < 0:
        return "B" if opponent == BYE else "-"
    return "W" if won else "L"
