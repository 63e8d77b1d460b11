"""The slow way that always arrives: the multiplier mu at which w(mu) = argmin F(w) - mu a.w meets the level set.

F(w(mu)) grows with mu, so that a bracket and Brent's method find it; each w(mu) is a convex minimum without
constraint.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from evaluation.analyses.linear.loss import Loss
from evaluation.tables import Floats

INNER = 100
FACTOR = 4.0  # of a bracket's growth
NO_MINIMUM = 30.0  # stands for an infinite logarithm
LENGTHS = 0.5 ** np.arange(30)


@dataclass
class Path:
    """w(mu) for one direction; each search starts at the furthest feasible point that was found."""

    loss: Loss
    direction: Floats
    floor: float
    epsilon: float
    feasible: Floats

    def at(self, multiplier: float) -> tuple[Floats, bool]:
        """w(mu), and whether there is one."""
        return _least(self.loss, self.direction, multiplier, self.feasible)

    def excess(self, logarithm: float) -> float:
        """log((F(w(mu)) - floor) / epsilon) at log mu: 0 on the border of the level set."""
        point, settled = self.at(np.exp(logarithm))
        if not settled:
            return NO_MINIMUM
        excess = float(self.loss.values(point[None, :])[0]) - self.floor
        if excess <= self.epsilon:
            self.feasible = point
        return log(max(excess / self.epsilon, 1e-13))


def along_path(loss: Loss, direction: Floats, center: Floats, floor: float, epsilon: float) -> tuple[Floats, float]:
    """The furthest point and its multiplier."""
    from scipy.optimize import brentq

    path = Path(loss, direction, floor, epsilon, center)
    low = high = log(sqrt(2 * epsilon) / float(np.linalg.norm(direction)))
    while path.excess(low) > 0:
        low -= log(FACTOR)
    while path.excess(high) < 0:
        high += log(FACTOR)
    found = brentq(path.excess, low, high, xtol=1e-15, rtol=4 * np.finfo(np.float64).eps) if low < high else low
    multiplier = float(np.exp(found))
    return path.at(multiplier)[0], multiplier


def _least(loss: Loss, direction: Floats, multiplier: float, start: Floats) -> tuple[Floats, bool]:
    """Damped Newton for F(w) - mu a.w, and whether it settled; it does not where there is no minimum."""
    at = start
    for _ in range(INNER):
        value, slope = loss.slopes(at[None, :])
        rest = slope[0] - multiplier * direction
        step = np.linalg.lstsq(loss.exact_bend(at), -rest, rcond=1e-15)[0]
        decrement = float(-rest @ step)
        if decrement < 1e-24 + 1e-18 * float(value[0]):
            return at, True
        tried = at + LENGTHS[:, None] * step
        aims = loss.values(tried) - multiplier * (tried @ direction)
        aim = float(value[0] - multiplier * (direction @ at))
        good = aims <= aim - 1e-4 * LENGTHS * decrement + 1e-16 * abs(aim)
        if not bool(good.any()):
            return at, decrement < 1e-14
        at = tried[good.argmax()]
    return at, False
