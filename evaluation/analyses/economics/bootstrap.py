"""Percentile intervals by redrawing samples, and inside every sample its attempts, with replacement.

Redrawn attempts come from pools: each pool holds several redraws of every sample, and a resample takes as many of
them, at random, as there are samples. With one attempt per sample there is nothing to redraw inside it and the pool is
the table itself. That a pool is finite widens intervals slightly (the attempts' share of the variance by a factor of
1 + 1/redraws), never narrows them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Frozen
from evaluation.analyses.economics.frontier import least
from evaluation.costs import CostTable, cells
from evaluation.tables import Floats, Integers

BLOCK = 1_000  # resamples that share a pool
CHUNK = 250  # resamples whose weights are held at once
POOLED = 48_000  # redrawn samples in a pool, about
FEWEST, MOST = 4, 64  # redraws of a sample in a pool


@dataclass(frozen=True, eq=False)
class Intervals(Frozen):
    """Low and high ends. frontier: (2,) of V with the expert; value, accuracy, cost: (contender, 2) of V({contender} +
    expert), accuracy and mean cost. NaN where there were no resamples, or too few that tell."""

    frontier: Floats
    value: Floats
    accuracy: Floats
    cost: Floats


def intervals(table: CostTable, expert: Floats, *, resamples: int, level: float, seed: int) -> Intervals:
    """expert: (sample,) USD. Without resamples all ends are NaN."""
    contenders = len(table.contenders)
    if resamples == 0:
        nothing = np.full((contenders, 2), np.nan)
        return Intervals(np.full(2, np.nan), nothing, nothing.copy(), nothing.copy())
    rng = np.random.default_rng(seed)
    drawn = np.concatenate(
        [_block(table, expert, min(BLOCK, resamples - start), rng) for start in range(0, resamples, BLOCK)]
    )
    drawn.sort(axis=0)  # order statistics, not interpolation: infinite values stay infinite
    tail = int((1 - level) / 2 * resamples)
    ends = drawn[[tail, resamples - 1 - tail]].T
    return Intervals(ends[0], *np.split(ends[1:], 3))


def _block(table: CostTable, expert: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """(resample, 1 + 3 contenders) statistics of resamples from one fresh pool."""
    samples, contenders = len(table.samples), len(table.contenders)
    attempts = table.correct.shape[2]
    redraws = 1 if attempts == 1 else int(np.clip(POOLED // samples, FEWEST, MOST))
    tables = [(table.correct, table.cost_usd)] if attempts == 1 else [_redrawn(table, rng) for _ in range(redraws)]
    pool = np.concatenate([_columns(correct, cost, expert) for correct, cost in tables])
    sums = np.concatenate(
        [_drawn_sums(pool, samples, min(CHUNK, resamples - start), rng) for start in range(0, resamples, CHUNK)]
    )
    means = sums[:, : 1 + contenders] / samples
    rates, costs, judged, priced = np.split(sums[:, 1 + contenders :], 4, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([means, rates / judged, costs / priced], axis=1)


def _drawn_sums(pool: Floats, samples: int, resamples: int, rng: np.random.Generator) -> Floats:
    """(resample, column) sums over as many rows of the pool as there are samples, drawn with replacement."""
    weights = np.empty((resamples, len(pool)))
    for row in weights:
        row[:] = np.bincount(rng.integers(0, len(pool), size=samples, dtype=np.int32), minlength=len(pool))
    constant = (pool == pool[0]).all(axis=0)
    plain = np.isfinite(pool).all(axis=0) & ~constant
    sums = np.empty((resamples, pool.shape[1]))
    sums[:, constant] = samples * pool[0, constant]
    sums[:, plain] = weights @ pool[:, plain]
    for column in np.flatnonzero(~constant & ~plain):  # where no expert bounds it, a value may be infinite
        unsolved = np.isinf(pool[:, column])
        sums[:, column] = np.where(weights @ unsolved > 0, np.inf, weights @ np.where(unsolved, 0.0, pool[:, column]))
    return sums


def _columns(correct: Floats, cost_usd: Floats, expert: Floats) -> Floats:
    """(sample, 1 + 5 contenders): the frontier, then values, rates, costs, and whether the last two are known."""
    found = cells(correct, cost_usd)
    judged, priced = ~np.isnan(found.rate), ~np.isnan(found.cost)
    minima = np.minimum(least(found.value, expert.size), expert)
    parts = [
        minima[None],
        np.fmin(found.value, expert),
        np.where(judged, found.rate, 0.0),
        np.where(priced, found.cost, 0.0),
        judged,
        priced,
    ]
    return np.ascontiguousarray(np.concatenate(parts, dtype=np.float64).T)


def _redrawn(table: CostTable, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """As many attempts per cell as were made, drawn from them with replacement; an undefined cell stays undefined."""
    right, price = table.correct, table.cost_usd
    made = ~(np.isnan(right) & np.isnan(price))
    count: Integers = made.sum(axis=2, dtype=np.int64)[:, :, None]
    order = np.argsort(~made, axis=2, kind="stable") if not bool(made.all()) else None
    if order is not None:
        right, price = np.take_along_axis(right, order, 2), np.take_along_axis(price, order, 2)
    slot = np.arange(right.shape[2])
    pick = (rng.random(right.shape, dtype=np.float32) * count).astype(np.int64)
    pick = np.minimum(pick, np.maximum(count - 1, 0))  # a float32 may round up to the count
    there = slot < count
    taken = [np.where(there, np.take_along_axis(values, pick, 2), np.nan) for values in (right, price)]
    for values, whole in zip(taken, (right, price), strict=True):
        broken = np.isnan(whole) & there
        values[broken.any(axis=2)] = np.nan
    return taken[0], taken[1]
