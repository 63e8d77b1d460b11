"""Contenders compared on the same samples: paired differences, exact tests, ranks that the data can hold.

Right-or-wrong scores get McNemar's exact test and Tango's score interval; graded scores, several attempts and
clusters the Poisson bootstrap. Both treat the samples as drawn from more of their kind, and pairs as pairs: two
contenders that err together are told apart by far fewer samples than two accuracies taken as independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isfinite

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, Ranking, parameter
from evaluation.answers import AnswerTable
from evaluation.bits import pair_counts, planes
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.paired import (
    Differences,
    binary_differences,
    bootstrap_differences,
    clopper_pearson,
    samples_needed,
)
from evaluation.tables import Floats, Integers, ScoreTable
from evaluation.uncertainty import Flags, holm, mcnemar_exact, rank_intervals, two_sided

POWER = 0.8


@dataclass(frozen=True)
class ComparisonParams:
    """What counts as different, and as equal."""

    level: float = parameter(0.95, "Confidence level of the intervals", minimum=0.5, maximum=0.9999)
    margin: float = parameter(0.01, "Differences below this margin count as equal", minimum=1e-9)
    cluster: bool = parameter(False, "Benchmarks are clusters of related samples, redrawn as a whole")
    resamples: int = parameter(2_000, "Resamples for graded or clustered scores", minimum=100, maximum=100_000)
    seed: int = parameter(1, "Seed of the resamples", minimum=0, maximum=2**63 - 1)


@dataclass(frozen=True, eq=False)
class ComparisonResult(Frozen):
    """Every pair of contenders; matrices are row minus column, in `contenders` order, higher is better.

    score: mean over the samples that all answered, in the benchmark's unit. dropped: samples left out.
    method: "mcnemar" or "bootstrap". wins: samples on which the row was better. p: of equal means; p_adjusted: by
    Holm over all pairs shown. equivalence_p: of a difference of `margin` or more.
    rank_low, rank_high: one plus those significantly better, all minus those significantly worse.
    top: the leader, then all that it is not significantly better than. samples_to_separate: in all, for the leader
    to be told from each of them at 80 % power if the differences seen are real; infinite where there is none.
    """

    contenders: tuple[str, ...]
    n: int
    dropped: int
    method: str
    score: Floats
    standard_error: Floats | None
    difference: Floats
    low: Floats
    high: Floats
    wins: Integers
    p: Floats
    p_adjusted: Floats
    equivalence_p: Floats
    rank_low: Integers
    rank_high: Integers
    top: tuple[str, ...]
    samples_to_separate: float
    verdict: str
    benchmarks: int
    warnings: tuple[str, ...]
    higher_is_better: bool


def compute(table: ScoreTable, params: ComparisonParams) -> ComparisonResult:
    """Compare all pairs on the samples that every contender answered. Raises NotEnoughData when there are none."""
    if len(set(table.higher_is_better)) > 1:
        raise BadParameter("Benchmarks of both directions have no common mean.", field="higher_is_better")
    names = tuple(sorted(table.contenders))  # the last digit of a sum must not depend on the order of rows
    order = [table.contenders.index(name) for name in names]
    values, whole, warnings = _joined(table)
    sign = 1.0 if table.higher_is_better[0] else -1.0
    scores = np.ascontiguousarray(values[order]) * sign
    groups = table.benchmark_of[whole]
    found, wins, p, method = _tested(scores, groups, params)
    adjusted = _over_pairs(p)
    better = (found.value > 0) & (adjusted <= 1 - params.level)
    rank_low, rank_high = rank_intervals(better)
    top, needed = _top(scores.mean(axis=1), better, scores, params)
    low, high = found.interval(params.level)
    np.fill_diagonal(low, 0.0)
    np.fill_diagonal(high, 0.0)
    back = [names.index(name) for name in table.contenders]
    square = np.ix_(back, back)
    return ComparisonResult(
        contenders=table.contenders,
        n=scores.shape[1],
        dropped=int((~whole).sum()),
        method=method,
        score=sign * scores.mean(axis=1)[back],
        standard_error=scores.std(axis=1, ddof=1)[back] / np.sqrt(scores.shape[1]) if scores.shape[1] > 1 else None,
        difference=found.value[square],
        low=low[square],
        high=high[square],
        wins=wins[square],
        p=p[square],
        p_adjusted=adjusted[square],
        equivalence_p=found.equivalence_p(params.margin)[square],
        rank_low=rank_low[back],
        rank_high=rank_high[back],
        top=tuple(names[row] for row in top),
        samples_to_separate=needed,
        verdict=_board_verdict([names[row] for row in top], needed, scores.shape[1]),
        benchmarks=len(set(groups.tolist())),
        warnings=warnings,
        higher_is_better=sign > 0,
    )


def _joined(table: ScoreTable) -> tuple[Floats, Flags, tuple[str, ...]]:
    """(contender, sample) means over attempts of the shared samples, which samples these are, and what was dropped."""
    made = ~np.isnan(table.values)
    attempts = made.sum(axis=2)
    whole = (attempts > 0).all(axis=0)
    lacking = [table.contenders[row] for row in np.flatnonzero((attempts == 0).any(axis=1)).tolist()]
    if not bool(whole.any()):
        raise NotEnoughData(f"No sample was answered by all; missing are some of {', '.join(lacking)}.")
    values = np.where(made, table.values, 0.0).sum(axis=2)[:, whole] / attempts[:, whole]
    dropped = int((~whole).sum())
    said = (f"{dropped} samples were left out: not answered by {', '.join(lacking)}.",) if dropped else ()
    return values, whole, said


def _tested(scores: Floats, groups: Integers, params: ComparisonParams) -> tuple[Differences, Integers, Floats, str]:
    """Differences, wins and p of every pair, and the method that fits the scores."""
    binary = bool(np.isin(scores, (0.0, 1.0)).all() or np.isin(scores, (0.0, -1.0)).all())
    if binary and not params.cluster:
        right = np.rint(scores).astype(np.int64).sum(axis=1)
        apart = pair_counts(planes(scores == scores.max()))
        wins = (apart + right[:, None] - right[None, :]) // 2
        return binary_differences(wins, wins.T, scores.shape[1]), wins, mcnemar_exact(wins, wins.T), "mcnemar"
    wins = np.stack([(row > scores).sum(axis=1, dtype=np.int64) for row in scores])
    clusters = groups if params.cluster else None
    found = bootstrap_differences(scores, groups=clusters, resamples=params.resamples, seed=params.seed)
    return found, wins, found.p_values(), "bootstrap"


def _over_pairs(p: Floats) -> Floats:
    """(contender, contender) p adjusted over the pairs, each counted once; 1 on the diagonal."""
    adjusted = np.ones_like(p)
    pairs = np.triu_indices(len(p), 1)
    adjusted[pairs] = holm(p[pairs])
    return np.minimum(adjusted, adjusted.T)


def _top(means: Floats, better: Flags, scores: Floats, params: ComparisonParams) -> tuple[list[int], float]:
    """The leader and all that it is not better than, from the top, and the samples that would separate them."""
    order = np.argsort(-means, kind="stable").tolist()
    leader = order[0]
    top = [leader, *(row for row in order[1:] if not better[leader, row])]
    reach = two_sided(params.level) + two_sided(2 * POWER - 1)
    needed = 0.0
    for row in top[1:]:
        change = scores[leader] - scores[row]
        lead = float(change.mean())
        needed = max(needed, reach**2 * float(change.var()) / lead**2 if lead else inf)
    return top, needed


def _board_verdict(top: list[str], needed: float, n: int) -> str:
    if len(top) == 1:
        return f"{top[0]} leads: on these {n:,} samples it is better than every other contender."
    names = f"{', '.join(top[:-1])} and {top[-1]}"
    if not isfinite(needed):
        return f"These {n:,} samples cannot separate {names}: some have equal scores."
    more = max(0, ceil(needed) - n)
    return f"These {n:,} samples cannot separate {names}; about {more:,} more would, if the differences seen are real."


@dataclass(frozen=True)
class PairComparison:
    """Two contenders on the samples that both answered; difference is first minus second, in accuracy.

    answers_changed: samples with different answers, right or wrong, with the exact interval of its share.
    only_first, only_second: samples that only this one has right. mcnemar_p tests equal accuracy, not equal answers.
    equivalence_p: of a difference of `margin` or more. samples_needed: in all, to see this difference at 80 % power.
    """

    first: str
    second: str
    n: int
    dropped: int
    accuracy_first: float
    accuracy_second: float
    difference: float
    interval: tuple[float, float]
    mcnemar_p: float
    only_first: int
    only_second: int
    both_right: int
    both_wrong: int
    wrong_to_other_wrong: int
    answers_changed: int
    answers_changed_share: float
    answers_changed_interval: tuple[float, float]
    margin: float
    equivalence_p: float
    samples_needed: float
    verdict: str


def compare(
    table: AnswerTable, first: str, second: str, *, level: float = 0.95, margin: float = 0.01
) -> PairComparison:
    """Effect, test and flips of two contenders. Raises BadTable for an unknown name, BadParameter for a name twice."""
    if first == second:
        raise BadParameter("A contender compared with itself shows nothing.", field="second")
    pair = table.select([first, second]).common()
    right, n = pair.correct, len(pair.samples)
    wins, losses = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    both = int((right[0] & right[1]).sum())
    changed = int((pair.labels[0] != pair.labels[1]).sum())
    found = binary_differences(wins, losses, n)
    low, high = found.interval(level)
    share_low, share_high = clopper_pearson(changed, n, level)
    mcnemar, equivalence = float(mcnemar_exact(wins, losses)), float(found.equivalence_p(margin))
    difference, flips = (wins - losses) / n, (wins + losses) / n
    needed = samples_needed(difference, flips, power=POWER, level=level)
    return PairComparison(
        first=first,
        second=second,
        n=n,
        dropped=len(table.samples) - n,
        accuracy_first=(both + wins) / n,
        accuracy_second=(both + losses) / n,
        difference=difference,
        interval=(float(low), float(high)),
        mcnemar_p=mcnemar,
        only_first=wins,
        only_second=losses,
        both_right=both,
        both_wrong=n - both - wins - losses,
        wrong_to_other_wrong=changed - int(((pair.labels[0] != pair.labels[1]) & right.any(axis=0)).sum()),
        answers_changed=changed,
        answers_changed_share=changed / n,
        answers_changed_interval=(float(share_low), float(share_high)),
        margin=margin,
        equivalence_p=equivalence,
        samples_needed=needed,
        verdict=verdict(first, second, n, found, mcnemar, equivalence, margin=margin, level=level, needed=needed)
        + f" Their answers differ on {changed:,} of {n:,} samples.",
    )


def verdict(
    first: str,
    second: str,
    n: int,
    found: Differences,
    p: float,
    equivalence: float,
    *,
    margin: float,
    level: float,
    needed: float,
) -> str:
    """One sentence: better, equal within the margin, or not told apart by these samples."""
    low, high = found.interval(level)
    difference = float(found.value)
    seen = f"{100 * difference:+.1f} points, {100 * float(low):+.1f} to {100 * float(high):+.1f}, p = {p:.3g}"
    if p <= 1 - level:
        better, worse = (first, second) if difference > 0 else (second, first)
        return f"{better} is more accurate than {worse} ({first} minus {second}: {seen})."
    if equivalence <= 1 - level:
        return f"{first} and {second} are equally accurate within {100 * margin:g} points ({seen})."
    more = f" About {max(0, ceil(needed) - n):,} more would show such a difference." if isfinite(needed) else ""
    return f"These {n:,} samples cannot tell whether {first} or {second} is more accurate ({seen}).{more}"


def ranking(result: ComparisonResult) -> Ranking:
    """Mean scores, with the ranks that paired tests leave open."""
    half = None if result.standard_error is None else two_sided(0.95) * result.standard_error
    return Ranking(
        contenders=result.contenders,
        value=result.score,
        standard_error=result.standard_error,
        low=None if half is None else result.score - half,
        high=None if half is None else result.score + half,
        rank_low=result.rank_low,
        rank_high=result.rank_high,
        benchmarks_used=np.full(len(result.contenders), result.benchmarks, dtype=np.int64),
        higher_is_better=result.higher_is_better,
    )


COMPARISON: Analysis[ScoreTable, ComparisonParams, ComparisonResult] = Analysis(
    title="Paired comparison",
    Params=ComparisonParams,
    compute=compute,
    version=2,
    source="McNemar 1947; Holm 1979; Tango 1998; Adding Error Bars to Evals, arXiv 2411.00640",
    needs="samples",
    ranking=ranking,
)
