"""Replays of a search on complete scores: what spending one way or the other would have found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.analyses.searching.bounds import Spending, leaders, spend, spend_evenly, sums_at
from evaluation.analyses.searching.stopping import chance_of_another, surely_best
from evaluation.tables import Floats, Integers

MEMORY = 2**24  # running sums held at a time


@dataclass(frozen=True)
class Plan:
    """What a replay does. budgets: cells at which the leader is noted, growing, the last one is the whole budget.

    uniform: every contender gets the same samples. stop_error: error rate of early stopping, 0 for none.
    """

    budgets: Integers
    spending: Spending
    uniform: bool
    stop_error: float


@dataclass(frozen=True)
class Replay:
    """found: (budget,) the leader at each one. counts: (contender,) samples asked in the end. chance_wrong: what the
    replay itself says of its last leader. stop: (cells, leader) where it stopped early, else None."""

    found: Integers
    counts: Integers
    chance_wrong: float
    stop: tuple[int, int] | None


def replays(scores: Floats, plan: Plan, seeds: int, seed: int) -> Iterator[Replay]:
    """One per seed, each with its own random order of samples, which all contenders share.

    scores: (contender, sample), complete. The replays of a chunk advance together, chunks bound the memory.
    """
    contenders, size = scores.shape
    chunk = max(1, MEMORY // (contenders * (size + 1)))
    for start in range(0, seeds, chunk):
        numbers = range(start, min(seeds, start + chunk))
        orders = [np.random.default_rng([seed, number]).permutation(size) for number in numbers]
        shuffled = np.stack([scores[:, order] for order in orders])
        totals = np.concatenate([np.zeros((len(orders), contenders, 1)), np.cumsum(shuffled, axis=2)], axis=2)
        history = _history(totals, plan)
        for at in range(len(orders)):
            yield _one(shuffled[at], [counts[at] for counts in history], plan)


def _history(totals: Floats, plan: Plan) -> list[Integers]:
    """(replay, contender) counts at each budget."""
    if plan.uniform:
        return [spend_evenly(totals, int(cells)) for cells in plan.budgets]
    return spend(totals, plan.budgets, plan.spending)


def _one(scores: Floats, history: list[Integers], plan: Plan) -> Replay:
    totals = np.concatenate([np.zeros((len(scores), 1)), np.cumsum(scores, axis=1)], axis=1)[None]
    found = np.array([int(leaders(sums_at(totals, counts[None]), counts[None])[0]) for counts in history])
    last = history[-1]
    return Replay(found, last, chance_of_another(scores, last, int(found[-1])), _stop(scores, history, found, plan))


def _stop(scores: Floats, history: list[Integers], found: Integers, plan: Plan) -> tuple[int, int] | None:
    """The first of the noted budgets at which the leader is surely the best."""
    if not plan.stop_error:
        return None
    for cells, counts, leader in zip(plan.budgets.tolist(), history, found.tolist(), strict=True):
        if surely_best(scores, counts, leader, plan.stop_error):
            return cells, leader
    return None
