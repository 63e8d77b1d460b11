"""Viable ranges: against an independent solver, against brute force, and with proofs that hold."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from evaluation.analyses.linear.events import Ranges, probabilities
from evaluation.analyses.linear.fitting import fitted
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.analyses.linear.loss import compressed, with_intercept
from evaluation.analyses.linear.path import along_path


def example(rows=60, features=3, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features))
    y = (x @ rng.normal(size=features) + noise * rng.normal(size=rows) > 0).astype(int)
    return with_intercept(x), y


def prepared(design, labels, ridge=0.01, epsilon=0.01):
    rows, points = compressed(design, labels)
    baseline = fitted(rows, ridge)
    return LevelSet.around(baseline, epsilon), points, baseline


def ranges(level, points, baseline):
    predicted = probabilities(points.design @ baseline.coefficients)
    return Ranges(points, level.reach(points.design), level.reach(-points.design), predicted)


def by_slsqp(baseline, epsilon, direction):
    """The same maximum by a general solver, from several starts along the direction."""
    loss, ceiling = baseline.loss, baseline.objective + epsilon
    bend = loss.exact_bend(baseline.coefficients)
    step = np.linalg.solve(bend, direction)
    scale = np.sqrt(2 * epsilon / (direction @ step))
    best = -np.inf
    for length in (0.5, 0.9):
        found = minimize(
            lambda w: -direction @ w,
            baseline.coefficients + length * scale * step,
            jac=lambda w: -direction,
            constraints=[
                {
                    "type": "ineq",
                    "fun": lambda w: ceiling - loss.values(w[None])[0],
                    "jac": lambda w: -loss.slopes(w[None])[1][0],
                }
            ],
            method="SLSQP",
            options={"maxiter": 1000, "ftol": 1e-16},
        )
        if loss.values(found.x[None])[0] <= ceiling + 1e-12:
            best = max(best, float(direction @ found.x))
    return best


@pytest.mark.parametrize("epsilon", [0.001, 0.01, 0.1])
def test_equal_to_a_general_solver(epsilon):
    level, points, baseline = prepared(*example(), epsilon=epsilon)
    reach = level.reach(points.design[:12])
    for row in range(12):
        assert reach.value[row] == pytest.approx(by_slsqp(baseline, epsilon, points.design[row]), abs=1e-9)


def test_equal_to_brute_force_in_two_parameters():
    design, labels = example(rows=40, features=1)
    level, points, baseline = prepared(design, labels, epsilon=0.05)
    angle = np.linspace(0, 2 * np.pi, 20_001)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    low, high = np.zeros(len(angle)), np.full(len(angle), 50.0)
    for _ in range(60):  # how far the level set reaches along each ray, by bisection
        middle = (low + high) / 2
        inside = baseline.loss.values(baseline.coefficients + middle[:, None] * circle) <= level.ceiling
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    border = baseline.coefficients + low[:, None] * circle
    reach = level.reach(points.design)
    best = (points.design @ border.T).max(axis=1)
    assert (reach.value >= best - 1e-12).all()
    assert reach.value == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("epsilon", [1e-4, 0.01, 0.3])
def test_every_answer_is_feasible_and_proven(epsilon):
    level, points, baseline = prepared(*example(rows=200, features=6, seed=2), epsilon=epsilon)
    for sign in (1, -1):
        reach = level.reach(sign * points.design)
        assert (baseline.loss.values(reach.points) <= baseline.objective + epsilon * (1 + 1e-9)).all()
        assert (reach.bound >= reach.value - 1e-12).all()
        assert reach.gap.max() < 1e-8
        assert reach.value == pytest.approx((sign * points.design * reach.points).sum(axis=1))
        # No feasible model found elsewhere reaches further than what is proven.
        others = level.reach(np.random.default_rng(1).normal(size=(50, 7))).points
        assert ((sign * points.design) @ others.T <= reach.bound[:, None] + 1e-9).all()


def test_the_slow_way_arrives_at_the_same():
    level, points, _ = prepared(*example(rows=80, features=4, seed=3), epsilon=0.02)
    quick = level.reach(points.design[:5])
    for row in range(5):
        direction = points.design[row] @ level.change.T
        found, multiplier = along_path(level.loss, direction, level.center, level.floor, level.epsilon)
        assert multiplier > 0
        assert direction @ found == pytest.approx(quick.value[row], abs=1e-7)


def test_ranges_grow_with_epsilon_and_ambiguity_falls_with_delta():
    level, points, baseline = prepared(*example(seed=4))
    found = [ranges(level.within(epsilon), points, baseline) for epsilon in (0.001, 0.01, 0.05)]
    for small, large in pairwise(found):
        assert (large.low <= small.low + 1e-12).all()
        assert (large.high >= small.high - 1e-12).all()
        assert large.ambiguity(0.1) >= small.ambiguity(0.1)
    shares = [found[1].ambiguity(delta) for delta in (0.01, 0.05, 0.1, 0.2, 0.5)]
    assert shares == sorted(shares, reverse=True)


def test_duplicates_are_counted_once():
    design, labels = example(rows=30, seed=5)
    twice = np.concatenate([design, design[:10], design[:10]]), np.concatenate([labels, labels[:10], labels[:10]])
    rows, points = compressed(*twice)
    assert len(rows.weights) == len(points.weights) == 30
    assert rows.weights.sum() == pytest.approx(1)
    level, points, baseline = prepared(*twice)
    raw = minimize(
        lambda w: np.log1p(np.exp(-(2 * twice[1] - 1) * (twice[0] @ w))).mean() + 0.005 * w @ w,
        np.zeros(4),
        options={"gtol": 1e-10},
    )
    assert baseline.objective == pytest.approx(raw.fun, abs=1e-9)
    assert baseline.coefficients == pytest.approx(raw.x, abs=1e-4)
    found = ranges(level, points, baseline)
    assert (found.high[points.of_row][:10] == found.high[points.of_row][30:40]).all()


def test_separable_and_dependent_data_get_a_ridge_and_a_word():
    design, labels = example(rows=30, features=2, noise=0.0, seed=6)
    rows, _ = compressed(design, labels)
    assert "separable" in fitted(rows, 0.0).warnings[0]
    assert fitted(rows, 0.01).warnings == ()
    design, labels = example(rows=40, features=2, seed=7)
    rows, _ = compressed(np.column_stack([design, design[:, 1] * 2]), labels)
    dependent = fitted(rows, 0.0)
    assert "rank 3 of 4" in dependent.warnings[0]
    assert (dependent.ridge > 0).all()
    assert LevelSet.around(dependent, 0.01).reach(rows.signed[:5]).gap.max() < 1e-6
