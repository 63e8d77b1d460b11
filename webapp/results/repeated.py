"""What several attempts at a sample are worth: pass@k, pass^k and majority voting, from stored attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from django.db.models import QuerySet

from evaluation.costs import CostTable, cells
from evaluation.errors import EvaluationError
from evaluation.repeats import majority_vote, pass_at_k, pass_hat_k
from evaluation.tables import Floats
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.results.cost_table import cost_table

DEEPEST = 16  # votes that are counted exactly on a page


@dataclass(frozen=True)
class RepeatedContender:
    """Shares for each k of `Repeats.k`, over the same samples for every k; NaN where unknown.

    samples: those with the most attempts, of which every k can be told. at_least_one: pass@k; all_of_them: pass^k;
    majority: of k votes.
    """

    name: str
    attempts: int
    samples: int
    at_least_one: tuple[float, ...]
    all_of_them: tuple[float, ...]
    majority: tuple[float, ...]


@dataclass(frozen=True)
class Repeats:
    """k: numbers of attempts, 1 first. contenders: those with more than one attempt at some sample."""

    k: tuple[int, ...]
    contenders: tuple[RepeatedContender, ...]


def repeats(runs: QuerySet[Run]) -> Repeats | None:
    """Of these finished runs; None where every sample was tried once, or where scores are no passes."""
    asked = list(runs.order_by("pk").values_list("pk", "settings"))
    if all(attempts_of(settings) == 1 for _, settings in asked):
        return None
    try:
        table = cost_table([pk for pk, _ in asked])
    except EvaluationError:
        return None
    depth = table.correct.shape[2]
    if depth < 2:
        return None
    steps = tuple(sorted({1, *(k for k in (2, 3, 5, 8) if k < depth), min(depth, DEEPEST)}))
    rows = [_contender(table, row, steps) for row in range(len(table.contenders))]
    return Repeats(steps, tuple(row for row in rows if row.attempts > 1))


def _contender(table: CostTable, row: int, steps: Sequence[int]) -> RepeatedContender:
    right = table.correct[row]
    free = np.where(np.isnan(right), nan, 0.0)  # shares do not depend on what an attempt cost
    found = cells(right[None], free[None])
    most = int(found.attempts[0].max())
    whole = ~np.isnan(found.passes[0]) & (found.attempts[0] == most)
    passes, made = found.passes[0][whole], found.attempts[0][whole]
    votes = [nan] * len(steps)
    if table.answers is not None:
        votes = [_mean(majority_vote(table.answers[row][whole], right[whole], free[whole], k).rate) for k in steps]
    return RepeatedContender(
        name=table.contenders[row],
        attempts=most,
        samples=int(whole.sum()),
        at_least_one=tuple(_mean(pass_at_k(passes, made, k)) for k in steps),
        all_of_them=tuple(_mean(pass_hat_k(passes, made, k)) for k in steps),
        majority=tuple(votes),
    )


def _mean(shares: Floats) -> float:
    """Over the samples that have enough attempts."""
    known = shares[~np.isnan(shares)]
    return float(known.mean()) if known.size else nan
