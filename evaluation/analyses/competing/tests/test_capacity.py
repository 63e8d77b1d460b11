"""Rashomon capacity: closed form, certificate, and the plain iteration of Blahut and Arimoto."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analyses.competing.capacity import CHUNK, binary_capacity, capacities


def blahut_arimoto(rows: np.ndarray, steps: int = 20_000) -> float:
    """Bits, from below; rows: (model, choice)."""
    weights = np.full(len(rows), 1 / len(rows))
    for _ in range(steps):
        divergence = (rows * np.log2(rows / (weights @ rows))).sum(axis=1)
        weights = weights * np.exp2(divergence - divergence.max())
        weights /= weights.sum()
    return float(weights @ (rows * np.log2(rows / (weights @ rows))).sum(axis=1))


@pytest.mark.parametrize("choices", [2, 3, 4, 5])
@pytest.mark.parametrize("spread", [0.3, 1.0, 5.0])
def test_capacity_is_certified_and_equals_the_plain_iteration(choices: int, spread: float) -> None:
    rows = np.random.default_rng(choices).dirichlet(np.full(choices, spread), size=(7, 12)) + 1e-6
    rows /= rows.sum(axis=2, keepdims=True)
    found, gap = capacities(rows)
    assert gap.max() <= 1e-6
    slow = [blahut_arimoto(rows[:, sample], 3_000) for sample in range(4)]
    assert found[:4] == pytest.approx(slow, abs=2e-3)
    assert (found[:4] + gap[:4] >= np.array(slow) - 1e-9).all()
    assert ((found >= 0) & (found <= np.log2(choices) + 1e-9)).all()


def test_two_choices_in_closed_form_and_by_the_general_way() -> None:
    rows = np.random.default_rng(1).dirichlet([1, 1], size=(6, 200))
    general, gap = capacities(np.concatenate([rows, np.zeros((6, 200, 1))], axis=2))
    assert np.abs(binary_capacity(rows[:, :, 1]) - general).max() <= gap.max() + 1e-9


def test_the_ends_of_the_scale() -> None:
    assert capacities(np.eye(4)[:, None, :])[0] == pytest.approx([2.0])
    assert capacities(np.full((5, 3, 3), 1 / 3))[0] == pytest.approx([0, 0, 0], abs=1e-9)
    assert binary_capacity(np.array([[0.0, 0.4], [1.0, 0.4]])) == pytest.approx([1, 0])
    assert capacities(np.array([[[0.2, 0.3, 0.5]]]))[0] == pytest.approx([0], abs=1e-9)


def test_samples_are_independent_of_their_chunk() -> None:
    rows = np.random.default_rng(2).dirichlet(np.ones(3), size=(3, CHUNK + 3))
    whole, _ = capacities(rows)
    assert whole[CHUNK:] == pytest.approx(capacities(rows[:, CHUNK:])[0], abs=2e-6)
