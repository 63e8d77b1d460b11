"""Small random answer tables, and the report computed again by plain loops."""

from __future__ import annotations

import numpy as np

from evaluation.answers import AnswerTable


def random_answers(seed: int, contenders: int = 5, samples: int = 70, choices: int = 3, *, probable: bool = True):
    """Contenders that mostly follow one opinion; probabilities on a coarse grid, so that ties happen."""
    rng = np.random.default_rng(seed)
    opinion = rng.dirichlet(np.ones(choices), size=samples)
    noisy = np.round(opinion + rng.random((contenders, samples, choices)) * 0.5, 1) + 0.1
    probabilities = noisy / noisy.sum(axis=2, keepdims=True)
    labels = probabilities.argmax(axis=2)
    gold = rng.integers(0, choices, size=samples)
    return AnswerTable(
        contenders=tuple(f"c{number}" for number in range(contenders)),
        samples=tuple(f"s{number}" for number in range(samples)),
        choices=tuple("abcde"[:choices]),
        labels=labels,
        correct=labels == gold,
        gold=gold,
        probabilities=probabilities if probable else None,
        groups=tuple("xy"[number % 2] for number in range(samples)),
    )
