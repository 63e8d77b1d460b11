"""Kappas against statsmodels, rarefaction against drawing every subset."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from evaluation.analyses.competing.agreement import (
    cohen_kappas,
    excess_agreement,
    fleiss_kappa,
    local_labels,
    rarefied,
    votes,
)
from evaluation.bits import pair_counts, planes

LABELS = np.random.default_rng(1).integers(0, 3, size=(5, 90)) * (np.random.default_rng(2).random((5, 90)) < 0.6)


def crossed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(choice, choice) how often the two answers met."""
    return np.array([[((one == a) & (other == b)).sum() for b in range(3)] for a in range(3)])


@pytest.mark.oracle
def test_fleiss_equals_statsmodels() -> None:
    from statsmodels.stats.inter_rater import fleiss_kappa as oracle

    assert fleiss_kappa(votes(LABELS), np.bincount(LABELS.ravel())) == pytest.approx(oracle(votes(LABELS)), abs=1e-12)


@pytest.mark.oracle
def test_cohen_equals_statsmodels() -> None:
    from statsmodels.stats.inter_rater import cohens_kappa

    found = cohen_kappas(LABELS, pair_counts(planes(LABELS)) / 90, 3)
    expected = [[cohens_kappa(crossed(one, other), return_results=False) for other in LABELS] for one in LABELS]
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_free_answers_are_counted_anew_on_each_sample() -> None:
    labels = np.random.default_rng(4).choice([3, 700, 41, 9_999], size=(6, 50))
    found = local_labels(labels, 10_000)
    assert found.max() == 3
    for sample in range(50):
        one, other = labels[:, sample], found[:, sample]
        assert ((one[:, None] == one) == (other[:, None] == other)).all()
    assert (local_labels(labels % 4, 4) == labels % 4).all()


def test_kappa_of_nobody_or_of_one_answer_is_not_known() -> None:
    same = np.zeros((3, 10), dtype=np.int64)
    assert np.isnan(fleiss_kappa(votes(same), np.array([30])))
    assert np.isnan(fleiss_kappa(votes(LABELS[:1]), np.bincount(LABELS[0])))
    assert np.isnan(cohen_kappas(same, np.zeros((3, 3)), 2)).all()


def test_independent_errors_leave_no_excess() -> None:
    rng = np.random.default_rng(3)
    gold = rng.integers(0, 4, size=200_000)
    wrong = (gold + rng.integers(1, 4, size=(2, gold.size))) % 4
    labels = np.where(rng.random((2, gold.size)) < np.array([[0.8], [0.6]]), gold, wrong)
    apart = pair_counts(planes(labels)) / gold.size
    assert excess_agreement(apart, (labels == gold).mean(axis=1), 1 / 3)[0, 1] == pytest.approx(0, abs=0.005)


def test_rarefaction_is_the_mean_over_all_subsets() -> None:
    differs = LABELS[1:] != LABELS[0]
    found = rarefied(differs.sum(axis=0), 4)
    for size in range(1, 5):
        every = [differs[list(rows)].any(axis=0).mean() for rows in combinations(range(4), size)]
        assert found[size - 1] == pytest.approx(np.mean(every), abs=1e-12)


def test_no_competitor_no_rarefaction() -> None:
    assert rarefied(np.zeros(5, dtype=np.int64), 0).size == 0
