"""One tournament written down as the rules read, to check the fast one against. No plan, no arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random


def play_once(places: Sequence[Sequence[int]], eliminations: Sequence[int], rng: Random) -> tuple[list[int], list[int]]:
    """Points and byes of every contender. places: (round, contender), larger wins."""
    contenders = len(places[0])
    points, byes = [0] * contenders, [0] * contenders
    active = set(range(contenders))
    for strength, leaving in zip(places, eliminations, strict=True):
        if len(active) <= 1:
            break
        for group in groups_of(active, points).values():
            rng.shuffle(group)
            if len(group) % 2:
                byes[group.pop()] += 1
            for first, second in zip(group[::2], group[1::2], strict=True):
                if strength[first] == strength[second]:
                    winner = rng.choice((first, second))
                else:
                    winner = first if strength[first] > strength[second] else second
                points[winner] += 1
        for _ in range(min(leaving, len(active))):
            lowest = groups_of(active, points)
            active.remove(rng.choice(lowest[min(lowest)]))
    return points, byes


def groups_of(active: set[int], points: Sequence[int]) -> dict[int, list[int]]:
    """Active contenders by points."""
    groups = defaultdict(list)
    for contender in sorted(active):
        groups[points[contender]].append(contender)
    return groups
