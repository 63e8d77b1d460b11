"""How fast all viable ranges are: `python -m bench.linear`. CPU seconds, one thread, scikit-learn's breast_cancer.

Beside them stands SLSQP on the same convex problems in the same run, on every tenth row; its time is scaled up.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from threadpoolctl import threadpool_limits

from evaluation.analyses.linear.fitting import Baseline, fitted
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.analyses.linear.loss import compressed, with_intercept
from evaluation.tables import Floats

EPSILONS = (0.001, 0.01, 0.1)
EVERY = 10


def main() -> None:
    """Print a line per epsilon."""
    data = load_breast_cancer()
    scaled = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
    rows, points = compressed(with_intercept(scaled), data.target)
    baseline = fitted(rows, 1 / len(data.target))
    print(f"{'epsilon':>8}  {'all ranges':>10}  {'SLSQP':>7}  {'x':>6}  {'gap, logits':>11}  {'apart':>8}")
    for epsilon in EPSILONS:
        level = LevelSet.around(baseline, epsilon)
        began = time.process_time()
        upper, lower = level.reach(points.design), level.reach(-points.design)
        ours = time.process_time() - began
        began = time.process_time()
        apart = [slsqp(baseline, epsilon, row) - upper.value[at] for at, row in picked(points.design)]
        theirs = 2 * EVERY * (time.process_time() - began)
        gap = max(upper.gap.max(), lower.gap.max())
        print(f"{epsilon:8}  {ours:10.2f}  {theirs:7.2f}  {theirs / ours:6.1f}  {gap:11.1e}  {max(apart):8.1e}")


def picked(design: Floats) -> list[tuple[int, Floats]]:
    return [(at, design[at]) for at in range(0, len(design), EVERY)]


def slsqp(baseline: Baseline, epsilon: float, direction: Floats) -> float:
    """The furthest point in a direction by a general solver, started inside the level set."""
    loss, ceiling = baseline.loss, baseline.objective + epsilon
    step = np.linalg.solve(loss.exact_bend(baseline.coefficients), direction)
    step *= 0.7 * np.sqrt(2 * epsilon / (direction @ step))
    limit = {
        "type": "ineq",
        "fun": lambda w: ceiling - loss.values(w[None])[0],
        "jac": lambda w: -loss.slopes(w[None])[1][0],
    }
    found = minimize(
        lambda w: -direction @ w,
        baseline.coefficients + step,
        jac=lambda w: -direction,
        constraints=[limit],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return float(direction @ found.x)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
