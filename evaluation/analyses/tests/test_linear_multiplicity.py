"""The audit as a whole: published check values, the inequalities that must hold, and what it refuses."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from evaluation.analyses.linear.fitting import fitted
from evaluation.analyses.linear.level_set import LevelSet
from evaluation.analyses.linear.loss import compressed, with_intercept
from evaluation.analyses.linear_multiplicity import LinearMultiplicityParams, compute
from evaluation.errors import BadParameter
from evaluation.features import FeatureTable

DELTAS = (0.05, 0.1, 0.2, 0.3)


def table(rows=80, features=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features))
    y = (x @ rng.normal(size=features) + rng.normal(size=rows) > 0).astype(np.int64)
    return FeatureTable(tuple(f"f{at}" for at in range(features)), x, y)


def breast_cancer():
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    return FeatureTable(tuple(map(str, data.feature_names)), data.data, data.target)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("epsilon", "mean", "largest", "ambiguity"),
    [
        (0.001, 0.0503, 0.6460, (0.1810, 0.1195, 0.0562, 0.0088)),
        (0.01, 0.1971, 0.9977, (0.4692, 0.3866, 0.2970, 0.2443)),
    ],
)
def test_breast_cancer_to_the_printed_digits(epsilon, mean, largest, ambiguity):
    params = LinearMultiplicityParams(epsilon=epsilon, delta=0.2, ridge=1 / 569, standardize=True, search=0)
    result = compute(breast_cancer(), params)
    assert round(result.baseline_objective, 6) == 0.066394
    assert round(result.baseline_loss, 6) == 0.053317
    assert round(result.baseline_error, 4) == 0.0123
    assert result.certificate_gap < 1e-8
    width = result.ranges[:, 1] - result.ranges[:, 0]
    assert (round(width.mean(), 4), round(width.max(), 4)) == (mean, largest)
    own = result.curve.epsilon.tolist().index(result.epsilon)
    found = dict(zip(result.curve.delta.tolist(), result.curve.ambiguity[own].tolist(), strict=True))
    assert tuple(round(found[delta], 4) for delta in DELTAS) == ambiguity


@pytest.mark.oracle
def test_the_proof_is_as_tight_far_from_the_baseline():
    """Epsilon 0.1, where nearly every prediction can be nearly anything."""
    data = breast_cancer()
    scaled = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    rows, points = compressed(with_intercept(scaled), data.labels)
    with threadpool_limits(1):
        level = LevelSet.around(fitted(rows, 1 / 569), 0.1)
        gaps = [level.reach(sign * points.design).gap.max() for sign in (1, -1)]
    assert max(gaps) < 1e-8


@pytest.mark.oracle
def test_the_discrepancy_of_breast_cancer_is_bracketed():
    result = compute(
        breast_cancer(), LinearMultiplicityParams(epsilon=0.001, delta=0.2, ridge=1 / 569, standardize=True)
    )
    low, high = result.discrepancy
    assert 0.0052 < low <= high < 0.0106


def test_what_always_holds():
    """D <= ambiguity <= 1; D <= 2 err(baseline) + eps by labels has its own form; the baseline lies in each range."""
    for seed in range(2):
        data = table(seed=seed)
        result = compute(data, LinearMultiplicityParams(epsilon=0.02, delta=0.1, ridge=0.01))
        low, high = result.discrepancy
        assert 0 <= low <= high <= result.ambiguity <= 1
        assert (result.ranges[:, 0] <= result.predicted).all()
        assert (result.predicted <= result.ranges[:, 1]).all()
        assert result.gaps.shape == result.ranges.shape
        assert 0 <= result.gaps.min() <= result.gaps.max() == result.certificate_gap
        assert (np.diff(result.curve.ambiguity, axis=0) >= 0).all()
        assert (np.diff(result.curve.ambiguity, axis=1) <= 0).all()
        assert result.two_n_epsilon == pytest.approx(2 * 80 * 0.02)


def test_the_lower_end_is_attained_by_the_model_that_is_told():
    data = table(seed=5)
    result = compute(data, LinearMultiplicityParams(epsilon=0.02, delta=0.1, ridge=0.01))
    scores = np.column_stack([np.ones(80), data.features]) @ result.discrepancy_model
    moved = np.abs(1 / (1 + np.exp(-scores)) - result.predicted) >= 0.1
    assert moved.mean() == pytest.approx(result.discrepancy[0])


def test_trying_sets_only_narrows_the_bracket():
    data = table(rows=120, features=4, seed=6)
    rough, fine = (
        compute(data, LinearMultiplicityParams(epsilon=0.005, delta=0.1, ridge=0.01, search=search)).discrepancy
        for search in (0, 40)
    )
    assert rough[0] <= fine[0] <= fine[1] <= rough[1]


def test_no_model_drawn_from_the_level_set_contradicts_the_audit():
    data = table(rows=100, features=2, seed=7)
    result = compute(data, LinearMultiplicityParams(epsilon=0.03, delta=0.1, ridge=0.01))
    design, signs = np.column_stack([np.ones(100), data.features]), 2 * data.labels - 1
    rng = np.random.default_rng(0)
    drawn = result.coefficients + rng.normal(size=(40_000, 3)) * 0.6
    loss = np.log1p(np.exp(-signs * (drawn @ design.T))).mean(axis=1) + 0.005 * (drawn**2).sum(axis=1)
    inside = drawn[loss <= result.baseline_objective + 0.03]
    assert len(inside) > 500
    predicted = 1 / (1 + np.exp(-(inside @ design.T)))
    assert (predicted >= result.ranges[:, 0] - 1e-9).all()
    assert (predicted <= result.ranges[:, 1] + 1e-9).all()
    moved = (np.abs(predicted - result.predicted) >= 0.1).mean(axis=1)
    assert moved.max() <= result.discrepancy[1] + 1e-12


def test_the_order_of_rows_changes_nothing_but_the_order():
    data = table(seed=8)
    back = FeatureTable(data.names, data.features[::-1], data.labels[::-1])
    params = LinearMultiplicityParams(epsilon=0.01, ridge=0.01)
    forth, reverse = compute(data, params), compute(back, params)
    assert forth.ranges == pytest.approx(reverse.ranges[::-1], abs=1e-12)
    assert forth.discrepancy == pytest.approx(reverse.discrepancy)
    assert forth.ambiguity == pytest.approx(reverse.ambiguity)


def test_the_three_ways_to_say_epsilon():
    data = table()
    percent = compute(data, LinearMultiplicityParams(epsilon=5, epsilon_kind="percent", search=0))
    assert percent.epsilon == pytest.approx(0.05 * percent.baseline_objective)
    profile = compute(data, LinearMultiplicityParams(epsilon=0.95, epsilon_kind="profile", search=0))
    assert profile.epsilon == profile.profile_epsilon == pytest.approx(3.841459 / 160, rel=1e-6)
    with pytest.raises(BadParameter) as refused:
        compute(data, LinearMultiplicityParams(epsilon=2, epsilon_kind="profile"))
    assert refused.value.field == "epsilon"


def test_scaling_of_features_is_as_if_the_file_were_scaled():
    data = table(seed=9)
    odd = FeatureTable((*data.names, "flat"), np.column_stack([data.features * 40 + 7, np.ones(80)]), data.labels)
    scaled = compute(odd, LinearMultiplicityParams(ridge=0.01, standardize=True, search=0))
    x = (data.features - data.features.mean(axis=0)) / data.features.std(axis=0)
    plain = compute(FeatureTable(data.names, x, data.labels), LinearMultiplicityParams(ridge=0.01, search=0))
    assert scaled.ranges == pytest.approx(plain.ranges, abs=1e-7)
    assert "flat" in scaled.warnings[0]
