"""What quantisation changes: every scheme against the reference of its entry, on the same samples.

Accuracy alone hides change: answers that were right become wrong and others the other way round, and the loss is only
what does not cancel ("Accuracy is Not All You Need", arXiv 2407.09141). So flips are counted in both directions, with
how far the probabilities moved and how sure the reference was where an answer flipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.answers import AnswerTable
from evaluation.errors import BadParameter, NotEnoughData
from evaluation.paired import binary_differences, clopper_pearson
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import Flags, holm, mcnemar_exact

REFERENCES = ("fp32", "bf16", "fp16")  # schemes that stand for an entry as it is, the most exact one first
NOBODY = "Nothing is compared: every contender is its entry's own reference."


@dataclass(frozen=True)
class QuantizationParams:
    """What is compared with what."""

    reference: str = parameter(
        "", "Contender that all others are compared with; empty: each entry's own fp32, bf16 or fp16, else the first"
    )
    level: float = parameter(0.95, "Confidence level of intervals and verdicts", minimum=0.5, maximum=0.9999)
    bins: int = parameter(5, "Groups of equal size by how sure the reference was", minimum=1, maximum=50)


@dataclass(frozen=True, eq=False)
class Shares(Frozen):
    """Samples of a kind, per contender: count, share of its samples, and the share's exact interval."""

    count: Integers
    share: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Margins(Frozen):
    """Flips by the reference's margin, its probability of the first choice less that of the second.

    edges: (contender, bin + 1) from sure of nothing to sure; samples, flips: (contender, bin).
    of_flips: (contender,) median margin of the samples whose answer changed; NaN where none did.
    """

    edges: Floats
    samples: Integers
    flips: Integers
    of_flips: Floats


@dataclass(frozen=True, eq=False)
class QuantizationResult(Frozen):
    """Arrays are in `contenders` order; a contender that is its own reference has NaN where two would be compared.

    reference: whom each is compared with. n: samples that it and all others with this reference answered.
    difference: of accuracy, contender minus reference, with its interval; p: McNemar's exact test; p_adjusted: by Holm
    over all comparisons. changed: other answers, right or wrong; lost: right before and wrong now; won: the other way;
    other_wrong: from one wrong answer to another. kl_mean, kl_p95: divergence of choice probabilities from the
    reference's in nats, over samples; None without probabilities. verdicts: one sentence each, "" for a reference.
    """

    contenders: tuple[str, ...]
    reference: tuple[str, ...]
    n: Integers
    accuracy: Floats
    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    p_adjusted: Floats
    changed: Shares
    lost: Shares
    won: Shares
    other_wrong: Shares
    kl_mean: Floats | None
    kl_p95: Floats | None
    margins: Margins | None
    level: float
    verdicts: tuple[str, ...]
    verdict: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Pair:
    """A contender (now) and its reference (before) on n samples: flags, all (sample,).

    kl and margin: None without probabilities.
    """

    right: Flags
    changed: Flags
    lost: Flags
    won: Flags
    other_wrong: Flags
    kl: Floats | None
    margin: Floats | None

    @property
    def n(self) -> int:
        return len(self.right)


def compute(table: AnswerTable, params: QuantizationParams) -> QuantizationResult:
    """Compare each contender with its reference. Raises NotEnoughData where nobody has one."""
    reference_of, warnings = _references(table.contenders, params.reference)
    names = tuple(name for name in table.contenders if name in reference_of)
    pairs: dict[str, _Pair] = {}
    for reference in dict.fromkeys(reference_of.values()):
        members = [name for name in names if reference_of[name] == reference]
        group = table.select(members).common()
        dropped = len(table.samples) - len(group.samples)
        if dropped:
            lacking = [name for name in members if table.holes[table.position(name)].any()]
            warnings.append(f"{dropped} samples were left out: not answered by {', '.join(lacking)}.")
        pairs |= {name: _pair(group, name, reference) for name in members}
    references = tuple(reference_of[name] for name in names)
    return _result(names, references, [pairs[name] for name in names], params, warnings)


def _references(names: tuple[str, ...], wanted: str) -> tuple[Mapping[str, str], list[str]]:
    """Whom each contender is compared with, and a warning for each that has nobody."""
    if wanted and wanted not in names:
        raise BadParameter(
            f"There is no contender “{wanted}”.", field="reference", remedy=f"Known: {', '.join(names)}."
        )
    if wanted or not any("@" in name for name in names):
        return dict.fromkeys(names, wanted or names[0]), []
    found = {}
    for name in names:
        entry = name.rpartition("@")[0]
        own = next((f"{entry}@{scheme}" for scheme in REFERENCES if f"{entry}@{scheme}" in names), None)
        if own is not None:
            found[name] = own
    if not found:
        raise NotEnoughData(
            f"None of {', '.join(names)} can be compared with a reference of the same entry.",
            field="reference",
            remedy="Evaluate the entry in fp32, bf16 or fp16, too, or name a reference.",
        )
    return found, [f"{name} has no reference and was left out." for name in names if name not in found]


def _pair(group: AnswerTable, name: str, reference: str) -> _Pair:
    now, before = group.position(name), group.position(reference)
    right, was_right = group.correct[now], group.correct[before]
    changed = group.labels[now] != group.labels[before]
    kl = margin = None
    if group.probabilities is not None:
        kl = divergence(group.probabilities[before], group.probabilities[now])
        best = np.sort(group.probabilities[before], axis=1)
        margin = best[:, -1] - best[:, -2] if best.shape[1] > 1 else best[:, -1]
    return _Pair(
        right=right,
        changed=changed,
        lost=was_right & ~right,
        won=right & ~was_right,
        other_wrong=changed & ~right & ~was_right,
        kl=kl,
        margin=margin,
    )


def divergence(reference: Floats, found: Floats) -> Floats:
    """(sample,) KL(reference || found) in nats, from probabilities (sample, choice); infinite where `found` rules out
    what the reference holds possible."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(reference > 0, reference * (np.log(reference) - np.log(found)), 0.0)
    return np.asarray(np.maximum(terms.sum(axis=1), 0.0))


def _result(
    names: tuple[str, ...],
    references: tuple[str, ...],
    pairs: list[_Pair],
    params: QuantizationParams,
    warnings: list[str],
) -> QuantizationResult:
    compared = np.array([name != reference for name, reference in zip(names, references, strict=True)])
    lost, won = (_shares(flags, params.level) for flags in ([x.lost for x in pairs], [x.won for x in pairs]))
    changed = _shares([pair.changed for pair in pairs], params.level)
    difference, low, high = _differences(won.count, lost.count, pairs, compared, params.level)
    p, adjusted = _tested(won.count, lost.count, compared)
    kl = [pair.kl for pair in pairs if pair.kl is not None]
    known = len(kl) == len(pairs)
    verdicts = tuple(
        _verdict(name, pair.n, change, share, one_p <= 1 - params.level) if differs else ""
        for name, pair, change, share, one_p, differs in zip(
            names, pairs, difference.tolist(), changed.share.tolist(), adjusted.tolist(), compared.tolist(), strict=True
        )
    )
    return QuantizationResult(
        contenders=names,
        reference=references,
        n=np.array([pair.n for pair in pairs]),
        accuracy=np.array([pair.right.mean() for pair in pairs]),
        difference=difference,
        low=low,
        high=high,
        p=p,
        p_adjusted=adjusted,
        changed=changed,
        lost=lost,
        won=won,
        other_wrong=_shares([pair.other_wrong for pair in pairs], params.level),
        kl_mean=np.array([one.mean() for one in kl]) if known else None,
        kl_p95=np.array([np.quantile(one, 0.95, method="higher") for one in kl]) if known else None,
        margins=_margins(pairs, params.bins),
        level=params.level,
        verdicts=verdicts,
        verdict="; ".join(filter(None, verdicts)) + "." if compared.any() else NOBODY,
        warnings=(*warnings, *_ruled_out(names, pairs)),
    )


def _shares(flags: list[Flags], level: float) -> Shares:
    count = np.array([int(one.sum()) for one in flags], dtype=np.int64)
    ends = [clopper_pearson(found, len(one), level) for found, one in zip(count, flags, strict=True)]
    low, high = (np.array([float(pair[end]) for pair in ends]) for end in (0, 1))
    return Shares(count, np.array([one.mean() for one in flags]), low, high)


def _differences(
    won: Integers, lost: Integers, pairs: list[_Pair], compared: Flags, level: float
) -> tuple[Floats, Floats, Floats]:
    """Of accuracy, contender minus reference, and Tango's interval; NaN for a reference."""
    found = np.full((3, len(pairs)), np.nan)
    for row in np.flatnonzero(compared).tolist():
        one = binary_differences(won[row], lost[row], pairs[row].n)
        low, high = one.interval(level)
        found[:, row] = float(one.value), float(low), float(high)
    return found[0], found[1], found[2]


def _tested(won: Integers, lost: Integers, compared: Flags) -> tuple[Floats, Floats]:
    """McNemar's exact p, and the same adjusted over all comparisons; NaN for a reference."""
    p, adjusted = np.full(len(won), np.nan), np.full(len(won), np.nan)
    p[compared] = mcnemar_exact(won[compared], lost[compared])
    adjusted[compared] = holm(p[compared])
    return p, adjusted


def _margins(pairs: list[_Pair], bins: int) -> Margins | None:
    """Samples and flips in groups of about equal size, from the margins at which the reference hesitated most."""
    if any(pair.margin is None for pair in pairs):
        return None
    edges = np.zeros((len(pairs), bins + 1))
    samples, flips = np.zeros((len(pairs), bins), dtype=np.int64), np.zeros((len(pairs), bins), dtype=np.int64)
    of_flips = np.full(len(pairs), np.nan)
    for row, pair in enumerate(pairs):
        margin = np.asarray(pair.margin)
        edges[row] = np.quantile(margin, np.linspace(0, 1, bins + 1))
        place = np.clip(np.searchsorted(edges[row], margin, side="right") - 1, 0, bins - 1)
        samples[row] = np.bincount(place, minlength=bins)
        flips[row] = np.bincount(place[pair.changed], minlength=bins)
        if pair.changed.any():
            of_flips[row] = np.median(margin[pair.changed])
    return Margins(edges, samples, flips, of_flips)


def _ruled_out(names: tuple[str, ...], pairs: list[_Pair]) -> list[str]:
    """Warnings where a divergence is infinite: most often a probability that was printed as 0."""
    return [
        f"{name} gives probability 0 to a choice that its reference holds possible on {int(count)} samples: its mean "
        "divergence is infinite."
        for name, pair in zip(names, pairs, strict=True)
        if pair.kl is not None and (count := np.isinf(pair.kl).sum())
    ]


def _verdict(name: str, n: int, difference: float, changed: float, significant: bool) -> str:
    """What it costs, or that these samples cannot say; never without how many answers it changes."""
    if significant:
        verb = "costs" if difference < 0 else "gains"
        return f"{name} {verb} {_number(abs(difference))} points and changes {_number(changed)} % of the answers"
    return f"{name} is indistinguishable at {n:,} samples ({_number(changed)} % of the answers change)"


def _number(share: float) -> str:
    """3.3 or 12: one decimal below ten."""
    return f"{100 * share:.1f}" if share < 0.0995 else f"{100 * share:.0f}"


QUANTIZATION: Analysis[AnswerTable, QuantizationParams, QuantizationResult] = Analysis(
    title="What quantisation changes",
    Params=QuantizationParams,
    compute=compute,
    version=1,
    source="Accuracy is Not All You Need, arXiv 2407.09141; McNemar 1947; Holm 1979; Tango 1998",
    needs="answers",
)
