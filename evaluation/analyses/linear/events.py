"""What counts for discrepancy: the prediction of an example moves by at least delta, upwards or downwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.linear.level_set import Reach
from evaluation.analyses.linear.loss import Points
from evaluation.tables import Floats, Integers


def probabilities(scores: Floats) -> Floats:
    """Of label 1, from scores in logits; no overflow."""
    small = np.exp(-np.abs(scores))
    return np.asarray(np.where(scores < 0, small, 1.0) / (1 + small))


def logits(shares: Floats) -> Floats:
    """The scores of probabilities; infinite at 0 and 1 and beyond."""
    inside = np.clip(shares, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(inside) - np.log1p(-inside))


@dataclass(frozen=True, eq=False)
class Ranges:
    """upper, lower: how far a.w and -a.w reach for each point's design a; predicted: (point,) of the baseline."""

    points: Points
    upper: Reach
    lower: Reach
    predicted: Floats

    @property
    def low(self) -> Floats:
        """(point,) least probability of label 1 of a competing model."""
        return np.minimum(probabilities(-self.lower.value), self.predicted)

    @property
    def high(self) -> Floats:
        """(point,) largest probability."""
        return np.maximum(probabilities(self.upper.value), self.predicted)

    def ambiguous(self, delta: float) -> NDArray[np.bool_]:
        """(point,) whether some competing model's probability is at least delta from the baseline's."""
        return np.asarray(np.maximum(self.high - self.predicted, self.predicted - self.low) >= delta)

    def ambiguity(self, delta: float) -> float:
        """The share of examples that are."""
        return min(1.0, float(self.points.weights[self.ambiguous(delta)].sum()))


@dataclass(frozen=True, eq=False)
class Events:
    """Those that some model may reach: directions (e, k), thresholds (e,): it happens where direction.w >= threshold.

    point: (e,) the example; weight: (e,) its share. opposite: (e,) largest value of -direction.w, proven.
    """

    directions: Floats
    thresholds: Floats
    point: Integers
    weight: Floats
    opposite: Floats

    @classmethod
    def possible(cls, ranges: Ranges, delta: float) -> Events:
        """All that the proven bounds admit."""
        design, predicted = ranges.points.design, ranges.predicted
        ups, downs = logits(predicted + delta), -logits(predicted - delta)
        reached_up, reached_down = ranges.upper.bound >= ups, ranges.lower.bound >= downs
        up = np.flatnonzero(reached_up & np.isfinite(ups))
        down = np.flatnonzero(reached_down & np.isfinite(downs))
        point = np.concatenate([up, down])
        return cls(
            directions=np.concatenate([design[up], -design[down]]),
            thresholds=np.concatenate([ups[up], downs[down]]),
            point=point,
            weight=ranges.points.weights[point],
            opposite=np.concatenate([ranges.lower.bound[up], ranges.upper.bound[down]]),
        )

    def happen(self, models: Floats) -> NDArray[np.bool_]:
        """(model, event) for (model, k) coefficients."""
        return np.asarray(models @ self.directions.T >= self.thresholds)


def moved_share(models: Floats, ranges: Ranges, delta: float) -> Floats:
    """(model,) share of examples whose probability is at least delta from the baseline's."""
    apart = np.abs(probabilities(models @ ranges.points.design.T) - ranges.predicted)
    return np.asarray((apart >= delta) @ ranges.points.weights)
