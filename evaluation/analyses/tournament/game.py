"""One field of contenders and rounds, and the answer of a tournament on it: exact where it is small, else simulated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from evaluation.analyses.tournament.exact import LARGEST, exact_answer
from evaluation.analyses.tournament.plan import seat_plan
from evaluation.analyses.tournament.rounds import Places, Strengths
from evaluation.analyses.tournament.simulation import simulate
from evaluation.tables import Floats, Integers

Schedule = tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """Per contender: E[S], its standard error, (contender, s) P(S = s), expected byes."""

    expected: Floats
    standard_error: Floats
    distribution: Floats
    byes: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Game:
    """What all tournaments share. Contenders stand in a canonical order, so that the table's order changes nothing.

    position: (contender,) where each one stands in the table; answers are in the table's order.
    """

    strengths: Strengths
    position: Integers
    iterations: int
    seed: int
    may_be_exact: bool
    processes: int = 1

    @property
    def exact(self) -> bool:
        """Whether answers are exact."""
        return self.may_be_exact and self.position.size <= LARGEST[0] and len(self.strengths) <= LARGEST[1]

    def reordered(self, order: Iterable[int]) -> Game:
        """The same field with its rounds in another order."""
        return replace(self, strengths=tuple(self.strengths[number] for number in order))

    def answer(self, eliminate: Schedule, iterations: int, stream: tuple[int, ...]) -> Answer:
        """The tournament with these eliminations; `stream` separates simulations that must be independent."""
        return self._exact(eliminate) if self.exact else self._simulated(eliminate, iterations, stream)

    def _exact(self, eliminate: Schedule) -> Answer:
        places = [strength for strength in self.strengths if isinstance(strength, Places)]
        answer = exact_answer(places, eliminate, self.position.size)
        levels = int(seat_plan(self.position.size, eliminate).points.max()) + 1
        back = np.argsort(self.position)
        expected = np.array(answer.expected, dtype=np.float64)[back]
        distribution = np.array(answer.points, dtype=np.float64)[back, :levels]
        return Answer(expected, np.zeros_like(expected), distribution, np.array(answer.byes, dtype=np.float64)[back])

    def _simulated(self, eliminate: Schedule, iterations: int, stream: tuple[int, ...]) -> Answer:
        tally = simulate(
            seat_plan(self.position.size, eliminate),
            self.strengths,
            iterations,
            self.seed,
            stream=(*stream, *eliminate),
            processes=self.processes,
        )
        back = np.argsort(self.position)
        points, byes = self._pooled(tally.points)[back], self._pooled(tally.byes)[back]
        levels = np.arange(points.shape[1])
        expected = (points @ levels) / iterations
        variance = (points * (levels - expected[:, None]) ** 2).sum(axis=1) / (iterations - 1)
        return Answer(expected, np.sqrt(variance / iterations), points / iterations, byes / iterations)

    def _pooled(self, counts: Integers) -> Floats:
        """Counts averaged over contenders with equal places in every round: equals get equal numbers.

        They have the same distribution by symmetry; their mean has at most the error of one of them.
        """
        fixed = [one.places for one in self.strengths if isinstance(one, Places)]
        if len(fixed) < len(self.strengths):
            return counts.astype(np.float64)
        _, kind = np.unique(np.array(fixed).T, axis=0, return_inverse=True)
        total = np.zeros((int(kind.max()) + 1, *counts.shape[1:]))
        np.add.at(total, kind, counts)
        members = np.bincount(kind).reshape(-1, *[1] * (counts.ndim - 1))
        return np.asarray((total / members)[kind])
