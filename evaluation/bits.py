"""Answers as packed bits: comparing two contenders on 64 samples takes one machine word per bit of the answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.tables import Integers

Words = NDArray[np.uint64]
BLOCK, TILE = 512, 64  # words and contenders compared at a time: they stay in the cache, a sum fits 16 bits


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
    for start in range(0, width, BLOCK):
        block = np.ascontiguousarray(words[:, :, start : start + BLOCK])
        for top in range(0, rows, TILE):
            _add_tile(found, block, top)
    upper: Integers = np.triu(found, 1)
    return upper + upper.T


def _add_tile(found: Integers, block: Words, top: int) -> None:
    """Compare the contenders from `top` on, a tile of them, with all up to the tile's end."""
    tile = block[:, top : top + TILE]
    bits, more, ones = np.empty_like(tile[0]), np.empty_like(tile[0]), np.empty(tile[0].shape, dtype=np.uint8)
    end = top + len(tile[0])
    for row in range(end):
        np.bitwise_xor(block[0, row], tile[0], out=bits)
        for plane, other in zip(block[1:], tile[1:], strict=True):
            np.bitwise_xor(plane[row], other, out=more)
            np.bitwise_or(bits, more, out=bits)
        np.bitwise_count(bits, out=ones)
        found[row, top:end] += ones.sum(axis=1, dtype=np.uint16)
