"""Routers: who is asked, at every exchange rate between quality and money, judged on samples they never saw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.analyses.routes import predictors
from evaluation.analyses.routes.plane import undominated
from evaluation.analyses.routes.predictors import Predictor
from evaluation.errors import NotEnoughData
from evaluation.routes import RouteTable
from evaluation.tables import Floats, Integers

RATES = 21  # exchange rates between quality and money, from "money is nothing" to "money is all"
QUANTILES = np.linspace(0, 1, 21)
EXPLORE = 0.5  # LinUCB's alpha
Policy = tuple[int, int, float]  # first, second, and the confidence of the first below which the second is asked


@dataclass(frozen=True, eq=False)
class Outcome:
    """A router's doing: score, cost_usd: (rate, sample) on samples it had not seen. asked: (rate, contender) share of
    the samples on which each contender was asked."""

    name: str
    score: Floats
    cost_usd: Floats
    asked: Floats


def exchange_rates(table: RouteTable) -> Floats:
    """Score points given up per dollar saved: 0, then a geometric series around the table's own scale, then infinity
    in all but name."""
    cost = table.cost_usd.mean(axis=1)
    spread = float(cost.max() - cost.min())
    scale = 1.0 / spread if spread > 0 else 1.0
    return np.array([0.0, *(scale * np.geomspace(1e-3, 1e2, RATES - 2)), scale * 1e6])


def folds(table: RouteTable, count: int, seed: int, leave_out: bool) -> list[Integers]:
    """Test parts that cover all samples once. leave_out: a whole category at a time, never seen in training."""
    size = len(table.samples)
    if leave_out:
        names = np.array(table.categories)
        return [np.flatnonzero(names == name) for name in dict.fromkeys(table.categories)]
    if size < 2 * count:
        raise NotEnoughData(f"{size} samples are too few for {count} folds.", field="folds", remedy="Use fewer folds.")
    return [np.sort(part) for part in np.array_split(np.random.default_rng(seed).permutation(size), count)]


def learned(table: RouteTable) -> dict[str, Predictor]:
    """The predictors that the table has the columns for."""
    found: dict[str, Predictor] = {"single": predictors.everywhere}
    if table.categories:
        found["category"] = predictors.by_category
    if table.prompts:
        found |= {
            "neighbours": predictors.by_neighbours,
            "cluster": predictors.by_cluster,
            "regression": predictors.by_regression,
        }
    return found


def route(table: RouteTable, name: str, predict: Predictor, parts: list[Integers]) -> Outcome:
    """At each rate the contender with the highest predicted score - rate x predicted cost; ties to the cheaper."""
    rates = exchange_rates(table)
    chosen = np.empty((rates.size, len(table.samples)), dtype=np.int64)
    for test, train in split(parts, len(table.samples)):
        score, cost = predict(table, train, test)
        for at, rate in enumerate(rates.tolist()):
            value = score - rate * cost
            best = value >= value.max(axis=0) - 1e-12
            chosen[at, test] = np.where(best, cost, np.inf).argmin(axis=0)
    return _outcome(table, name, chosen)


def cascade(table: RouteTable, parts: list[Integers]) -> Outcome:
    """Ask a cheap contender first and a dearer one where its confidence is below a threshold (FrugalGPT, arXiv
    2305.05176). Pair and threshold are those that did best on the training part at the rate; both are paid for."""
    sure = table.confidence
    if sure is None or bool(np.isnan(sure).any()):
        raise NotEnoughData("A cascade needs every contender's confidence.", field="confidence")
    rates, size = exchange_rates(table), len(table.samples)
    score, cost = np.empty((rates.size, size)), np.empty((rates.size, size))
    asked = np.zeros((rates.size, len(table.contenders)))
    for test, train in split(parts, size):
        policies = list(_policies(table, sure, train))
        means = np.array(
            [[values[train].mean() for values in _followed(table, sure, policy)[:2]] for policy in policies]
        )
        picks = (means[:, 0] - rates[:, None] * means[:, 1]).argmax(axis=1)
        for at, pick in enumerate(picks.tolist()):
            own, paid, second = _followed(table, sure, policies[pick])
            score[at, test], cost[at, test] = own[test], paid[test]
            first, other, _ = policies[pick]
            asked[at, first] += test.size
            asked[at, other] += second[test].sum()
    return Outcome("cascade", score, cost, asked / size)


def bandit(table: RouteTable, seed: int) -> Outcome:
    """LinUCB (Li et al., 2010) with one-hot categories, replayed: only the score of the contender it asks is told.

    One pass over the samples in a random order, at every rate; its scores are those of the whole pass, learning paid.
    """
    rates, size = exchange_rates(table), len(table.samples)
    _, category = np.unique(np.array(table.categories or ("",) * size), return_inverse=True)
    shape = (rates.size, int(category.max()) + 1, len(table.contenders))
    count, score_sum, cost_sum = np.ones(shape), np.zeros(shape), np.zeros(shape)
    chosen, rows = np.empty((rates.size, size), dtype=np.int64), np.arange(rates.size)
    for at in np.random.default_rng(seed).permutation(size).tolist():
        seen = count[:, category[at]]
        value = (score_sum[:, category[at]] - rates[:, None] * cost_sum[:, category[at]]) / seen + EXPLORE / seen**0.5
        pick = value.argmax(axis=1)
        chosen[:, at] = pick
        count[rows, category[at], pick] += 1
        score_sum[rows, category[at], pick] += table.score[pick, at]
        cost_sum[rows, category[at], pick] += table.cost_usd[pick, at]
    return _outcome(table, "bandit", chosen)


def split(parts: list[Integers], size: int) -> Iterator[tuple[Integers, Integers]]:
    """(test, train) of each part: what is judged, and all the rest to learn from."""
    for test in parts:
        train = np.setdiff1d(np.arange(size), test)
        if not train.size:
            raise NotEnoughData("Nothing is left to learn from.", field="categories", remedy="Give two categories.")
        yield test, train


def _outcome(table: RouteTable, name: str, chosen: Integers) -> Outcome:
    columns = np.arange(len(table.samples))
    asked = np.stack([(chosen == row).mean(axis=1) for row in range(len(table.contenders))], axis=1)
    return Outcome(name, table.score[chosen, columns], table.cost_usd[chosen, columns], asked)


def _policies(table: RouteTable, confidence: Floats, train: Integers) -> Iterator[Policy]:
    """For all pairs on the training part's front; -inf asks the first one alone."""
    front = undominated(table.cost_usd[:, train].mean(axis=1), table.score[:, train].mean(axis=1)).tolist()
    for place, first in enumerate(front):
        yield first, first, -np.inf
        for second in front[place + 1 :]:
            for threshold in np.unique(np.quantile(confidence[first, train], QUANTILES[1:])).tolist():
                yield first, second, threshold


def _followed(table: RouteTable, confidence: Floats, policy: Policy) -> tuple[Floats, Floats, Floats]:
    """Per sample: score, cost, and 1 where the second contender was asked too."""
    first, second, threshold = policy
    unsure = (confidence[first] < threshold) & (first != second)
    score = np.where(unsure, table.score[second], table.score[first])
    cost = table.cost_usd[first] + np.where(unsure, table.cost_usd[second], 0.0)
    return score, cost, unsure.astype(np.float64)
