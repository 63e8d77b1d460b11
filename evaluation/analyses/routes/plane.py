"""The plane of mean cost (USD per sample) and quality (mean score): fronts, hulls and areas under them."""

from __future__ import annotations

import numpy as np

from evaluation.tables import Floats, Integers

EQUAL = 1e-12


def undominated(cost: Floats, quality: Floats) -> Integers:
    """Positions of the points that nobody beats at the same or a lower cost, cheapest first; of equals the first."""
    kept: list[int] = []
    best = -np.inf
    for at in np.lexsort((np.arange(cost.size), -quality, cost)).tolist():
        if quality[at] > best + EQUAL:
            kept.append(at)
            best = quality[at]
    return np.array(kept, dtype=np.int64)


def hull(cost: Floats, quality: Floats) -> Integers:
    """Positions of the corners of the smallest concave, non-decreasing curve above all points, cheapest first.

    Between two corners lies what mixing the two at random gives: the "zero router" of RouterBench (arXiv 2403.12031).
    Points on an edge are corners too: they need no mixing.
    """
    corners: list[int] = []
    for at in undominated(cost, quality).tolist():
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            above = (quality[b] - quality[a]) * (cost[at] - cost[a]) - (quality[at] - quality[a]) * (cost[b] - cost[a])
            if above >= -EQUAL:
                break
            corners.pop()
        corners.append(at)
    return np.array(corners, dtype=np.int64)


def height(cost: Floats, quality: Floats, at: Floats) -> Floats:
    """The hull's quality at these costs; beyond its last corner it stays. Below its first one it is NaN."""
    corners = hull(cost, quality)
    value = np.interp(at, cost[corners], quality[corners])
    return np.where(at < cost[corners[0]] - EQUAL, np.nan, value)


def average_quality(cost: Floats, quality: Floats, low: float, high: float) -> float:
    """AIQ: the mean height of the hull between two costs, 1 / (high - low) times its integral (RouterBench divides so
    in its text; a public script divides by `high`). The hull begins at `low`; NaN where low = high."""
    if high <= low:
        return float("nan")
    corners = hull(cost, quality)
    stops = np.unique(np.clip(np.r_[low, cost[corners], high], low, high))
    return float(np.trapezoid(height(cost, quality, stops), stops)) / (high - low)


def oracle(score: Floats, cost: Floats) -> tuple[float, float]:
    """(mean score, mean cost) of always asking the best contender, the cheapest among the best."""
    best = score.max(axis=0)
    price = np.where(score >= best - EQUAL, cost, np.inf).min(axis=0)
    return float(best.mean()), float(price.mean())
