"""The plan of seats that every simulation of a tournament shares.

Each pair has exactly one winner, so the SIZES of the points groups never depend on who wins. Number the seats from
the lowest points to the highest, retired contenders in front: then which seats play each other, and on which seats
winners and losers sit down afterwards, is known before the first game. Only who sits where is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.tables import Integers


@dataclass(frozen=True, slots=True)
class Draw:
    """Exchange a uniformly drawn seat of low .. high - 1 with the seat `target`, one of them."""

    low: int
    high: int
    target: int


@dataclass(frozen=True, eq=False, slots=True)
class RoundPlan:
    """One round, in seats. After `draws`, `first` plays `second`; the rest describes where everyone sits down.

    active: contenders still playing. retired: seats 0 .. retired - 1 do not move.
    first, second, winner, loser: (pair,) seats. bye_from, bye_to: (bye,) seats of those who sit out.
    eliminations: draws afterwards, which bring the eliminated to the front of their group.
    """

    active: int
    retired: int
    draws: tuple[Draw, ...]
    first: Integers
    second: Integers
    winner: Integers
    loser: Integers
    bye_from: Integers
    bye_to: Integers
    eliminations: tuple[Draw, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """All rounds that are played, and the final points of each seat, lowest active last.

    points: (seat,) the same in every simulation. Fewer rounds than asked for when at most one contender is left.
    """

    contenders: int
    rounds: tuple[RoundPlan, ...]
    points: Integers

    @property
    def bye_share(self) -> tuple[float, ...]:
        """Share of the active contenders that sit out, per round."""
        return tuple(len(one.bye_from) / one.active for one in self.rounds)

    @property
    def rank_of_points(self) -> Integers:
        """(points,) competition rank of a contender that ends with s points: 1 + how many end with more."""
        levels = np.arange(int(self.points.max()) + 1)
        return np.asarray(1 + (self.points[None, :] > levels[:, None]).sum(axis=1, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Group:
    """Active contenders with equal points, on the seats low .. high - 1."""

    points: int
    low: int
    high: int

    @property
    def size(self) -> int:
        return self.high - self.low


def seat_plan(contenders: int, eliminations: Sequence[int]) -> Plan:
    """The plan for as many rounds as there are eliminations; stops when at most one contender is active."""
    groups = [Group(0, 0, contenders)]
    rounds: list[RoundPlan] = []
    retired: list[int] = []
    for leaving in eliminations:
        if contenders - len(retired) <= 1:
            break
        seated = _seated(groups, len(retired))
        staying, gone, draws = _eliminate(seated, leaving)
        rounds.append(_round(groups, seated, len(retired), contenders, draws))
        groups, retired = staying, retired + gone
    points = retired + [group.points for group in groups for _ in range(group.size)]
    return Plan(contenders, tuple(rounds), np.array(points, dtype=np.int64))


def _seated(groups: Sequence[Group], start: int) -> list[Group]:
    """The groups after the round: losers and byes keep their points, winners join the group above."""
    sizes: dict[int, int] = {}
    for group in groups:
        winners = group.size // 2
        sizes[group.points] = sizes.get(group.points, 0) + group.size - winners
        if winners:
            sizes[group.points + 1] = sizes.get(group.points + 1, 0) + winners
    seated = []
    for points in sorted(sizes):
        seated.append(Group(points, start, start + sizes[points]))
        start += sizes[points]
    return seated


def _eliminate(groups: Sequence[Group], leaving: int) -> tuple[list[Group], list[int], tuple[Draw, ...]]:
    """Who stays, the points of those who leave, and the draws that choose them, from the lowest group upwards."""
    staying: list[Group] = []
    gone: list[int] = []
    draws: list[Draw] = []
    for group in groups:
        count = min(leaving - len(gone), group.size)
        if count < group.size:
            staying.append(Group(group.points, group.low + count, group.high))
            draws += [Draw(seat, group.high, seat) for seat in range(group.low, group.low + count)]
        gone += [group.points] * count
    return staying, gone, tuple(draws)


def _round(
    groups: Sequence[Group], seated: Sequence[Group], retired: int, contenders: int, eliminations: tuple[Draw, ...]
) -> RoundPlan:
    """Pairs, byes and destinations; inside a group the matching is a Fisher-Yates shuffle cut into pairs."""
    free = {group.points: group.low for group in seated}
    draws: list[Draw] = []
    pairs: list[tuple[int, int]] = []
    byes: list[tuple[int, int]] = []
    losers: list[int] = []
    winners: list[int] = []
    sizes = {group.points: group.size for group in groups}
    for group in groups:
        half, odd = divmod(group.size, 2)
        top = group.high - odd
        if odd and half:
            draws.append(Draw(group.low, group.high, top))
        draws += [Draw(group.low, seat, seat - 1) for seat in range(top - 1, group.low + 1, -2)]
        pairs += [(seat, seat - 1) for seat in range(top - 1, group.low, -2)]
        below = free[group.points]
        losers += range(below, below + half)
        if odd:
            byes.append((top, below + half))
        above = free.get(group.points + 1, 0) + (sizes.get(group.points + 1, 0) + 1) // 2
        winners += range(above, above + half)
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    bye_from, bye_to = np.array(byes, dtype=np.int64).reshape(-1, 2).T
    to = np.array([winners, losers], dtype=np.int64)
    active = contenders - retired
    return RoundPlan(active, retired, tuple(draws), first, second, to[0], to[1], bye_from, bye_to, eliminations)
