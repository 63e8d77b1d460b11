"""Cascades of any length: contenders in order of cost, each asked only where all before it were unsure.

The two-step cascade (routers.cascade) tries every pair; chains are too many for that. Their steps are chosen from the
dearest back, each the best continuation for the training samples as a whole (dynamic programming over the contenders of
FrugalGPT, arXiv 2305.05176): exact for one and two steps up to the thresholds on the grid, greedy beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.routes.plane import undominated
from evaluation.analyses.routes.routers import QUANTILES, Outcome, exchange_rates, split
from evaluation.errors import NotEnoughData
from evaluation.routes import RouteTable
from evaluation.tables import Floats, Integers

MOST = 12  # contenders in a chain; of more, those on the front that are farthest apart in cost


@dataclass(frozen=True)
class Step:
    """Ask `row`; go on to step `next` where its confidence is below `threshold` (-inf: it is the last)."""

    row: int
    threshold: float
    next: int


def chain(table: RouteTable, parts: list[Integers]) -> Outcome:
    """Every contender that was asked is paid for. Raises NotEnoughData without everybody's confidence."""
    sure = table.confidence
    if sure is None or bool(np.isnan(sure).any()):
        raise NotEnoughData("A cascade needs every contender's confidence.", field="confidence")
    rates, size = exchange_rates(table), len(table.samples)
    score, cost = np.empty((rates.size, size)), np.empty((rates.size, size))
    asked = np.zeros((rates.size, len(table.contenders)))
    for test, train in split(parts, size):
        rows = _candidates(table, train)
        for at, rate in enumerate(rates.tolist()):
            steps = learned_chain(table, sure, rows, train, rate)
            score[at, test], cost[at, test] = _followed(table, sure, steps, test, asked[at])
    return Outcome("chain", score, cost, asked / size)


def _candidates(table: RouteTable, train: Integers) -> list[int]:
    """The training part's front, cheapest first."""
    front = undominated(table.cost_usd[:, train].mean(axis=1), table.score[:, train].mean(axis=1))
    return [int(front[at]) for at in np.unique(np.linspace(0, front.size - 1, MOST).round().astype(int))]


def learned_chain(table: RouteTable, confidence: Floats, rows: list[int], train: Integers, rate: float) -> list[Step]:
    """The steps in the order in which they are asked, for one exchange rate between score and dollars."""
    found: list[Step] = []
    values = np.empty((len(rows), train.size))  # of a sample that arrives here, to the chain's end
    for at in reversed(range(len(rows))):
        row = rows[at]
        own = table.score[row, train]
        step, best = Step(row, -np.inf, at), own
        sure = confidence[row, train]
        levels, order = np.unique(np.quantile(sure, QUANTILES[1:])), sure.argsort(kind="stable")
        below = sure[order].searchsorted(levels)  # samples that each threshold passes on, least sure first
        for later in range(at + 1, len(rows)):
            gained = np.r_[0.0, np.cumsum((values[later] - own)[order])][below]
            pick = int(gained.argmax())
            if gained[pick] / train.size > best.mean() - own.mean():
                best = np.where(sure < levels[pick], values[later], own)
                step = Step(row, float(levels[pick]), later)
        values[at] = best - rate * table.cost_usd[row, train]
        found.insert(0, step)
    first = int(values.mean(axis=1).argmax())
    return _reachable(found, first)


def _reachable(steps: list[Step], first: int) -> list[Step]:
    """Those of a chain that begins here, without what it jumps over."""
    chosen = [steps[first]]
    while chosen[-1].threshold > -np.inf:
        chosen.append(steps[chosen[-1].next])
    return chosen


def _followed(
    table: RouteTable, confidence: Floats, steps: list[Step], test: Integers, asked: Floats
) -> tuple[Floats, Floats]:
    """Score and cost of each sample; `asked` counts them by contender."""
    score, cost = np.empty(test.size), np.zeros(test.size)
    left = np.arange(test.size)
    for step in steps:
        here = test[left]
        score[left] = table.score[step.row, here]
        cost[left] += table.cost_usd[step.row, here]
        asked[step.row] += left.size
        left = left[confidence[step.row, here] < step.threshold]
    return score, cost
