"""Rashomon capacity: how many choices the competing models spread a sample over, as a channel's capacity.

"Rashomon Capacity: A Metric for Predictive Multiplicity in Classification", arXiv 2206.01295. In bits; 2^C lies
between 1 (all agree) and the number of choices. The usual iteration of Blahut and Arimoto halves its error only as fast
as it doubles its steps; Newton's method on the same concave problem reaches a millionth of a bit in about twenty.
"""

from __future__ import annotations

import numpy as np

from evaluation.answers import Flags
from evaluation.tables import Floats

CHUNK = 4096  # samples at a time
TINY = 1e-300
STEPS = 60
CENTRING, BOUNDARY = 0.1, 0.95  # of the interior-point method: aim at a tenth of the gap, stop short of zero


def capacities(probabilities: Floats, gap: float = 1e-6) -> tuple[Floats, Floats]:
    """(sample,) capacity in bits and a certified bound on what it may still lack.

    probabilities: (model, sample, choice). The bound is the Karush-Kuhn-Tucker gap max D(p || q) - I >= C - I.
    """
    if probabilities.shape[2] == 2:
        return binary_capacity(probabilities[:, :, 1]), np.zeros(probabilities.shape[1])
    parts = [
        _solved(np.ascontiguousarray(probabilities[:, start : start + CHUNK].transpose(1, 0, 2)), gap * np.log(2))
        for start in range(0, probabilities.shape[1], CHUNK)
    ]
    found, left = (np.concatenate(part) / np.log(2) for part in zip(*parts, strict=True))
    return np.maximum(found, 0.0), np.maximum(left, 0.0)


def binary_capacity(probabilities: Floats) -> Floats:
    """(sample,) capacity in bits for two choices, closed form: only the extreme models matter.

    probabilities: (model, sample) of one of the choices.
    """
    low, high = probabilities.min(axis=0).astype(np.float64), probabilities.max(axis=0).astype(np.float64)
    wide = high - low > 1e-9
    a, b = low[wide], high[wide]
    slope = (_entropy(b) - _entropy(a)) / (b - a)
    mixed = 1 / (1 + np.exp2(np.clip(slope, -1000, 1000)))
    weight = (mixed - a) / (b - a)
    found = np.zeros(low.size)
    found[wide] = _entropy(mixed) - weight * _entropy(b) - (1 - weight) * _entropy(a)
    return np.maximum(found, 0.0)


def _entropy(p: Floats) -> Floats:
    return np.asarray(-(p * np.log2(np.maximum(p, TINY)) + (1 - p) * np.log2(np.maximum(1 - p, TINY))))


def _solved(rows: Floats, gap: float) -> tuple[Floats, Floats]:
    """The best mixture over a growing set of models: (sample,) information in nats, and its gap.

    rows: (sample, model, choice). The set starts with the most extreme model of every choice; the one that breaks the
    optimality condition most is added until none does.
    """
    samples, models, choices = rows.shape
    entropy = (rows * np.log(np.maximum(rows, TINY))).sum(axis=2)
    active = np.zeros((samples, models), dtype=np.bool_)
    for choice in range(choices):
        active[np.arange(samples), rows[:, :, choice].argmax(axis=1)] = True
    information, bound = np.zeros(samples), np.full(samples, np.inf)
    todo = np.arange(samples)
    for _ in range(models + 1):
        output, information[todo] = _balanced(rows[todo], entropy[todo], active[todo], gap / 2)
        logs = np.log(np.maximum(output, TINY))
        divergence = entropy[todo] - np.einsum("smk,sk->sm", rows[todo], logs)
        bound[todo] = divergence.max(axis=1)
        worst = divergence.argmax(axis=1)
        open_ = (bound[todo] - information[todo] > gap) & ~active[todo, worst]
        active[todo[open_], worst[open_]] = True
        todo = todo[open_]
        if not todo.size:
            break
    return information, bound - information


def _balanced(rows: Floats, entropy: Floats, active: Flags, gap: float) -> tuple[Floats, Floats]:
    """Mixture of the active models that carries most information, by an interior-point method.

    (sample, choice) output of the mixture, and its (sample,) information in nats.
    """
    size = int(active.sum(axis=1).max())
    chosen = np.argsort(~active, axis=1, kind="stable")[:, :size]
    inside = np.take_along_axis(active, chosen, axis=1)
    kept, own = np.take_along_axis(rows, chosen[:, :, None], axis=1), np.take_along_axis(entropy, chosen, axis=1)
    kept, own = kept * inside[:, :, None], own * inside
    weights = np.where(inside, 1 / inside.sum(axis=1, keepdims=True), 1.0)
    output, divergence, information = _measured(weights, kept, own, inside)
    slack = divergence.max(axis=1, keepdims=True) - divergence + 0.1
    for _ in range(STEPS):
        if bool((np.where(inside, divergence, -np.inf).max(axis=1) - information <= gap).all()):
            break
        centre = CENTRING * (weights * slack * inside).sum(axis=1, keepdims=True) / inside.sum(axis=1, keepdims=True)
        change, shift = _newton(weights, slack, kept, output, divergence, inside, centre)
        weights = weights + _length(weights, change) * change
        slack = slack + _length(slack, shift) * shift
        output, divergence, information = _measured(weights, kept, own, inside)
    return output, information


def _newton(
    weights: Floats, slack: Floats, kept: Floats, output: Floats, divergence: Floats, inside: Flags, centre: Floats
) -> tuple[Floats, Floats]:
    """Primal-dual step towards weights * slack = centre; the weights' change sums to 0."""
    curvature = (kept / np.maximum(output, TINY)[:, None, :]) @ kept.transpose(0, 2, 1)
    places = np.arange(weights.shape[1])
    curvature[:, places, places] += np.where(inside, slack / weights, 1.0)
    wanted = np.where(inside, divergence + centre / weights, 0.0)
    both = np.linalg.solve(curvature, np.stack([wanted, inside.astype(np.float64)], axis=2))
    level = both[:, :, 0].sum(axis=1, where=inside) / both[:, :, 1].sum(axis=1, where=inside)
    change = np.where(inside, both[:, :, 0] - level[:, None] * both[:, :, 1], 0.0)
    shift = np.where(inside, (centre - slack * change) / weights - slack, 0.0)
    return change, shift


def _length(values: Floats, change: Floats) -> Floats:
    """(sample, 1) largest step up to 1 that keeps all values well above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(change < 0, -values / change, np.inf).min(axis=1, keepdims=True)
    return np.asarray(np.minimum(1.0, BOUNDARY * room))


def _measured(weights: Floats, kept: Floats, own: Floats, inside: Flags) -> tuple[Floats, Floats, Floats]:
    """Output of a mixture, each model's divergence from it, and the mixture's information."""
    output = np.einsum("sm,smk->sk", weights, kept)
    divergence = own - np.einsum("smk,sk->sm", kept, np.log(np.maximum(output, TINY)))
    return output, divergence, (weights * divergence).sum(axis=1)
