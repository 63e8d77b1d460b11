"""The level set: which contenders compete with the baseline, and how its report grows with epsilon."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np

from evaluation.analyses.base import Frozen
from evaluation.answers import AnswerTable, Flags
from evaluation.bits import Words, counts, differing
from evaluation.errors import BadTable
from evaluation.paired import binary_differences
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import two_sided

METRICS = ("accuracy", "log-loss", "brier")
ROUNDING = 1e-9
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Level(Frozen):
    """Every contender's distance to the baseline in the metric; positive is worse than the baseline.

    inside: competes by the point estimate (accuracies by integer counts). low, high: 95 % paired interval of the
    deficit. verdict: "in" when the interval ends within epsilon, "out" when it begins beyond, else "undecided".
    """

    deficit: Floats
    low: Floats
    high: Floats
    inside: Flags
    verdict: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Curve(Frozen):
    """A report as its bound grows: exact at each step. size: competitors, without the baseline."""

    at: Floats
    size: Integers
    ambiguity: Floats
    discrepancy: Floats


def losses(table: AnswerTable, metric: str) -> Floats:
    """(contender, sample) what the metric charges: 1 for a wrong answer, nats, or squared distance to the truth."""
    if metric == "accuracy":
        return np.asarray(~table.correct, dtype=np.float64)
    if table.probabilities is None or bool((table.gold < 0).any()):
        raise BadTable(
            f"The metric {metric} needs probabilities, and a known right answer to each sample.", field="metric"
        )
    if metric == "log-loss":
        right = np.take_along_axis(table.probabilities, table.gold[None, :, None], axis=2)[:, :, 0]
        return np.asarray(-np.log(np.maximum(right, TINY)))
    truth = np.eye(len(table.choices))[table.gold]
    return np.asarray(((table.probabilities - truth) ** 2).sum(axis=2))


def level_of(table: AnswerTable, baseline: int, metric: str, epsilon: float) -> Level:
    """The level set of one baseline."""
    n = len(table.samples)
    if metric == "accuracy":
        right = table.correct.sum(axis=1, dtype=np.int64)
        wins = (table.correct[baseline] & ~table.correct).sum(axis=1, dtype=np.int64)
        behind = right[baseline] - right
        found = binary_differences(wins, wins - behind, n)
        deficit, inside = behind / n, behind <= floor(epsilon * n + ROUNDING)
        low, high = found.interval()
    else:
        charged = losses(table, metric)
        change = charged - charged[baseline]
        deficit, inside = change.mean(axis=1), change.mean(axis=1) <= epsilon + ROUNDING
        half = two_sided(0.95) * (change.std(axis=1, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(change), np.inf))
        low, high = deficit - half, deficit + half
    low[baseline] = high[baseline] = 0.0
    verdict = np.where(high <= epsilon, "in", np.where(low > epsilon, "out", "undecided"))
    return Level(deficit, low, high, np.asarray(inside), tuple(verdict.tolist()))


def epsilon_curve(words: Words, baseline: int, deficit: Floats, n: int) -> Curve:
    """Ambiguity and discrepancy at every epsilon at which a contender joins."""
    flips = differing(words, baseline)
    order = [row for row in np.argsort(deficit, kind="stable").tolist() if row != baseline]
    steps: dict[float, tuple[int, float, float]] = {0.0: (0, 0.0, 0.0)}
    union, largest, moved = np.zeros(flips.shape[1], dtype=np.uint64), 0, counts(flips)
    for size, row in enumerate(order, start=1):
        union |= flips[row]
        largest = max(largest, int(moved[row]))
        steps[max(0.0, float(deficit[row]))] = (size, int(counts(union)) / n, largest / n)
    sizes, ambiguity, discrepancy = zip(*steps.values(), strict=True)
    return Curve(np.array(list(steps)), np.array(sizes), np.array(ambiguity), np.array(discrepancy))
