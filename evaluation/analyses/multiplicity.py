"""Predictive multiplicity: contenders that are as good as the baseline and yet answer otherwise.

After "Predictive Multiplicity in Classification" (ICML 2020) and "Predictive Multiplicity in Probabilistic
Classification" (arXiv 2206.01131), with the contenders of a benchmark as the competing models. Ambiguity is the share
of samples on which some competitor's answer is not the baseline's, discrepancy the largest share for one competitor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.analyses.competing.agreement import (
    cohen_kappas,
    excess_agreement,
    fleiss_kappa,
    local_labels,
    rarefied,
    votes,
)
from evaluation.analyses.competing.capacity import capacities
from evaluation.analyses.competing.levels import METRICS, Curve, Level, epsilon_curve, level_of, losses
from evaluation.analyses.competing.probabilities import (
    GRID,
    delta_curve,
    distances,
    margins,
    noise_floor,
    viable_ranges,
)
from evaluation.answers import AnswerTable, Flags
from evaluation.bits import counts, differing, pair_counts, planes
from evaluation.errors import BadParameter
from evaluation.paired import clopper_pearson, maximum_interval
from evaluation.tables import Floats, Integers, ScoreTable

NAN = float("nan")
Range = tuple[float, float]
Spread = tuple[Floats, Floats]  # (sample,) capacity in bits, and how much of it is not certified


@dataclass(frozen=True)
class MultiplicityParams:
    """Who competes, and what counts as a conflict."""

    epsilon: float = parameter(0.01, "Competitors are at most this much worse than the baseline", minimum=0)
    delta: float = parameter(0.2, "Probabilities this far apart are in conflict", minimum=0, maximum=1)
    baseline: str = parameter("", "Contender to compare with; empty: the best by the metric")
    metric: str = parameter("accuracy", "What a competitor must be as good in", choices=METRICS)
    repeat: str = parameter("", "“first=again”: one contender run twice, whose flips are noise; “again” is left out")


@dataclass(frozen=True, eq=False)
class Samples(Frozen):
    """One number per sample. dissenters: competitors whose answer is not the baseline's.

    self_consistency: share of pairs of the level set that agree. right: share of the level set that is right.
    gold_low, gold_high: range of the right answer's probability; margin: of the baseline's first choice over the
    second; capacity: in bits; NaN without probabilities.
    """

    names: tuple[str, ...]
    dissenters: Integers
    self_consistency: Floats
    right: Floats
    gold_low: Floats
    gold_high: Floats
    margin: Floats
    capacity: Floats


@dataclass(frozen=True)
class Group:
    """Ambiguity inside one subject or benchmark, with its exact 95 % interval."""

    name: str
    n: int
    ambiguity: float
    interval: Range


@dataclass(frozen=True, eq=False)
class Probable(Frozen):
    """The report by probabilities. ambiguity, discrepancy: shares of samples in conflict by at least delta.

    capacity: mean bits; capacity_choices: mean of 2^bits; capacity_gap: largest certified error of a sample's bits.
    delta_curve: at the 20 steps of a twentieth. ties: samples on which a contender's two best choices are equal.
    """

    ambiguity: float
    discrepancy: float
    capacity: float
    capacity_choices: float
    capacity_gap: float
    delta_curve: Curve
    ties: Integers


@dataclass(frozen=True, eq=False)
class MultiplicityResult(Frozen):
    """Shares are of samples, 0 to 1; matrices and arrays over contenders are in `contenders` order.

    level_set: names, the baseline among them. ambiguity and discrepancy go by answers. obscurity: mean share of
    flipped answers over the competitors. pairwise_disagreement: mean over pairs of the level set. A mean over nobody
    is NaN. rarefaction: expected ambiguity of 1, 2, ... random competitors. level: verdicts and intervals for all.
    nobody, everybody: samples that none, or all, of the contenders have right. noise_floor: None without `repeat`.
    """

    contenders: tuple[str, ...]
    n: int
    dropped: int
    baseline: str
    metric: str
    epsilon: float
    delta: float
    accuracy: Floats
    level_set: tuple[str, ...]
    level: Level
    ambiguity: float
    ambiguity_interval: Range
    discrepancy: float
    discrepancy_interval: Range
    discrepancy_contender: str | None
    obscurity: float
    pairwise_disagreement: float
    fleiss_kappa: float
    capacity: float
    probability_ambiguity: float
    probability_discrepancy: float
    flips: Floats
    flips_low: Floats
    flips_high: Floats
    disagreement: Floats
    excess_agreement: Floats
    cohen_kappa: Floats
    epsilon_curve: Curve
    rarefaction: Floats
    probable: Probable | None
    nobody: int
    everybody: int
    groups: tuple[Group, ...]
    samples: Samples
    noise_floor: float | None
    warnings: tuple[str, ...]


def compute(table: AnswerTable | ScoreTable, params: MultiplicityParams) -> MultiplicityResult:
    """The report of the samples that every contender answered. A ScoreTable counts right and wrong as the answers."""
    given = table if isinstance(table, AnswerTable) else AnswerTable.from_scores(table)
    noise, kept = _without_repeat(given, params.repeat)
    whole = kept.common()
    n, choices = len(whole.samples), len(whole.choices)
    baseline = _baseline(whole, params)
    level = level_of(whole, baseline, params.metric, params.epsilon)
    inside = np.flatnonzero(level.inside)
    rivals = inside[inside != baseline]
    words = planes(whole.labels)
    changed = differing(words, baseline)
    flips = counts(changed)
    ambiguous = int(counts(np.bitwise_or.reduce(changed[rivals], axis=0, initial=np.uint64(0))))
    apart = pair_counts(words) / n
    most, worst = _largest(whole, flips, rivals)
    accuracy = whole.correct.mean(axis=1)
    local = local_labels(whole.labels[inside], choices)
    totals = np.bincount(whole.labels[inside].ravel(), minlength=choices)
    spread = None if whole.probabilities is None else capacities(whole.probabilities[inside])
    probable = _probable(whole, baseline, inside, params, spread)
    samples = _samples(whole, baseline, inside, local, spread)
    low, high = clopper_pearson(flips, n)
    return MultiplicityResult(
        contenders=whole.contenders,
        n=n,
        dropped=len(given.samples) - n,
        baseline=whole.contenders[baseline],
        metric=params.metric,
        epsilon=params.epsilon,
        delta=params.delta,
        accuracy=accuracy,
        level_set=tuple(whole.contenders[row] for row in inside.tolist()),
        level=level,
        ambiguity=ambiguous / n,
        ambiguity_interval=_interval(ambiguous, n),
        discrepancy=most / n,
        discrepancy_interval=maximum_interval(flips[rivals], n) if rivals.size else (0.0, 0.0),
        discrepancy_contender=worst,
        obscurity=float(flips[rivals].mean()) / n if rivals.size else NAN,
        pairwise_disagreement=_mean_pair(apart[np.ix_(inside, inside)]),
        fleiss_kappa=fleiss_kappa(votes(local), totals),
        capacity=NAN if probable is None else probable.capacity,
        probability_ambiguity=NAN if probable is None else probable.ambiguity,
        probability_discrepancy=NAN if probable is None else probable.discrepancy,
        flips=flips / n,
        flips_low=low,
        flips_high=high,
        disagreement=apart,
        excess_agreement=excess_agreement(apart, accuracy, whole.luck),
        cohen_kappa=cohen_kappas(whole.labels, apart, choices),
        epsilon_curve=epsilon_curve(words, baseline, level.deficit, n),
        rarefaction=rarefied(samples.dissenters, int(rivals.size)),
        probable=probable,
        nobody=int((~whole.correct.any(axis=0)).sum()),
        everybody=int(whole.correct.all(axis=0).sum()),
        groups=_groups(whole, samples.dissenters > 0),
        samples=samples,
        noise_floor=noise,
        warnings=_warnings(given, whole, level, rivals, flips / n, noise),
    )


def _without_repeat(table: AnswerTable, repeat: str) -> tuple[float | None, AnswerTable]:
    """Noise of the contender that was run twice, and the table without its second run."""
    if not repeat:
        return None, table
    first, _, again = repeat.partition("=")
    if not again or first == again:
        raise BadParameter(f"“{repeat}” does not name two runs.", field="repeat", remedy="Write first=again.")
    noise = noise_floor(table, first, again)
    return noise, table.select([name for name in table.contenders if name != again])


def _baseline(table: AnswerTable, params: MultiplicityParams) -> int:
    """Row of the baseline; among equals the first by name, so that the order of rows does not matter."""
    if params.baseline:
        if params.baseline not in table.contenders:
            known = f"Known: {', '.join(table.contenders)}."
            raise BadParameter(f"There is no contender “{params.baseline}”.", field="baseline", remedy=known)
        return table.contenders.index(params.baseline)
    charged = losses(table, params.metric).mean(axis=1).tolist()
    return min(range(len(charged)), key=lambda row: (charged[row], table.contenders[row]))


def _largest(table: AnswerTable, flips: Integers, rivals: Integers) -> tuple[int, str | None]:
    """Most flips of one competitor, and whose; the first by name among equals."""
    if not rivals.size:
        return 0, None
    count, name = min((-int(flips[row]), table.contenders[row]) for row in rivals.tolist())
    return -count, name


def _mean_pair(apart: Floats) -> float:
    size = len(apart)
    return float(apart.sum()) / (size * (size - 1)) if size > 1 else NAN


def _interval(successes: int, n: int) -> Range:
    low, high = clopper_pearson(successes, n)
    return float(low), float(high)


def _probable(
    table: AnswerTable,
    baseline: int,
    inside: Integers,
    params: MultiplicityParams,
    spread: Spread | None,
) -> Probable | None:
    """The report by probabilities, None where there are none. spread: capacity and its gap, per sample."""
    if table.probabilities is None or spread is None:
        return None
    rivals = inside[inside != baseline]
    apart = distances(table.probabilities[rivals], table.probabilities[baseline]) if rivals.size else np.zeros((0, 1))
    at_delta = delta_curve(apart, (params.delta,))
    bits, gap = spread
    return Probable(
        ambiguity=float(at_delta.ambiguity[0]),
        discrepancy=float(at_delta.discrepancy[0]),
        capacity=float(bits.mean()),
        capacity_choices=float(np.exp2(bits).mean()),
        capacity_gap=float(gap.max()),
        delta_curve=delta_curve(apart, GRID),
        ties=(margins(table.probabilities) == 0).sum(axis=1, dtype=np.int64),
    )


def _samples(table: AnswerTable, baseline: int, inside: Integers, local: Integers, spread: Spread | None) -> Samples:
    size, n = inside.size, len(table.samples)
    ballots = votes(local)
    agreeing = ballots[np.arange(n), local[np.searchsorted(inside, baseline)]]
    pairs = size * (size - 1)
    unknown = np.full(n, np.nan)
    low, high, margin, bits = unknown, unknown, unknown, unknown
    if table.probabilities is not None and spread is not None:
        gold = np.maximum(table.gold, 0)[:, None]
        ends = viable_ranges(table.probabilities[inside])
        low, high = (np.where(table.gold < 0, np.nan, np.take_along_axis(end, gold, axis=1)[:, 0]) for end in ends)
        margin, bits = margins(table.probabilities[baseline]), spread[0]
    return Samples(
        names=table.samples,
        dissenters=size - agreeing,
        self_consistency=((ballots**2).sum(axis=1) - size) / pairs if pairs else unknown,
        right=table.correct[inside].mean(axis=0),
        gold_low=low,
        gold_high=high,
        margin=margin,
        capacity=bits,
    )


def _groups(table: AnswerTable, ambiguous: Flags) -> tuple[Group, ...]:
    names = np.array(table.groups)
    found = []
    for name in dict.fromkeys(table.groups):
        inside = ambiguous[names == name]
        found.append(Group(name, inside.size, float(inside.mean()), _interval(int(inside.sum()), inside.size)))
    return tuple(found)


def _warnings(
    given: AnswerTable, whole: AnswerTable, level: Level, rivals: Integers, flips: Floats, noise: float | None
) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    said = []
    dropped = len(given.samples) - len(whole.samples)
    if dropped:
        lacking = [given.contenders[row] for row in np.flatnonzero(given.holes.any(axis=1)).tolist()]
        said.append(f"{dropped} samples were left out: not answered by {', '.join(lacking)}.")
    undecided = level.verdict.count("undecided")
    if undecided:
        said.append(f"{undecided} of {len(level.verdict)} contenders are neither surely inside the level set nor out.")
    if not rivals.size:
        said.append("No contender competes with the baseline.")
    below = [whole.contenders[row] for row in rivals.tolist() if noise is not None and flips[row] <= noise]
    if below:
        said.append(f"No further from the baseline than a repeated run is: {', '.join(below)}.")
    return tuple(said)


MULTIPLICITY: Analysis[AnswerTable, MultiplicityParams, MultiplicityResult] = Analysis(
    title="Predictive multiplicity",
    Params=MultiplicityParams,
    compute=compute,
    version=2,
    source="Predictive Multiplicity in Probabilistic Classification, arXiv 2206.01131; "
    "Rashomon Capacity, arXiv 2206.01295",
    needs="answers",
)
