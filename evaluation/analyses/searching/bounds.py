"""UCB-E: spend the next batch on the contender that could still be the best (arXiv 2407.06172; Audibert et al., 2010).

Everything here is vectorised over replays: axis 0 is the replay (a seed, or the one live job), axis 1 the contender.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.tables import Floats, Integers


@dataclass(frozen=True)
class Spending:
    """How a budget is spent. exploration: UCB-E's a, larger asks more widely. batch: samples per decision."""

    exploration: float = 1.0
    batch: int = 32


def upper_bounds(sums: Floats, counts: Integers, size: int, exploration: float) -> Floats:
    """(replay, contender) mean + sqrt(a / n): infinite before the first sample, minus infinity after the last one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = sums / counts + np.sqrt(exploration / counts)
    return np.where(counts == 0, np.inf, np.where(counts >= size, -np.inf, bound))


def leaders(sums: Floats, counts: Integers) -> Integers:
    """(replay,) contender with the highest mean; among equals the one asked most, then the first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(counts == 0, -np.inf, sums / counts)
    best = mean == mean.max(axis=1, keepdims=True)
    return np.asarray(np.where(best, counts, -1).argmax(axis=1))


def sums_at(totals: Floats, counts: Integers) -> Floats:
    """(replay, contender) sums of the first scores. totals: (replay, contender, N + 1) running sums, 0 first."""
    return np.take_along_axis(totals, counts[:, :, None], axis=2)[:, :, 0]


def spend(totals: Floats, budgets: Integers, spending: Spending) -> list[Integers]:
    """(replay, contender) samples asked once each of the growing `budgets` (cells) is spent, by UCB-E.

    totals: running sums of scores in each replay's one order of samples, as `sums_at` takes them. The decisions are
    the same whatever budgets are noted: a batch that a budget ends goes on where it was left.
    """
    replays, contenders, size = totals.shape[0], totals.shape[1], totals.shape[2] - 1
    rows, everything = np.arange(replays), contenders * size
    counts, sums = np.zeros((replays, contenders), dtype=np.int64), np.zeros((replays, contenders))
    chosen, pending = np.zeros(replays, dtype=np.int64), np.zeros(replays, dtype=np.int64)
    spent, noted = np.zeros(replays, dtype=np.int64), []
    for budget in np.minimum(budgets, everything).tolist():
        while bool((spent < budget).any()):
            fresh = pending == 0
            if bool(fresh.any()):
                asked = upper_bounds(sums[fresh], counts[fresh], size, spending.exploration).argmax(axis=1)
                chosen[fresh] = asked
                pending[fresh] = np.minimum(spending.batch, size - counts[rows[fresh], asked])
            step = np.minimum(pending, budget - spent)
            counts[rows, chosen] += step
            pending -= step
            spent += step
            sums[rows, chosen] = totals[rows, chosen, counts[rows, chosen]]
        noted.append(counts.copy())
    return noted


def spend_evenly(totals: Floats, cells: int) -> Integers:
    """(replay, contender) counts when every contender gets the same samples, and the first ones what is left over."""
    replays, contenders, size = totals.shape[0], totals.shape[1], totals.shape[2] - 1
    share, rest = divmod(min(cells, contenders * size), contenders)
    return np.tile(share + (np.arange(contenders) < rest), (replays, 1))
