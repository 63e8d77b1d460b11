"""How far the models within epsilon of the baseline reach in a direction, with a proof that none reaches further.

Each direction is a convex problem, max a.w subject to F(w) <= tau. Many are solved at once: at each step the loss is
replaced by its quadratic model, whose furthest point is known in closed form, inside a region where the model holds.
Directions that do not settle are solved by bisection along the path of w(mu) = argmin F(w) - mu a.w, which cannot fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from evaluation.analyses.linear.fitting import Baseline
from evaluation.analyses.linear.loss import Loss
from evaluation.analyses.linear.path import along_path
from evaluation.analyses.linear.proof import upper_bounds
from evaluation.tables import Floats, Integers

# A step moves no row's score by more: enough for most, then far for nearly separable data, then with care.
TRUSTED = (8.0,) * 6 + (64.0,) * 40 + (16.0,) * 60 + (4.0,) * 200
BLOCK = 32_768  # directions x rows at a time: what the processor's cache holds
TOLERANCE = 1e-12
ROUNDING = 2e-16


@dataclass(frozen=True, eq=False)
class Reach:
    """points: (b, k) feasible coefficients, original coordinates. value: (b,) a.w there; bound: proven maximum.

    hard: directions that had to go the slow way. steps: of all directions together, the measure of the work.
    """

    points: Floats
    value: Floats
    bound: Floats
    hard: int = 0
    steps: int = 0

    @property
    def gap(self) -> Floats:
        """(b,) how much further the proof admits, in logits; not negative."""
        return np.asarray(np.maximum(self.bound - self.value, 0.0))


@dataclass(frozen=True, eq=False)
class LevelSet:
    """All w with F(w) <= floor + epsilon, in coordinates in which the loss curves alike in all directions.

    center: (k,) the baseline there. change: (k, k), w = change^T v leads back.
    """

    loss: Loss
    center: Floats
    floor: float
    epsilon: float
    change: Floats

    @classmethod
    def around(cls, baseline: Baseline, epsilon: float) -> LevelSet:
        """The level set of a baseline; the second derivative at its center is the identity."""
        lower = np.linalg.cholesky(_balanced(baseline.loss.exact_bend(baseline.coefficients)))
        change = np.linalg.inv(lower)
        loss = baseline.loss.moved(change)
        center = lower.T @ baseline.coefficients
        return cls(loss, center, float(loss.values(center[None, :])[0]), epsilon, change)

    @property
    def ceiling(self) -> float:
        """tau: the largest loss of a competing model."""
        return self.floor + self.epsilon

    def within(self, epsilon: float) -> LevelSet:
        """The same with another epsilon."""
        return replace(self, epsilon=epsilon)

    def reach(self, directions: Floats, tolerance: float = TOLERANCE) -> Reach:
        """The furthest feasible points in (b, k) directions of the original coordinates."""
        turned = directions @ self.change.T
        size = max(8, BLOCK // len(self.loss.rows))
        found = [self._block(turned[start : start + size], tolerance) for start in range(0, len(turned), size)]
        return Reach(
            points=np.concatenate([one.points for one in found]) @ self.change,
            value=np.concatenate([one.value for one in found]),
            bound=np.concatenate([one.bound for one in found]),
            hard=sum(one.hard for one in found),
            steps=sum(one.steps for one in found),
        )

    def _block(self, directions: Floats, tolerance: float) -> Reach:
        points, multipliers, hard, steps = _climbed(self, directions, tolerance)
        for row in hard.tolist():
            found = along_path(self.loss, directions[row], self.center, self.floor, self.epsilon)
            points[row], multipliers[row] = found
        bound = upper_bounds(self.loss, self.ceiling, directions, points, multipliers)
        points = self._inside(points)
        return Reach(points, np.einsum("bk,bk->b", directions, points), bound, len(hard), steps)

    def _inside(self, points: Floats) -> Floats:
        """Points a rounding error outside are drawn towards the center until they are feasible."""
        away = points - self.center
        length = np.ones(len(points))
        for _ in range(60):
            excess = self.loss.values(self.center + length[:, None] * away) - self.floor
            outside = excess > self.epsilon
            if not bool(outside.any()):
                break
            shrink = np.sqrt(self.epsilon / np.maximum(excess, self.epsilon)) * (1 - 1e-15)
            length = np.where(outside, length * shrink, length)
        return np.asarray(self.center + length[:, None] * away)


def _climbed(level: LevelSet, directions: Floats, tolerance: float) -> tuple[Floats, Floats, Integers, int]:
    """(b, k) places, (b,) multipliers, which directions did not settle, and the steps of all of them."""
    loss, ceiling = level.loss, level.ceiling
    close = max(tolerance * level.epsilon, ROUNDING * (1 + abs(ceiling)))
    norms = np.linalg.norm(directions, axis=1)
    first = directions * (np.sqrt(2 * level.epsilon) / norms)[:, None]
    points = level.center + _trusted(loss, first, TRUSTED[0])[:, None] * first
    multipliers = np.sqrt(2 * level.epsilon) / norms
    active = np.arange(len(directions))
    steps = 0
    for trusted in TRUSTED:
        here, ahead = points[active], directions[active]
        steps += active.size
        value, slope, bend = loss.bends(here)
        try:
            solved = np.linalg.solve(bend, np.stack([slope, ahead], axis=-1))
        except np.linalg.LinAlgError:
            break
        back, forth = solved[..., 0], solved[..., 1]
        gain = np.einsum("bk,bk->b", ahead, forth)
        fall = np.einsum("bk,bk->b", slope, back)
        cross = np.einsum("bk,bk->b", slope, forth)
        multipliers[active] = cross / gain
        bent = np.maximum(fall - cross**2 / gain, 0)
        done = (np.abs(value - ceiling) <= close) & (bent <= close) & (cross > 0)
        room = np.maximum(2 * (ceiling - value) + fall, 0)
        step = np.sqrt(room / gain)[:, None] * forth - back
        moved = here + _trusted(loss, step, trusted)[:, None] * step
        points[active] = np.where(done[:, None], here, moved)
        active = active[~done]
        if not active.size:
            break
    return points, multipliers, active, steps


def _trusted(loss: Loss, steps: Floats, limit: float) -> Floats:
    """(b,) share of each step that moves no row's score by more than the quadratic model can be trusted with."""
    furthest = np.abs(steps @ loss.rows.T).max(axis=1)
    return np.asarray(np.minimum(1.0, limit / np.maximum(furthest, 1e-300)))


def _balanced(bend: Floats) -> Floats:
    return (bend + bend.T) / 2
