"""Bounds that no model within epsilon can pass: for any mu > 0, a.v <= (tau + max_v (mu a.v - F(v))) / mu.

The inner maximum is bounded from one point w, where F(v) - mu a.v has a gradient r that is small but not zero. Two
bounds hold, and the lower one counts: with a ridge R, r.R^-1 r / 2 beyond the value at w, by strong convexity; and
without any, by self-concordance of the logistic loss (Bach, "Self-concordant analysis for logistic regression",
arXiv 0910.4627): with lambda^2 = r.H^-1 r, q the largest norm of a row under H^-1 and x = lambda q < 1, at most
(x + (1 - x) log(1 - x)) / q^2 beyond it.
"""

from __future__ import annotations

import numpy as np

from evaluation.analyses.linear.loss import Loss
from evaluation.tables import Floats

GOOD = 1e-11  # of the first bound, in logits: below, the second is not asked


def upper_bounds(loss: Loss, ceiling: float, directions: Floats, points: Floats, multipliers: Floats) -> Floats:
    """(b,) proven maxima of a.w over F(w) <= ceiling; infinite where the multiplier proves nothing."""
    value, slope = loss.slopes(points)
    rest = slope - multipliers[:, None] * directions
    reached = np.einsum("bk,bk->b", directions, points)
    beyond = _by_ridge(loss, rest)
    usable = multipliers > 0
    loose = np.flatnonzero(usable & ~(beyond <= GOOD * multipliers))
    if loose.size:
        beyond[loose] = np.minimum(beyond[loose], _by_curvature(loss, points[loose], rest[loose]))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = reached + (ceiling - value + beyond) / multipliers
    return np.asarray(np.where(usable, found, np.inf))


def _by_ridge(loss: Loss, rest: Floats) -> Floats:
    """(b,) r.R^-1 r / 2, infinite without a ridge on every coefficient."""
    try:
        lower = np.linalg.cholesky(loss.penalty)
    except np.linalg.LinAlgError:
        return np.full(len(rest), np.inf)
    return np.asarray(0.5 * (np.linalg.solve(lower, rest.T) ** 2).sum(axis=0))


def _by_curvature(loss: Loss, points: Floats, rest: Floats) -> Floats:
    """(b,) the bound by self-concordance, infinite where the gradient is too large for it."""
    try:
        lower = np.linalg.cholesky(loss.exact_bends(points))
    except np.linalg.LinAlgError:
        return np.full(len(points), np.inf)
    inverse = np.linalg.inv(lower)
    longest = np.sqrt((np.matmul(inverse, loss.rows.T) ** 2).sum(axis=1).max(axis=1))
    share = np.linalg.norm(np.einsum("bij,bj->bi", inverse, rest), axis=1) * longest
    inside = np.minimum(share, 0.5)
    # Near 0 the difference loses all digits: its series is x^2/2 + x^3/6 + x^4/12 + ..., and the last term is doubled.
    series = inside**2 / 2 + inside**3 / 6 + inside**4 / 6
    exact = inside + (1 - inside) * np.log1p(-inside)
    bound = np.where(inside < 1e-3, series, exact) / longest**2
    return np.asarray(np.where(share <= 0.5, bound, np.inf))
