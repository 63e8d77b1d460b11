"""Competing models by their probabilities: conflicts, viable ranges, and changes of a variant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.competing.levels import Curve
from evaluation.answers import AnswerTable, Flags
from evaluation.errors import NotEnoughData
from evaluation.tables import Floats, Integers

TINY = 1e-12
ROUNDING = 1e-9
GRID = tuple(step / 20 for step in range(1, 21))


def distances(probabilities: Floats, baseline: Floats) -> Floats:
    """(model, sample) total variation distance to the baseline's (sample, choice), between 0 and 1."""
    return np.stack([0.5 * np.abs(one - baseline).sum(axis=1) for one in probabilities])


def delta_curve(distance: Floats, at: tuple[float, ...] = GRID) -> Curve:
    """Share of samples in conflict at least delta with some competitor, and with the worst single one.

    distance: (competitor, sample).
    """
    competitors = len(distance)
    most = distance.max(axis=0, initial=0.0)
    some = [float((most >= delta - ROUNDING).mean()) for delta in at]
    worst = [float((distance >= delta - ROUNDING).mean(axis=1).max(initial=0.0)) for delta in at]
    return Curve(np.array(at), np.full(len(at), competitors), np.array(some), np.array(worst))


def viable_ranges(probabilities: Floats) -> tuple[Floats, Floats]:
    """(sample, choice) smallest and largest probability that any of the models gives."""
    return probabilities.min(axis=0), probabilities.max(axis=0)


def margins(probabilities: Floats) -> Floats:
    """(..., sample) how far the most probable choice is ahead of the second; 0 is an exact tie."""
    ordered = np.sort(probabilities, axis=-1)
    return np.asarray(ordered[..., -1] - ordered[..., -2])


@dataclass(frozen=True)
class Flips:
    """What changed from a reference to its variant, in samples. margins: (upper end, samples, flips) of tenths.

    divergence: Kullback-Leibler, reference to variant, in nats. conflict: share with distance of at least delta.
    The last three are None, or empty, without probabilities.
    """

    reference: str
    variant: str
    n: int
    right_to_wrong: int
    wrong_to_right: int
    wrong_to_other_wrong: int
    changes: int
    mean_divergence: float | None
    p95_divergence: float | None
    conflict: float | None
    margins: tuple[tuple[float, int, int], ...]


def flips(table: AnswerTable, reference: str, variant: str, delta: float = 0.2) -> Flips:
    """Changes on the samples that both answered: "Accuracy is Not All You Need", arXiv 2407.09141."""
    pair = table.select([reference, variant]).common()
    before, after = pair.correct
    changed = pair.labels[0] != pair.labels[1]
    mean = p95 = conflict = None
    bins: tuple[tuple[float, int, int], ...] = ()
    if pair.probabilities is not None:
        old, new = pair.probabilities
        divergence = (old * np.log(np.maximum(old, TINY) / np.maximum(new, TINY))).sum(axis=1)
        mean, p95 = float(divergence.mean()), float(np.quantile(divergence, 0.95))
        conflict = float((distances(new[None], old)[0] >= delta - ROUNDING).mean())
        bins = _by_margin(margins(old), changed) if old.shape[1] > 1 else ()
    return Flips(
        reference=reference,
        variant=variant,
        n=len(pair.samples),
        right_to_wrong=int((before & ~after).sum()),
        wrong_to_right=int((~before & after).sum()),
        wrong_to_other_wrong=int((changed & ~before & ~after).sum()),
        changes=int(changed.sum()),
        mean_divergence=mean,
        p95_divergence=p95,
        conflict=conflict,
        margins=bins,
    )


def noise_floor(table: AnswerTable, first: str, again: str) -> float:
    """Share of samples that the same contender answered otherwise when it was run twice."""
    pair = table.select([first, again]).common()
    if not pair.samples:
        raise NotEnoughData("The two runs share no sample.")
    return float((pair.labels[0] != pair.labels[1]).mean())


def _by_margin(margin: Floats, changed: Flags) -> tuple[tuple[float, int, int], ...]:
    tenth: Integers = np.minimum((margin * 10).astype(np.int64), 9)
    return tuple(((bin_ + 1) / 10, int((tenth == bin_).sum()), int(changed[tenth == bin_].sum())) for bin_ in range(10))
