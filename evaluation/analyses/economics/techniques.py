"""Inference-time techniques as contenders: what voting over stored attempts is worth beside plain single attempts.

A technique's gain is (V(L) - V(L with the technique)) / V(L). One that was run as contenders of their own (self-refine,
best of n) needs nothing here: put them into a family, whose essentialness is that same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation import repeats
from evaluation.analyses.economics.frontier import benchmark_value, least, relative_gain
from evaluation.costs import CostTable
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import Floats


@dataclass(frozen=True, slots=True)
class TechniqueGain:
    """value: V of all contenders and of each with the technique. gain: relative, of adding it. accuracy: mean over the
    contenders and samples where it is defined; undefined: pairs of contender and sample where it is not."""

    name: str
    value: float
    gain: float
    accuracy: float
    undefined: int


def parse_votes(text: str) -> tuple[int, ...]:
    """“3,5” as numbers of votes. Raises BadParameter."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= 64 for part in parts):
        remedy = "Write whole numbers from 1 to 64, such as “3,5”."
        raise BadParameter(f"“{text}” is not a list of numbers of votes.", field="votes", remedy=remedy)
    return tuple(dict.fromkeys(int(part) for part in parts))


def technique_gains(
    table: CostTable, frontier: Floats, expert: Floats, votes: str, best_of: bool
) -> tuple[TechniqueGain, ...]:
    """frontier, expert: (sample,) USD. Raises NotEnoughData where answers or rewards are not stored."""
    asked = parse_votes(votes)
    if (asked or best_of) and table.answers is None:
        remedy = "Give the column “answer”."
        raise NotEnoughData("Voting needs the answers of the attempts.", field="votes", remedy=remedy)
    found = []
    if table.answers is not None:
        stored = (table.answers, table.correct, table.cost_usd)
        found = [(f"majority of {k}", repeats.majority_vote(*stored, k)) for k in asked]
        if best_of:
            if table.reward is None:
                remedy = "Give the column “reward”."
                raise NotEnoughData("Best-of-Majority needs a reward of each attempt.", field="best_of", remedy=remedy)
            found.append(("Best-of-Majority", repeats.best_of_majority(*stored, table.reward)))
    before = benchmark_value(frontier, expert)
    return tuple(_gain(name, one, frontier, expert, before) for name, one in found)


def _gain(name: str, one: repeats.Technique, frontier: Floats, expert: Floats, before: float) -> TechniqueGain:
    after = benchmark_value(np.minimum(frontier, least(one.value, expert.size)), expert)
    known = ~np.isnan(one.value)
    accuracy = float(one.rate[known].mean()) if bool(known.any()) else float("nan")
    return TechniqueGain(name, after, relative_gain(before, after), accuracy, int((~known).sum()))
