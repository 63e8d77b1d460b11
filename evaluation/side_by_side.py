"""A few contenders side by side on the same samples: every pair, adjusted over the family that is shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from evaluation.errors import NotEnoughData
from evaluation.paired import Differences, binary_differences, bootstrap_differences, clopper_pearson
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import Flags, holm, mcnemar_exact, rank_intervals, two_sided, wilson_interval

POWER = 0.8
RESAMPLES, SEED = 1_000, 1


@dataclass(frozen=True)
class Pair:
    """Two contenders by their position; difference is first minus second, in the unit of the scores, higher is better.

    p: of equal means; equivalence_p: of a difference of the margin or more; adjusted: by Holm over the family's pairs.
    only_first, only_second: samples on which this one alone is right, or scores higher. both_right: on which both have
    the full score. answers_changed: samples with different answers, and the exact interval of its share.
    samples_needed: in all, to see this difference at 80 % power if it is real; infinite for none.
    """

    first: int
    second: int
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    equivalence_p: float
    equivalence_adjusted: float
    only_first: int
    only_second: int
    both_right: int
    both_wrong: int
    answers_changed: int
    changed_low: float
    changed_high: float
    wrong_to_other_wrong: int
    samples_needed: float


@dataclass(frozen=True, eq=False)
class SideBySide:
    """method: "mcnemar" for right or wrong, "bootstrap" for graded scores. mean, low, high: (contender,).

    rank_low, rank_high: one plus those significantly better, all minus those significantly worse, within the family.
    """

    method: str
    n: int
    level: float
    margin: float
    baseline: int | None
    mean: Floats
    low: Floats
    high: Floats
    pairs: tuple[Pair, ...]
    rank_low: Integers
    rank_high: Integers


@dataclass(frozen=True, eq=False)
class Group:
    """One benchmark or subject. n: samples. mean, difference, low, high: (contender,); differences are from the
    reference, with 95 % intervals that are not adjusted; the reference's own are 0. NaN where one sample is all."""

    n: int
    mean: Floats
    difference: Floats
    low: Floats
    high: Floats


def is_binary(scores: Floats) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())


def side_by_side(
    scores: Floats, labels: Integers, *, baseline: int | None = None, level: float = 0.95, margin: float = 0.01
) -> SideBySide:
    """Compare all pairs, or all with the baseline. scores, labels: (contender, sample) without holes, higher is better;
    equal labels are equal answers. Raises NotEnoughData without two contenders and a sample, BadParameter."""
    rows, n = scores.shape
    if rows < 2 or not n:
        raise NotEnoughData("A comparison needs two contenders and a sample that both answered.", field="contenders")
    couples = list(combinations(range(rows), 2))
    if baseline is not None:
        couples = [(row, baseline) for row in range(rows) if row != baseline]
    first, second = (np.array(side, dtype=np.int64) for side in zip(*couples, strict=True))
    wins = (scores[first] > scores[second]).sum(axis=1, dtype=np.int64)
    losses = (scores[first] < scores[second]).sum(axis=1, dtype=np.int64)
    found, p, method = _tested(scores, first, second, wins, losses)
    pairs = _pairs(scores, labels, first, second, found, p, level, margin)
    low, high = _mean_intervals(scores, level)
    rank_low, rank_high = rank_intervals(_better(pairs, rows, level))
    return SideBySide(method, n, level, margin, baseline, scores.mean(axis=1), low, high, pairs, rank_low, rank_high)


def breakdown(scores: Floats, groups: Integers, reference: int, level: float = 0.95) -> list[Group]:
    """Each group's means and differences from the reference. groups: (sample,) number of its group, none empty."""
    sizes = np.bincount(groups)
    mean = np.stack([np.bincount(groups, weights=row) for row in scores]) / sizes
    change = scores - scores[reference]
    if is_binary(scores):
        wins, losses = (
            np.stack([np.bincount(groups, weights=row) for row in side]) for side in (change > 0, change < 0)
        )
        low, high = binary_differences(wins, losses, sizes).interval(level)
    else:
        low, high = _student(change, groups, sizes, level)
    low[reference] = high[reference] = 0.0
    difference = mean - mean[reference]
    return [Group(int(n), mean[:, at], difference[:, at], low[:, at], high[:, at]) for at, n in enumerate(sizes)]


def _student(change: Floats, groups: Integers, sizes: Integers, level: float) -> tuple[Floats, Floats]:
    """Student's intervals of the mean change in each group; NaN where there is one sample."""
    from scipy.special import stdtrit

    sums, squares = (np.stack([np.bincount(groups, weights=row) for row in part]) for part in (change, change**2))
    mean = sums / sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(squares - sizes * mean**2, 0.0) / (sizes - 1)
        half = stdtrit(np.maximum(sizes - 1, 1), (1 + level) / 2) * np.sqrt(variance / sizes)
    return mean - half, mean + half


def _tested(
    scores: Floats, first: Integers, second: Integers, wins: Integers, losses: Integers
) -> tuple[Differences, Floats, str]:
    """Differences and p of each pair, by the method that fits the scores."""
    if is_binary(scores):
        return binary_differences(wins, losses, scores.shape[1]), mcnemar_exact(wins, losses), "mcnemar"
    every = bootstrap_differences(scores, resamples=RESAMPLES, seed=SEED).take(first, second)
    return every, every.p_values(), "bootstrap"


def _pairs(
    scores: Floats,
    labels: Integers,
    first: Integers,
    second: Integers,
    found: Differences,
    p: Floats,
    level: float,
    margin: float,
) -> tuple[Pair, ...]:
    n = scores.shape[1]
    low, high = found.interval(level)
    equivalence, full = found.equivalence_p(margin), scores >= 1.0
    changed = labels[first] != labels[second]
    share_low, share_high = clopper_pearson(changed.sum(axis=1), n, level)
    wins, losses = (scores[first] > scores[second]).sum(axis=1), (scores[first] < scores[second]).sum(axis=1)
    both = (full[first] & full[second]).sum(axis=1)
    columns: dict[str, list[float]] = {
        "first": first.tolist(),
        "second": second.tolist(),
        "difference": found.value.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "p": p.tolist(),
        "p_adjusted": holm(p).tolist(),
        "equivalence_p": equivalence.tolist(),
        "equivalence_adjusted": holm(equivalence).tolist(),
        "only_first": wins.tolist(),
        "only_second": losses.tolist(),
        "both_right": both.tolist(),
        "both_wrong": (n - wins - losses - both).tolist(),
        "answers_changed": changed.sum(axis=1).tolist(),
        "changed_low": share_low.tolist(),
        "changed_high": share_high.tolist(),
        "wrong_to_other_wrong": (changed & ~full[first] & ~full[second]).sum(axis=1).tolist(),
        "samples_needed": _needed(scores[first] - scores[second], level).tolist(),
    }
    rows = zip(*columns.values(), strict=True)
    return tuple(Pair(**dict(zip(columns, row, strict=True))) for row in rows)


def _needed(change: Floats, level: float) -> Floats:
    """Samples in all that show each mean change; for right or wrong this is the planner's (f - d^2) reach^2 / d^2."""
    reach = two_sided(level) + two_sided(2 * POWER - 1)
    mean = change.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean == 0, np.inf, reach**2 * change.var(axis=1) / mean**2)


def _better(pairs: tuple[Pair, ...], rows: int, level: float) -> Flags:
    better = np.zeros((rows, rows), dtype=np.bool_)
    for pair in pairs:
        if pair.p_adjusted <= 1 - level:
            ahead, behind = (pair.first, pair.second) if pair.difference > 0 else (pair.second, pair.first)
            better[ahead, behind] = True
    return better


def _mean_intervals(scores: Floats, level: float) -> tuple[Floats, Floats]:
    """Wilson's for right or wrong, normal for graded scores; NaN where one sample is all."""
    n = scores.shape[1]
    if is_binary(scores):
        ends = [wilson_interval(int(row.sum()), n, level) for row in scores]
        return np.array([end.low for end in ends]), np.array([end.high for end in ends])
    with np.errstate(divide="ignore", invalid="ignore"):
        half = two_sided(level) * np.sqrt(scores.var(axis=1) / (n - 1) if n > 1 else np.full(len(scores), np.nan))
    return scores.mean(axis=1) - half, scores.mean(axis=1) + half
