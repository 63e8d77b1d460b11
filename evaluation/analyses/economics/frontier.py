"""Frontiers of cost-of-pass: the least per sample, who holds it, and what is lost without one contender or a family.

After "Cost-of-Pass: An Economic Framework for Evaluating Language Models", arXiv 2504.13359. All money is in USD per
sample; a value V is the MEAN over samples of per-sample minima, never the minimum of means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isinf, nan

import numpy as np

from evaluation.analyses.base import Frozen
from evaluation.tables import Floats, Integers

NOBODY = -1


@dataclass(frozen=True, eq=False)
class Frontier(Frozen):
    """Per sample. first, second: smallest and second smallest cost-of-pass, inf where there is none; holder: the row of
    the smallest, -1 where nobody passes. Equal smallest values make first and second equal."""

    first: Floats
    second: Floats
    holder: Integers


def frontier(value: Floats) -> Frontier:
    """value: (contender, sample) cost-of-pass; NaN (undefined) leaves the minimum as if it were not there."""
    samples = value.shape[1]
    first, second = np.full(samples, inf), np.full(samples, inf)
    holder = np.full(samples, NOBODY, dtype=np.int64)
    for row, own in enumerate(value):
        holder[own < first] = row
        np.fmin(second, np.fmax(first, own), out=second, where=~np.isnan(own))
        np.fmin(first, own, out=first)
    return Frontier(first, second, holder)


def least(rows: Iterable[Floats], samples: int) -> Floats:
    """(sample,) the smallest of some contenders' rows; inf without any."""
    found = np.full(samples, inf)
    for own in rows:
        np.fmin(found, own, out=found)
    return found


def benchmark_value(minima: Floats, expert: Floats | float = inf) -> float:
    """V: mean over samples of the smaller of frontier and expert. Left out, the expert is not there."""
    return float(np.minimum(minima, expert).mean())


def values_without(found: Frontier, expert: Floats, contenders: int) -> Floats:
    """(contender,) V after each contender alone left: only where it holds the frontier does the second step in."""
    now, then = np.minimum(found.first, expert), np.minimum(found.second, expert)
    held = np.isfinite(found.first)
    with np.errstate(invalid="ignore"):
        lost = np.bincount(found.holder[held], weights=(then - now)[held], minlength=contenders)
    return np.asarray((now.sum() + lost) / now.size)


def relative_gain(before: float, after: float) -> float:
    """(V before - V after) / V before; 1 where infinite became finite, 0 where there was nothing to gain.

    NaN where both are infinite.
    """
    if isinf(before):
        return nan if isinf(after) else 1.0
    return (before - after) / before if before > 0 else 0.0


def held(value: Floats, found: Frontier, expert: Floats) -> tuple[Integers, Integers]:
    """(contender,) on how many samples it has the smallest cost-of-pass, not above the expert; and alone so."""
    open_to_all = np.where(found.first <= expert, found.first, nan)
    alone = np.where(found.second > found.first, open_to_all, nan)
    shares = [((own == open_to_all).sum(), (own == alone).sum()) for own in value]
    counts = np.array(shares, dtype=np.int64)
    return counts[:, 0], counts[:, 1]


def dominated(quality: Floats, cost: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(contender,) somebody is at least as good for at most the cost, and better in one of them."""
    no_worse = (quality[None, :] >= quality[:, None]) & (cost[None, :] <= cost[:, None])
    better = (quality[None, :] > quality[:, None]) | (cost[None, :] < cost[:, None])
    return np.asarray((no_worse & better).any(axis=1))
