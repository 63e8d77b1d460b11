"""The exact answer for small tournaments: a dynamic programme over (points, who is active), in fractions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations

from evaluation.analyses.tournament.rounds import Places

State = tuple[tuple[int, ...], frozenset[int]]
States = dict[State, Fraction]
Chances = dict[frozenset[int], Fraction]
Group = tuple[int, ...]

LARGEST = (8, 4)  # contenders, rounds: below a second
ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class ExactAnswer:
    """points[contender][s] = P(S = s); byes[contender] = expected number of byes."""

    points: tuple[tuple[Fraction, ...], ...]
    byes: tuple[Fraction, ...]

    @property
    def expected(self) -> tuple[Fraction, ...]:
        """E[S] per contender."""
        return tuple(sum((s * chance for s, chance in enumerate(row)), Fraction()) for row in self.points)


def exact_answer(strengths: Sequence[Places], eliminations: Sequence[int], contenders: int) -> ExactAnswer:
    """The distribution of points and the expected byes, over all pairings, coins and eliminations."""
    byes = [Fraction()] * contenders
    states: States = {((0,) * contenders, frozenset(range(contenders))): ONE}
    for strength, leaving in zip(strengths, eliminations, strict=True):
        _add_byes(states, byes)
        states = _after_round(states, _Rule(tuple(strength.places.tolist())), leaving)
    return ExactAnswer(_distribution(states, contenders, len(strengths)), tuple(byes))


def _add_byes(states: States, byes: list[Fraction]) -> None:
    """Add the chance of sitting out the coming round."""
    for (points, active), chance in states.items():
        for group in _groups(points, active) if len(active) > 1 else ():
            if len(group) % 2:
                for contender in group:
                    byes[contender] += chance / len(group)


def _after_round(states: States, rule: _Rule, leaving: int) -> States:
    """The states after one round and its eliminations; a state with at most one active contender is final."""
    after: defaultdict[State, Fraction] = defaultdict(Fraction)
    for (points, active), chance in states.items():
        if len(active) <= 1:
            after[points, active] += chance
            continue
        for winners, likely in _joint(rule, _groups(points, active)):
            scored = tuple(s + (contender in winners) for contender, s in enumerate(points))
            for gone, drawn in _eliminated(scored, active, leaving):
                after[scored, active - gone] += chance * likely * drawn
    return after


class _Rule:
    """Who wins in one round; remembers each group, which comes back in many states."""

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places = places
        self.winners = cache(self._winners)

    def _winners(self, group: Group) -> Chances:
        """Chance of each set of winners of a group: the first meets each other one equally often, or has the bye."""
        if len(group) < 2:
            return {frozenset(): ONE}
        first, *others = group
        chances: defaultdict[frozenset[int], Fraction] = defaultdict(Fraction)
        for position, other in enumerate(others):
            rest = self.winners(tuple(others[:position] + others[position + 1 :]))
            for winner, likely in self._winner(first, other):
                for set_of_rest, chance in rest.items():
                    chances[set_of_rest | {winner}] += likely * chance
        weight = Fraction(1, len(group) if len(group) % 2 else len(others))
        met = {winners: chance * weight for winners, chance in chances.items()}
        if len(group) % 2:
            for winners, chance in self.winners(tuple(others)).items():
                met[winners] = met.get(winners, Fraction()) + chance * weight
        return met

    def _winner(self, first: int, second: int) -> list[tuple[int, Fraction]]:
        if self.places[first] == self.places[second]:
            return [(first, Fraction(1, 2)), (second, Fraction(1, 2))]
        return [(first if self.places[first] > self.places[second] else second, ONE)]


def _groups(points: tuple[int, ...], active: frozenset[int]) -> list[Group]:
    """Active contenders with equal points, from the lowest group upwards."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for contender in sorted(active):
        groups[points[contender]].append(contender)
    return [tuple(groups[s]) for s in sorted(groups)]


def _joint(rule: _Rule, groups: Sequence[Group]) -> Iterator[tuple[frozenset[int], Fraction]]:
    """Groups play independently of each other."""
    if not groups:
        yield frozenset(), ONE
        return
    for winners, chance in rule.winners(groups[0]).items():
        for others, likely in _joint(rule, groups[1:]):
            yield winners | others, chance * likely


def _eliminated(points: tuple[int, ...], active: frozenset[int], leaving: int) -> list[tuple[frozenset[int], Fraction]]:
    """Chance of each set of eliminated: whole lowest groups, then a uniform subset of the next."""
    gone: frozenset[int] = frozenset()
    for group in _groups(points, active):
        left = leaving - len(gone)
        if left < len(group):
            subsets = list(combinations(group, left))
            return [(gone | frozenset(subset), Fraction(1, len(subsets))) for subset in subsets]
        gone |= frozenset(group)
    return [(gone, ONE)]


def _distribution(states: dict[State, Fraction], contenders: int, rounds: int) -> tuple[tuple[Fraction, ...], ...]:
    table = [[Fraction()] * (rounds + 1) for _ in range(contenders)]
    for (points, _), chance in states.items():
        for contender, s in enumerate(points):
            table[contender][s] += chance
    return tuple(tuple(row) for row in table)
