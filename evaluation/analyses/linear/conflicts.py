"""Events that no single competing model brings about together, and the bound on their weight that follows.

Two events e and f exclude each other when, for some share t, t e + (1 - t) f cannot reach t times the one threshold
plus (1 - t) times the other: the furthest value in that direction is proven by `LevelSet.reach`. The shortfall is
concave in t, so bisection finds the best t. Of events that exclude each other pairwise (a clique) one at most happens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.linear.events import Events
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.tables import Floats

Flags = NDArray[np.bool_]
PAIRS = 3_000  # tested at most, the likeliest first: an untested pair counts as possible, which only loosens the bound
WORK = 3e10  # steps x rows x coefficients squared, after which no further pair is tested
PORTION = 500  # pairs tested together
ROUNDS = 12
ORDERS = 60
ROUGH = 1e-7


def excluding(level: LevelSet, events: Events, models: Floats) -> Flags:
    """(event, event) proven exclusion, symmetric. models: (m, k) feasible ones: what happens in one is possible."""
    size = len(events.weight)
    excluded: Flags = np.asarray(events.point[:, None] == events.point[None, :])
    np.fill_diagonal(excluded, False)
    if size < 2:
        return excluded
    together = _together(events, models)
    first, second = np.nonzero(np.triu(~together & ~excluded, 1))
    turned = events.directions @ level.change.T
    norms = np.linalg.norm(turned, axis=1)
    unit = Events(
        events.directions / norms[:, None], events.thresholds / norms, events.point, events.weight, events.opposite
    )
    likely = np.argsort(-_likelihood(level, turned / norms[:, None], unit.thresholds, first, second), kind="stable")
    pairs = np.stack([first, second], axis=1)[likely[:PAIRS]]
    for one, other in pairs[_all_shown(level, unit, pairs)].tolist():
        excluded[one, other] = excluded[other, one] = True
    return excluded


def _together(events: Events, models: Floats) -> Flags:
    """(event, event) whether some model brings about both."""
    happened = events.happen(models).astype(np.float32)
    return np.asarray(happened.T @ happened > 0)


def _likelihood(
    level: LevelSet, turned: Floats, thresholds: Floats, first: NDArray[np.intp], second: NDArray[np.intp]
) -> Floats:
    """(pair,) shortfall halfway between two events if the level set were its quadratic model."""
    between = turned[first] + turned[second]
    furthest = between @ level.center + np.sqrt(2 * level.epsilon) * np.linalg.norm(between, axis=1)
    return np.asarray(thresholds[first] + thresholds[second] - furthest)


def _all_shown(level: LevelSet, events: Events, pairs: NDArray[np.intp]) -> Flags:
    """(pair,) whether the exclusion is proven, for as many as the work allows."""
    found = np.zeros(len(pairs), dtype=np.bool_)
    rows, width = level.loss.rows.shape
    left = WORK / (rows * width**2)
    for start in range(0, len(pairs), PORTION):
        if left <= 0:
            break
        portion = slice(start, start + PORTION)
        found[portion], steps = _shown(level, events, pairs[portion])
        left -= steps
    return found


def _shown(level: LevelSet, events: Events, pairs: NDArray[np.intp]) -> tuple[Flags, int]:
    """(pair,) whether the exclusion is proven, and the steps that it took."""
    steps = 0
    found = np.zeros(len(pairs), dtype=np.bool_)
    open_ = np.arange(len(pairs))
    low, high = np.zeros(len(pairs)), np.ones(len(pairs))
    for _ in range(ROUNDS):
        if not open_.size:
            break
        share = ((low + high) / 2)[open_, None]
        one, other = pairs[open_].T
        mixed = share * events.directions[one] + (1 - share) * events.directions[other]
        asked = share[:, 0] * events.thresholds[one] + (1 - share[:, 0]) * events.thresholds[other]
        reach = level.reach(mixed, ROUGH)
        steps += reach.steps
        lacking = events.thresholds[one] - np.einsum("pk,pk->p", events.directions[one], reach.points)
        lacking_other = events.thresholds[other] - np.einsum("pk,pk->p", events.directions[other], reach.points)
        proven = reach.bound < asked - 1e-9 * np.abs(asked)
        possible = np.maximum(lacking, lacking_other) <= 0
        found[open_[proven]] = True
        upwards = lacking > lacking_other
        low[open_[upwards]], high[open_[~upwards]] = share[upwards, 0], share[~upwards, 0]
        open_ = open_[~proven & ~possible]
    return found, steps


def clique_bound(excluded: Flags, weight: Floats) -> tuple[list[list[int]], float]:
    """A partition of events into cliques, and the sum of each clique's largest weight: the best of some orders."""
    if not weight.size:
        return [], 0.0
    rng = np.random.default_rng(0)
    degree = excluded.sum(axis=1)
    best: tuple[list[list[int]], float] = ([], np.inf)
    for attempt in range(ORDERS):
        noise = rng.random(len(weight)) * (0.0 if attempt == 0 else 1.5 * max(1.0, float(degree.mean())))
        cliques = _partition(excluded, weight, degree + noise)
        total = float(sum(weight[clique].max() for clique in cliques))
        if total < best[1] - 1e-12:
            best = cliques, total
    return best


def _partition(excluded: Flags, weight: Floats, priority: Floats) -> list[list[int]]:
    """Greedy cliques: the event of the highest priority, then those that exclude all so far and most of the rest."""
    free = np.ones(len(weight), dtype=np.bool_)
    cliques = []
    while bool(free.any()):
        clique = [int(np.where(free, priority, -np.inf).argmax())]
        candidates = free & excluded[clique[0]]
        while bool(candidates.any()):
            inside = excluded[:, candidates].sum(axis=1) + 1e-6 * priority
            clique.append(int(np.where(candidates, inside, -np.inf).argmax()))
            candidates &= excluded[clique[-1]]
        free[clique] = False
        cliques.append(clique)
    return cliques
