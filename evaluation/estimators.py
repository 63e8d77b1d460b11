"""How good is one contender on N samples, from the few that were asked? Unbiased estimates with intervals.

Scores are losses or correctness alike: any finite numbers, one per sample. Each estimate states n, N and its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike

from evaluation.errors import BadParameter, NotEnoughData
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import two_sided

FOLDS, RIDGE = 5, 10.0


@dataclass(frozen=True, slots=True)
class Estimated:
    """A mean over N samples from n of them; the interval is Student's, from -inf to inf where n tells no spread."""

    value: float
    standard_error: float
    low: float
    high: float
    n: int
    size: int


def lure_weights(chances: ArrayLike, size: int) -> Floats:
    """v_m of LURE (Active Testing, arXiv 2103.05331). chances: q_m with which the m-th sample was drawn from those that
    remained, in the order drawn; size: N. Drawing all N gives 1 throughout. Raises BadParameter outside 0 < q <= 1."""
    q = np.asarray(chances, dtype=np.float64)
    if q.size == 0 or q.size > size:
        raise NotEnoughData(f"{q.size} draws from {size} samples.", field="samples")
    if not bool(((q > 0) & (q <= 1)).all()):
        raise BadParameter("A sample is drawn with a probability above 0 and at most 1.", field="chances")
    if q.size == size:
        return np.ones(size)
    m = np.arange(1, q.size + 1)
    return np.asarray(1 + (size - q.size) / (size - m) * (1 / ((size - m + 1) * q) - 1))


def lure(values: ArrayLike, chances: ArrayLike, size: int, level: float = 0.95) -> Estimated:
    """LURE's estimate of the mean over all N samples from M that were drawn one by one, the m-th with probability q_m.

    values, chances: (M,) in the order drawn. It is a weighted mean of M estimates that are each unbiased given what
    was drawn before (their weights c_m sum to 1), so its error is the root of the sum of c_m^2 times their squared
    distances from it.
    """
    y, q = np.asarray(values, dtype=np.float64), np.asarray(chances, dtype=np.float64)
    n = y.size
    estimate = float((lure_weights(q, size) * y).mean())
    if n == size:
        return Estimated(estimate, 0.0, estimate, estimate, n, size)
    m = np.arange(1, n + 1)
    single = y / (size * q) + (np.cumsum(y) - y) / size
    share = size * (size - n) / ((size - m) * (size - m + 1)) / n
    return _with_interval(estimate, float(((share * (single - estimate)) ** 2).sum()), n, size, level)


def random_mean(values: ArrayLike, size: int, level: float = 0.95) -> Estimated:
    """The plain mean of n samples drawn at random without replacement from N."""
    y = np.asarray(values, dtype=np.float64)
    if y.size == 0:
        raise NotEnoughData("A mean of no samples.", field="samples")
    variance = float(y.var(ddof=1)) / y.size * (1 - y.size / size) if y.size > 1 else 0.0
    return _with_interval(float(y.mean()), variance, y.size, size, level)


def aipw(values: ArrayLike, sampled: Integers, others: Floats, level: float = 0.95) -> Estimated:
    """Augmented inverse-propensity weighting: the mean over N samples from n random ones, helped by other contenders.

    values: (n,) scores on the samples at the positions `sampled`. others: (K, N) other contenders' complete scores.
    A ridge regression (intercept, alpha 10) on the others' scores predicts every sample; in five folds each
    prediction is corrected by the errors of a model that did not see them, so a bad model costs precision, never
    truth. Error: sqrt((1 - n/N) / n) times the deviation of those errors.
    """
    y, features = np.asarray(values, dtype=np.float64), np.asarray(others, dtype=np.float64).T
    n, size = y.size, len(features)
    if n == size:
        return _with_interval(float(y.mean()), 0.0, n, size, level)
    if n < 2 * FOLDS:
        raise NotEnoughData(f"{n} samples are too few for {FOLDS} folds.", field="samples", remedy="Ask at least 10.")
    rest = np.setdiff1d(np.arange(size), sampled)
    fold = np.arange(n) % FOLDS
    inside, outside = np.empty(n), 0.0
    for number in range(FOLDS):
        held = fold == number
        predict = _Ridge(features[sampled[~held]], y[~held])
        inside[held] = predict(features[sampled[held]])
        if rest.size:
            outside += float(predict(features[rest]).mean()) * held.sum() / n
    unseen = rest.size / size
    estimate = float(y.mean()) + unseen * (outside - float(inside.mean()))
    return _with_interval(estimate, float((y - inside).var(ddof=1)) / n * unseen, n, size, level)


def ppi(labelled: ArrayLike, judged_labelled: ArrayLike, judged: ArrayLike, level: float = 0.95) -> Estimated:
    """PPI++ (arXiv 2311.01453): a mean by few human labels and a judge's many.

    labelled: (n,) human labels Y. judged_labelled: (n,) the judge on the same samples. judged: (N,) the judge on
    others. lambda minimises the variance and is kept in 0..1: a useless judge is left out.
    """
    y, own, many = (np.asarray(x, dtype=np.float64) for x in (labelled, judged_labelled, judged))
    n, size = y.size, many.size
    if n < 2 or size < 2 or own.size != n:
        raise NotEnoughData("PPI needs two labels, the judge beside each of them, and two judged samples more.")
    spread = (1 + n / size) * float(np.r_[own, many].var(ddof=1))
    weight = min(1.0, max(0.0, float(np.cov(y, own)[0, 1]) / spread)) if spread else 0.0
    corrected = y - weight * own
    estimate = weight * float(many.mean()) + float(corrected.mean())
    variance = weight**2 * float(many.var(ddof=1)) / size + float(corrected.var(ddof=1)) / n
    return _with_interval(estimate, variance, n, size, level)


def usual_half_width(mean: float, n: int, size: int, level: float = 0.95) -> float:
    """Half of the interval that n random samples of N right/wrong scores with this mean are expected to give."""
    p = min(1.0, max(0.0, mean))
    return float(two_sided(level) * np.sqrt(p * (1 - p) / n * (1 - n / size)))


def usual_samples(mean: float, half_width: float, size: int, level: float = 0.95) -> int:
    """How many random samples of N right/wrong scores with this mean would give an interval of this half width."""
    p = min(1.0, max(0.0, mean))
    many = two_sided(level) ** 2 * p * (1 - p)
    return ceil(size * many / (many + size * half_width**2)) if half_width > 0 else size


def _with_interval(value: float, variance: float, n: int, size: int, level: float) -> Estimated:
    """Student's interval with n - 1 degrees of freedom; equal scores of a part tell no spread, so no interval."""
    from scipy.special import stdtrit

    if not 0 < level < 1:
        raise BadParameter(f"A confidence level lies between 0 and 1, not {level}.", field="level")
    if variance <= 0 and n < size:
        return Estimated(value, float("inf"), float("-inf"), float("inf"), n, size)
    error = float(np.sqrt(variance))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * error if error else 0.0
    return Estimated(value, error, value - half, value + half, n, size)


class _Ridge:
    """Ridge regression with an intercept that is not shrunk, solved on the smaller side."""

    def __init__(self, features: Floats, y: Floats, alpha: float = RIDGE) -> None:
        self.centre, self.mean = features.mean(axis=0), float(y.mean())
        x, target = features - self.centre, y - self.mean
        if x.shape[0] <= x.shape[1]:
            self.slopes = x.T @ np.linalg.solve(x @ x.T + alpha * np.eye(len(x)), target)
        else:
            self.slopes = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ target)

    def __call__(self, features: Floats) -> Floats:
        return np.asarray((features - self.centre) @ self.slopes + self.mean)
