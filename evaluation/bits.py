"""Answers as packed bits: comparing two contenders on 64 samples takes one machine word per bit of the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.tables import Integers

Words = NDArray[np.uint64]
BLOCK = 256  # words of every contender that are compared at a time: they stay in the cache


def planes(labels: NDArray[np.integer] | NDArray[np.bool_]) -> Words:
    """(bit, contender, word): the labels' binary digits, 64 samples to a word, padded with equal zeros.

    labels: (contender, sample), never negative. Bit b of label 0, 1, 2, ... stands in plane b.
    """
    rows, samples = labels.shape
    digits = max(1, int(labels.max(initial=0)).bit_length())
    packed = np.zeros((digits, rows, -(-samples // 64) * 8), dtype=np.uint8)
    for digit in range(digits):
        bits = labels if labels.dtype == np.bool_ else (labels >> digit) & 1
        packed[digit, :, : -(-samples // 8)] = np.packbits(bits.astype(np.bool_), axis=1, bitorder="little")
    return packed.view(np.uint64)


def differing(words: Words, row: int) -> Words:
    """(contender, word): bits of the samples on which a contender's label is not that of `row`."""
    found: Words = words[0] ^ words[0, row]
    for plane in words[1:]:
        found |= plane ^ plane[row]
    return found


def counts(bits: Words) -> Integers:
    """Set bits along the last axis."""
    return np.asarray(np.bitwise_count(bits).sum(axis=-1, dtype=np.int64))


def pair_counts(words: Words) -> Integers:
    """(contender, contender): on how many samples two contenders' labels differ."""
    rows, width = words.shape[1:]
    found = np.zeros((rows, rows), dtype=np.int64)
    bits, more = np.empty((rows, BLOCK), dtype=np.uint64), np.empty((rows, BLOCK), dtype=np.uint64)
    ones = np.empty((rows, BLOCK), dtype=np.uint8)
    for start in range(0, width, BLOCK):
        block = np.ascontiguousarray(words[:, :, start : start + BLOCK])
        wide = block.shape[2]
        for row in range(rows - 1):
            cut = (slice(0, rows - 1 - row), slice(0, wide))
            np.bitwise_xor(block[0, row], block[0, row + 1 :], out=bits[cut])
            for plane in block[1:]:
                np.bitwise_xor(plane[row], plane[row + 1 :], out=more[cut])
                np.bitwise_or(bits[cut], more[cut], out=bits[cut])
            np.bitwise_count(bits[cut], out=ones[cut])
            found[row, row + 1 :] += ones[cut].sum(axis=1, dtype=np.int64)
    return found + found.T
