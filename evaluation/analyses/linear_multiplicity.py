"""Predictive multiplicity of a linear probabilistic classifier, exactly: all models that fit about as well as the best.

Source: Watson-Daniels, Parkes, Ustun, "Predictive Multiplicity in Probabilistic Classification" (AAAI 2023, arXiv
2206.01131). Where the paper fits a grid of constrained models per example, every range here is the optimum of a convex
problem and carries a proof that no competing model goes further.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import ceil

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.analyses.linear.discrepancy import ROUNDS, bracketed
from evaluation.analyses.linear.events import Ranges, probabilities
from evaluation.analyses.linear.fitting import Baseline, fitted
from evaluation.analyses.linear.level_set import TOLERANCE, LevelSet
from evaluation.analyses.linear.loss import Points, compressed, with_intercept
from evaluation.errors import BadParameter
from evaluation.features import FeatureTable
from evaluation.tables import Floats

KINDS = ("absolute", "percent", "profile")
DELTAS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
SHARES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # of the report's epsilon, for the curve over epsilon
NAMED_LEVEL = 0.95
ROUGH = 1e-7  # tolerance of the curve


@dataclass(frozen=True)
class LinearMultiplicityParams:
    """Parameters of the audit."""

    epsilon: float = parameter(0.01, "How much worse a competing model may fit", minimum=1e-9, maximum=1000)
    epsilon_kind: str = parameter(
        "absolute", "absolute: loss per row; percent: of the best loss; profile: a likelihood level", choices=KINDS
    )
    delta: float = parameter(0.1, "Predictions this far apart are in conflict", minimum=0.001, maximum=0.999)
    ridge: float = parameter(0.0, "Ridge on every coefficient, the intercept too", minimum=0, maximum=1000)
    standardize: bool = parameter(False, "Scale features to mean 0 and variance 1 (population)")
    search: int = parameter(ROUNDS, "Sets of examples tried to narrow the discrepancy", minimum=0, maximum=1000)


@dataclass(frozen=True, eq=False)
class AmbiguityCurve(Frozen):
    """epsilon (e,) and delta (d,): ambiguity (e, d), the share of rows that some competing model moves by delta."""

    epsilon: Floats
    delta: Floats
    ambiguity: Floats


@dataclass(frozen=True, eq=False)
class LinearMultiplicityResult(Frozen):
    """All models within epsilon of the baseline's objective.

    coefficients: (1 + feature,) of the baseline, intercept first, of scaled features where they were scaled.
    baseline_objective: its mean loss with the ridge; baseline_loss: without; baseline_error: share of rows it gets
    wrong. epsilon: absolute; two_n_epsilon: on the scale of twice a log-likelihood ratio; profile_epsilon: the absolute
    epsilon of a 95 % profile interval of one coefficient.
    predicted: (row,) the baseline's probability of label 1; ranges: (row, 2) least and largest of a competing model.
    gaps: (row, 2) the most, in logits, by which each end can lie further out than it says; certificate_gap: the largest
    of them. ambiguity: share of rows moved by delta by some model; discrepancy: bracket of the largest share moved by
    one model, and how it was found.
    """

    names: tuple[str, ...]
    n: int
    distinct: int
    coefficients: Floats
    baseline_objective: float
    baseline_loss: float
    baseline_error: float
    epsilon: float
    two_n_epsilon: float
    profile_epsilon: float
    delta: float
    ridge: float
    predicted: Floats
    ranges: Floats
    gaps: Floats
    certificate_gap: float
    hard: int
    ambiguity: float
    discrepancy: tuple[float, float]
    discrepancy_method: str
    discrepancy_model: Floats
    curve: AmbiguityCurve
    verdict: str
    warnings: tuple[str, ...]


def compute(table: FeatureTable, params: LinearMultiplicityParams) -> LinearMultiplicityResult:
    """Fit the baseline, prove the ranges, count. Raises BadParameter for an epsilon that means nothing."""
    features, constant = _features(table, params.standardize)
    rows, points = compressed(with_intercept(features), table.labels)
    with _one_thread():
        baseline = fitted(rows, params.ridge)
        epsilon = _epsilon(params, baseline, len(table.labels))
        level = LevelSet.around(baseline, epsilon)
        ranges = _ranges(level, points, baseline)
        found = bracketed(level, ranges, params.delta, rounds=params.search)
        curve = _curve(level, ranges, baseline)
    ambiguity = ranges.ambiguity(params.delta)
    bounds = (found.low, max(found.low, min(found.high, ambiguity)))
    predicted = ranges.predicted[points.of_row]
    wrong = (predicted >= 0.5) != table.labels
    return LinearMultiplicityResult(
        names=table.names,
        n=len(table.labels),
        distinct=len(points.weights),
        coefficients=baseline.coefficients,
        baseline_objective=baseline.objective,
        baseline_loss=baseline.objective - float(0.5 * baseline.ridge @ baseline.coefficients**2),
        baseline_error=float(wrong.mean()),
        epsilon=epsilon,
        two_n_epsilon=2 * len(table.labels) * epsilon,
        profile_epsilon=_profile(NAMED_LEVEL, len(table.labels)),
        delta=params.delta,
        ridge=params.ridge,
        predicted=predicted,
        ranges=np.column_stack([ranges.low, ranges.high])[points.of_row],
        gaps=np.column_stack([ranges.lower.gap, ranges.upper.gap])[points.of_row],
        certificate_gap=float(max(ranges.upper.gap.max(), ranges.lower.gap.max())),
        hard=ranges.upper.hard + ranges.lower.hard,
        ambiguity=ambiguity,
        discrepancy=bounds,
        discrepancy_method=found.method,
        discrepancy_model=found.model,
        curve=curve,
        verdict=_verdict(ambiguity, bounds, params.delta, epsilon),
        warnings=(*constant, *baseline.warnings),
    )


def _features(table: FeatureTable, standardize: bool) -> tuple[Floats, tuple[str, ...]]:
    """As they are, or scaled; a constant feature stays at 0 and is told."""
    if not standardize:
        return table.features, ()
    centred = table.features - table.features.mean(axis=0)
    deviation = table.features.std(axis=0)
    flat = deviation <= 1e-12 * np.maximum(np.abs(table.features).max(axis=0), 1e-300)
    names = ", ".join(name for name, one in zip(table.names, flat.tolist(), strict=True) if one)
    scaled = np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation))
    return scaled, ((f"Constant features say nothing: {names}.",) if names else ())


def _epsilon(params: LinearMultiplicityParams, baseline: Baseline, n: int) -> float:
    """The absolute epsilon: loss per row that a competing model may be worse by."""
    if params.epsilon_kind == "absolute":
        return params.epsilon
    if params.epsilon_kind == "percent":
        return params.epsilon / 100 * baseline.objective
    if not 0 < params.epsilon < 1:
        remedy = "Give a level such as 0.95."
        raise BadParameter("A profile level lies between 0 and 1.", field="epsilon", remedy=remedy)
    return _profile(params.epsilon, n)


def _profile(level: float, n: int) -> float:
    """chi2(1, level) / (2n): models inside a profile-likelihood interval of one coefficient (Wilks, 1938)."""
    from scipy.special import gammaincinv

    return float(gammaincinv(0.5, level) / n)


def _ranges(level: LevelSet, points: Points, baseline: Baseline, tolerance: float = TOLERANCE) -> Ranges:
    upper, lower = level.reach(points.design, tolerance), level.reach(-points.design, tolerance)
    return Ranges(points, upper, lower, probabilities(points.design @ baseline.coefficients))


def _curve(level: LevelSet, own: Ranges, baseline: Baseline) -> AmbiguityCurve:
    """Around the report's epsilon, whose ranges are known."""
    epsilon = level.epsilon
    found = [
        own if share == 1 else _ranges(level.within(epsilon * share), own.points, baseline, ROUGH) for share in SHARES
    ]
    values = np.array([[ranges.ambiguity(delta) for delta in DELTAS] for ranges in found])
    return AmbiguityCurve(epsilon * np.array(SHARES), np.array(DELTAS), values)


def _verdict(ambiguity: float, discrepancy: tuple[float, float], delta: float, epsilon: float) -> str:
    low, high = (f"{100 * share:.1f}" for share in discrepancy)
    single = f"{high} %" if low == high else f"{high} % ({low} % is attained)"
    return (
        f"Models whose loss is at most {epsilon:.3g} above the best disagree with it by {delta:g} or more on "
        f"{100 * ambiguity:.1f} % of the rows; a single one does so on at most {single}."
    )


def _one_thread() -> AbstractContextManager[object]:
    """The matrices are small: threads of the linear algebra library would only wait for each other."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def _seconds(rows: int, features: int, params: LinearMultiplicityParams) -> float:
    """About, from the size of the work: nine sets of ranges, and the search for the discrepancy."""
    return float(ceil(1 + 2e-8 * rows**2 * features**1.5 * (len(SHARES) + 2) + 0.5 * params.search))


LINEAR_MULTIPLICITY: Analysis[FeatureTable, LinearMultiplicityParams, LinearMultiplicityResult] = Analysis(
    title="Linear multiplicity audit",
    Params=LinearMultiplicityParams,
    compute=compute,
    version=1,
    source="Predictive Multiplicity in Probabilistic Classification, arXiv 2206.01131",
    needs="features",
    seconds=_seconds,
)
