"""Packed answers against plain comparison."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.bits import BLOCK, TILE, counts, differing, pair_counts, planes


@pytest.mark.parametrize("samples", [1, 7, 63, 64, 65, 200, 64 * BLOCK + 5])
@pytest.mark.parametrize("choices", [1, 2, 3, 4, 5, 9])
def test_packed_counts_equal_a_double_loop(samples: int, choices: int) -> None:
    labels = np.random.default_rng(samples + choices).integers(0, choices, size=(4, samples))
    expected = [[int((one != other).sum()) for other in labels] for one in labels]
    words = planes(labels)
    assert pair_counts(words).tolist() == expected
    assert [counts(differing(words, row)).tolist() for row in range(4)] == expected


def test_many_contenders_and_nothing_in_common() -> None:
    """More than a tile of contenders, more than a block of samples, and sums at their largest."""
    labels = np.zeros((2 * TILE + 3, 64 * BLOCK + 70), dtype=np.uint8)
    labels[::2] = 1
    found = pair_counts(planes(labels))
    apart = np.add.outer(np.arange(len(labels)), np.arange(len(labels))) % 2
    assert (found == apart * labels.shape[1]).all()


def test_flags_pack_as_they_are() -> None:
    flags = np.random.default_rng(1).random((3, 130)) < 0.5
    assert (planes(flags) == planes(flags.astype(np.int64))).all()


def test_one_contender_differs_from_nobody() -> None:
    assert pair_counts(planes(np.array([[0, 1, 2]]))).tolist() == [[0]]
