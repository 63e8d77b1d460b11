"""The largest share of examples that one competing model moves by delta: attained from below, proven from above.

Below: conditional gradient (Frank-Wolfe steps to the border) on a smoothed count that sharpens step by step, from the
models at the ends of the ranges. Above: the ambiguity, or less where events exclude each other in pairs or in sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.linear.conflicts import clique_bound, excluding
from evaluation.analyses.linear.events import Events, Ranges, moved_share, probabilities
from evaluation.analyses.linear.joint import conflicts, heaviest
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.tables import Floats

STEPS = 25
WIDTHS = np.geomspace(0.15, 0.01, STEPS)  # of the smoothed step at delta, in probability
STARTS = 256
WORK = 6e7  # starts x rows x coefficients squared at most
ROUGH = 1e-6
ROUNDS = 8
NEAR = 1e-9


@dataclass(frozen=True, eq=False)
class Discrepancy:
    """low: attained by `model`, (k,) coefficients. high: proven. method: how the upper end was found."""

    low: float
    high: float
    model: Floats
    method: str


def bracketed(level: LevelSet, ranges: Ranges, delta: float, *, rounds: int = ROUNDS) -> Discrepancy:
    """Both ends. rounds: sets of events that are tried together, to bring the ends closer; 0 for none."""
    events = Events.possible(ranges, delta)
    low, model, seen = _attained(level, ranges, delta)
    ambiguity = ranges.ambiguity(delta)
    excluded = excluding(level, events, seen)
    cliques, bound = clique_bound(excluded, events.weight)
    high, method = (bound, "conflict cliques") if bound < ambiguity - NEAR else (ambiguity, "ambiguity")
    if rounds and high > low + NEAR:
        joint = heaviest(level, events, conflicts(excluded, cliques), rounds)
        if joint is not None:
            shares = moved_share(joint.models, ranges, delta)
            if shares.size and float(shares.max()) > low:
                low, model = float(shares.max()), joint.models[int(shares.argmax())]
            if joint.high < high - NEAR:
                high, method = joint.high, "sets of events, cut by proofs"
    return Discrepancy(low, max(low, high), model, method)


def _attained(level: LevelSet, ranges: Ranges, delta: float) -> tuple[float, Floats, Floats]:
    """Share, its model, and all models seen that move something: they show which events go together."""
    ends = np.concatenate([ranges.upper.points, ranges.lower.points])
    share = moved_share(ends, ranges, delta)
    rows, size = level.loss.rows.shape
    starts = int(np.clip(WORK / (rows * size**2), 16, STARTS))
    order = np.argsort(-share, kind="stable")
    models = ends[order[:starts]]
    best, model = float(share[order[0]]), models[0]
    seen = [ends[share > 0]]
    for width in WIDTHS.tolist():
        directions = _uphill(models, ranges, delta, width)
        useful = np.abs(directions).sum(axis=1) > 1e-300
        if not bool(useful.any()):
            break
        models = level.reach(directions[useful], ROUGH).points
        share = moved_share(models, ranges, delta)
        seen.append(models)
        if float(share.max()) > best:
            best, model = float(share.max()), models[int(share.argmax())]
    return best, model, np.concatenate(seen)


def _uphill(models: Floats, ranges: Ranges, delta: float, width: float) -> Floats:
    """(model, k) gradients of the smoothed share sum_i c_i s((|p_i - b_i| - delta) / width), s the logistic curve."""
    predicted = probabilities(models @ ranges.points.design.T)
    apart = predicted - ranges.predicted
    near = probabilities((np.abs(apart) - delta) / width)
    pull = near * (1 - near) * np.where(apart >= 0, 1.0, -1.0) * predicted * (1 - predicted)
    return np.asarray((pull * ranges.points.weights) @ ranges.points.design)
