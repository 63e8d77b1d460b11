"""Who agrees with whom: kappas, agreement beyond independent errors, and what fewer competitors would have shown."""

from __future__ import annotations

import numpy as np

from evaluation.tables import Floats, Integers

FEW = 16  # choices that are counted one by one


def local_labels(labels: Integers, choices: int) -> Integers:
    """The same agreement with few labels: free answers are counted anew, 0, 1, ..., on each sample.

    labels: (contender, sample). Only labels of the same sample may be compared afterwards.
    """
    if choices <= FEW:
        return labels
    order = np.argsort(labels, axis=0, kind="stable")
    ordered = np.take_along_axis(labels, order, axis=0)
    steps = np.diff(ordered, axis=0, prepend=ordered[:1])
    found = np.empty_like(labels)
    np.put_along_axis(found, order, np.cumsum(steps != 0, axis=0), axis=0)
    return found


def votes(labels: Integers) -> Integers:
    """(sample, choice): how many contenders chose it."""
    choices = int(labels.max()) + 1
    return np.stack([(labels == choice).sum(axis=0, dtype=np.int64) for choice in range(choices)], axis=1)


def fleiss_kappa(counts: Integers, totals: Integers) -> float:
    """Agreement of all raters beyond chance (Fleiss, 1971); NaN for one rater, or one answer everywhere.

    counts: (sample, local label) votes, equal row sums. totals: (choice,) votes over all samples.
    """
    raters = int(counts[0].sum())
    if raters < 2:
        return float("nan")
    agreed = float(((counts**2).sum(axis=1) - raters).mean()) / (raters * (raters - 1))
    chance = float(((totals / totals.sum()) ** 2).sum())
    return (agreed - chance) / (1 - chance) if chance < 1 else float("nan")


def cohen_kappas(labels: Integers, disagreement: Floats, choices: int) -> Floats:
    """(contender, contender) agreement beyond chance (Cohen, 1960); NaN where chance alone agrees always."""
    shares = np.stack([np.bincount(row, minlength=choices) for row in labels]) / labels.shape[1]
    chance = shares @ shares.T
    certain = chance >= 1 - 1e-12
    return np.where(certain, np.nan, (1 - disagreement - chance) / np.where(certain, 1.0, 1 - chance))


def excess_agreement(disagreement: Floats, accuracy: Floats, luck: float) -> Floats:
    """(contender, contender) agreement minus that of independent errors; luck: how often wrong answers meet."""
    right, wrong = np.outer(accuracy, accuracy), np.outer(1 - accuracy, 1 - accuracy)
    return np.asarray(1 - disagreement - (right + wrong * luck))


def rarefied(dissenters: Integers, competitors: int) -> Floats:
    """(m,) expected ambiguity of a random set of m = 1, 2, ... of the competitors; the last is the ambiguity itself.

    dissenters: (sample,) competitors whose label differs from the baseline's. 1 - mean C(agreeing, m) / C(all, m).
    """
    shares = np.bincount(dissenters, minlength=competitors + 1) / dissenters.size
    agreeing = competitors - np.arange(competitors + 1, dtype=np.float64)
    unseen = np.ones(competitors + 1)
    found = np.zeros(competitors)
    for drawn in range(competitors):
        unseen *= np.maximum(agreeing - drawn, 0.0) / (competitors - drawn)
        found[drawn] = 1 - shares @ unseen
    return np.clip(found, 0.0, 1.0)
