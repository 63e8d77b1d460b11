"""The baseline: the least penalised loss, by Newton's method, and what to do where it has no minimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.linear.loss import Loss, Rows
from evaluation.tables import Floats

RESCUE = 1e-6  # ridge of ill-posed data, on coefficients of columns scaled to a mean square of 1
RANK = 1e-9  # singular values below this share of the largest are none
CURVED = 1e-10  # least second derivative, columns scaled: below, the minimum lies at infinity or in a valley
STEPS = 200
ENOUGH = 1e-22  # squared Newton decrement, in the loss's unit
SETTLED = 1e-13


@dataclass(frozen=True, eq=False)
class Baseline:
    """coefficients: (k,) of the least loss. loss: with the ridge that was used. objective: its value there.

    ridge: (k,) on each coefficient. warnings: why it is more than asked for.
    """

    coefficients: Floats
    loss: Loss
    objective: float
    ridge: Floats
    warnings: tuple[str, ...]


def fitted(rows: Rows, ridge: float) -> Baseline:
    """Newton's method in columns of equal scale. Ill-posed data get a tiny ridge, and a warning says which."""
    scale = np.sqrt(rows.weights @ rows.signed**2)
    scale[scale == 0] = 1.0
    scaled = rows.signed / scale
    asked = np.full(len(scale), ridge) / scale**2
    problem = _problem(scaled, ridge)
    loss = Loss(scaled, rows.weights, np.diag(asked))
    found, settled = np.zeros(len(scale)), False
    if not problem:
        found, settled = _minimum(loss)
        if not settled or not _curved(loss.exact_bend(found)):
            problem = "The classes are separable, or nearly so, by a weighted sum of features"
    if problem:
        asked = asked + RESCUE
        found, settled = _minimum(Loss(scaled, rows.weights, np.diag(asked)))
    own = Loss(rows.signed, rows.weights, np.diag(asked * scale**2))
    coefficients = found / scale
    said = f"{problem}: a ridge of {RESCUE:g} on scaled coefficients was added, without which no best model exists."
    return Baseline(
        coefficients=coefficients,
        loss=own,
        objective=float(own.values(coefficients[None, :])[0]),
        ridge=asked * scale**2,
        warnings=(said,) if problem else (),
    )


def _problem(scaled: Floats, ridge: float) -> str:
    """What the columns lack, when no ridge makes up for it."""
    if ridge > RANK:
        return ""
    rank = int(np.linalg.matrix_rank(scaled, rtol=RANK))
    size = scaled.shape[1]
    return f"The features are linearly dependent (rank {rank} of {size} with the intercept)" if rank < size else ""


def _curved(bend: Floats) -> bool:
    """Whether the second derivative is far from singular."""
    return bool(np.linalg.eigvalsh(bend)[0] > CURVED)


def _minimum(loss: Loss) -> tuple[Floats, bool]:
    """Damped Newton from zero; the place, and whether the gradient vanishes there."""
    at = np.zeros(loss.rows.shape[1])
    decrement = np.inf
    for _ in range(STEPS):
        value, slope = loss.slopes(at[None, :])
        step = np.linalg.lstsq(loss.exact_bend(at), -slope[0], rcond=1e-14)[0]
        decrement = float(-slope[0] @ step)
        length = _length(loss, at, step, float(value[0]), decrement)
        at = at + length * step
        if decrement < ENOUGH or length == 0:
            break
    return at, decrement < SETTLED


def _length(loss: Loss, at: Floats, step: Floats, value: float, decrement: float) -> float:
    """Share of a Newton step that lowers the loss enough (Armijo); 0 when rounding hides any descent."""
    slack = 4 * np.finfo(np.float64).eps * max(value, 1.0)
    lengths = 0.5 ** np.arange(40)
    values = loss.values(at + lengths[:, None] * step)
    good = values <= value - 1e-4 * lengths * decrement + slack
    return float(lengths[good.argmax()]) if bool(good.any()) else 0.0
