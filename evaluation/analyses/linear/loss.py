"""The penalised logistic loss of distinct, weighted rows, for many coefficient vectors at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.tables import Floats, Integers


@dataclass(frozen=True, eq=False)
class Rows:
    """Distinct rows of a design, in the order of their numbers, so that the order of the file leaves no trace.

    signed: (row, coefficient) design rows times +1 for label 1 and -1 for label 0. weights: (row,) shares, sum 1.
    """

    signed: Floats
    weights: Floats


@dataclass(frozen=True, eq=False)
class Points:
    """Distinct examples, whatever their label. design: (point, coefficient); weights: shares; of_row: its point."""

    design: Floats
    weights: Floats
    of_row: Integers


def with_intercept(features: Floats) -> Floats:
    """(row, 1 + feature) design: ones first."""
    return np.column_stack([np.ones(len(features)), features])


def compressed(design: Floats, labels: Integers) -> tuple[Rows, Points]:
    """Duplicates counted once: the rows that the loss needs, and the points whose predictions are asked for."""
    both, counts = np.unique(np.column_stack([design, labels]), axis=0, return_counts=True)
    signs = 2 * both[:, -1:] - 1
    rows = Rows(signed=both[:, :-1] * signs, weights=counts / counts.sum())
    points, of_row, shares = np.unique(design, axis=0, return_inverse=True, return_counts=True)
    return rows, Points(points, shares / shares.sum(), of_row.reshape(-1))


@dataclass(frozen=True, eq=False)
class Loss:
    """F(w) = sum_j c_j log(1 + exp(-z_j.w)) + w.R w / 2.

    rows: (m, k) the z_j; weights: (m,) the c_j; penalty: (k, k) symmetric R. Methods take (b, k) coefficient vectors.
    """

    rows: Floats
    weights: Floats
    penalty: Floats

    def values(self, at: Floats) -> Floats:
        """(b,) losses."""
        scores = at @ self.rows.T
        charged = np.log1p(np.exp(-np.abs(scores))) - np.minimum(scores, 0)
        return np.asarray(charged @ self.weights + 0.5 * np.einsum("bk,bk->b", at @ self.penalty, at))

    def slopes(self, at: Floats) -> tuple[Floats, Floats]:
        """(b,) losses and (b, k) gradients."""
        value, slope, _ = self._expanded(at)
        return value, slope

    def bends(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Losses, gradients and (b, k, k) second derivatives, these in single precision: enough for a direction."""
        value, slope, curved = self._expanded(at)
        entries = curved.astype(np.float32) @ self._products
        return value, slope, self._square(entries.astype(np.float64))

    def exact_bends(self, at: Floats) -> Floats:
        """(b, k, k) second derivatives in double precision, one after the other."""
        _, _, curved = self._expanded(at)
        return np.stack([(self.rows.T * row) @ self.rows for row in curved]) + self.penalty

    def exact_bend(self, at: Floats) -> Floats:
        """(k, k) second derivative at one (k,) vector, in double precision."""
        return np.asarray(self.exact_bends(at[None, :])[0])

    def moved(self, change: Floats) -> Loss:
        """The same loss of v where w = change^T v: rows and penalty in other coordinates."""
        return Loss(self.rows @ change.T, self.weights, change @ self.penalty @ change.T)

    def _expanded(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Losses, gradients, and (b, m) weights of the outer products of rows in the second derivative."""
        scores = at @ self.rows.T
        small = np.exp(-np.abs(scores))
        pulled = at @ self.penalty
        charged = np.log1p(small) - np.minimum(scores, 0)
        value = charged @ self.weights + 0.5 * np.einsum("bk,bk->b", pulled, at)
        likely = 1 / (1 + small)
        unlikely = small * likely
        wrong = np.where(scores < 0, likely, unlikely) * self.weights
        return value, pulled - wrong @ self.rows, likely * unlikely * self.weights

    @cached_property
    def _upper(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        first, second = np.triu_indices(self.rows.shape[1])
        return first, second

    @cached_property
    def _products(self) -> NDArray[np.float32]:
        """(m, k (k + 1) / 2) upper triangles of the rows' outer products: one matrix product makes all Hessians."""
        first, second = self._upper
        single: NDArray[Any] = self.rows.astype(np.float32)
        return np.asarray(single[:, first] * single[:, second])

    def _square(self, entries: Floats) -> Floats:
        """(b, k, k) from upper triangles, with the penalty."""
        first, second = self._upper
        size = self.rows.shape[1]
        square = np.empty((len(entries), size, size))
        square[:, first, second] = entries
        square[:, second, first] = entries
        return square + self.penalty
