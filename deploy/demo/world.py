"""A small synthetic world: sums, invented capitals, letter series and sorting. The same seed gives the same world.

A language model trained on its text for a few seconds knows some of it and not all: it has seen most sums but none of
the held-out ones, and it has read about rare towns a few times only. So entries of different size really differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
STEPS = (1, 2, 3, 5, 7)  # of letter series
LARGEST = 60  # summands are smaller than this
TOWNS, CAPITALS, HELD_OUT = 1024, 64, 700
SHARES = {"sum": 0.45, "capital": 0.35, "series": 0.10, "sort": 0.10}  # of the training text
ZIPF = 0.6  # the town of rank r is mentioned in proportion to r ** -ZIPF

Pair = tuple[int, int]


@dataclass(frozen=True)
class World:
    """capitals: town -> its capital, most mentioned first. held_out: sums that no training text holds."""

    capitals: dict[str, str]
    seen: tuple[Pair, ...]
    held_out: tuple[Pair, ...]


def build_world(seed: int = 0) -> World:
    """Draw names, facts and the split of the sums."""
    rng = np.random.default_rng(seed)
    towns, capitals = _names(rng, TOWNS, syllables=3), _names(rng, CAPITALS, syllables=2)
    facts = {town: capitals[int(index)] for town, index in zip(towns, rng.integers(CAPITALS, size=TOWNS), strict=True)}
    order = rng.permutation(LARGEST * LARGEST).tolist()
    pairs = tuple(divmod(number, LARGEST) for number in order)
    return World(facts, seen=pairs[HELD_OUT:], held_out=pairs[:HELD_OUT])


def stories(world: World, seed: int, count: int) -> Iterator[str]:
    """`count` short documents of question and answer, as the training text and the tokenizer's sample have them."""
    rng = np.random.default_rng(seed)
    towns = list(world.capitals)
    weights = np.arange(1, len(towns) + 1) ** -ZIPF
    kinds = rng.choice(list(SHARES), size=count, p=list(SHARES.values()))
    mentioned = rng.choice(len(towns), size=count, p=weights / weights.sum())
    numbers = rng.integers(2**31, size=(count, 2))
    for kind, town, (first, second) in zip(kinds.tolist(), mentioned.tolist(), numbers.tolist(), strict=True):
        if kind == "sum":
            left, right = world.seen[first % len(world.seen)]
            question, answer = sum_question(left, right), str(left + right)
        elif kind == "capital":
            question, answer = capital_question(towns[town]), world.capitals[towns[town]]
        elif kind == "series":
            question, answer = series_question(first % 26, STEPS[second % len(STEPS)])
        else:
            question, answer = sort_question("".join(rng.choice(list(LETTERS), size=4, replace=False)))
        yield f"Q: {question}\nA: {answer}\n"


def sum_question(left: int, right: int) -> str:
    """A sum in digits."""
    return f"{left}+{right}"


def capital_question(town: str) -> str:
    """The question for a town's capital."""
    return f"capital of {town}"


def series_question(start: int, step: int) -> tuple[str, str]:
    """Four letters at equal distance (cyclic), and the fifth."""
    letters = [LETTERS[(start + place * step) % 26] for place in range(5)]
    return f"next {' '.join(letters[:4])}", letters[4]


def sort_question(letters: str) -> tuple[str, str]:
    """Letters in disorder, and in order."""
    return f"sort {' '.join(letters)}", " ".join(sorted(letters))


def _names(rng: np.random.Generator, count: int, syllables: int) -> list[str]:
    """Distinct pronounceable names."""
    names: dict[str, None] = {}
    while len(names) < count:
        parts = zip(
            rng.integers(len(CONSONANTS), size=syllables), rng.integers(len(VOWELS), size=syllables), strict=True
        )
        names["".join(CONSONANTS[first] + VOWELS[second] for first, second in parts)] = None
    return list(names)
