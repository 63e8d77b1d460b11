"""One number per contender from its mean scores: mean score, mean z-score, mean win rate.

The standard errors are those of the samples: every score is redrawn from Normal(score, standard error) and the whole
statistic computed again. Without known standard errors there is none, and ranks are those of the values alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Analysis, Ranking, parameter
from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import BenchmarkTable, Floats
from evaluation.uncertainty import rank_intervals, separated, two_sided

Statistic = Callable[[Floats], Floats]  # (..., contender, benchmark), higher is better -> (..., contender)
MISSING = ("strict", "available")


@dataclass(frozen=True)
class AggregateParams:
    """What happens to missing scores, and how the errors are found."""

    missing: str = parameter("strict", "A missing score is refused, or its benchmark is skipped", choices=MISSING)
    redraws: int = parameter(200, "Redraws of the scores for the standard error", minimum=2, maximum=100_000)
    seed: int = parameter(1, "Seed of the redraws", minimum=0, maximum=2**63 - 1)


@dataclass(frozen=True)
class WinRateParams(AggregateParams):
    """As HELM does it, a missing score is skipped unless asked otherwise."""

    missing: str = parameter("available", "A missing score is refused, or its benchmark is skipped", choices=MISSING)


def mean_score(table: BenchmarkTable, params: AggregateParams) -> Ranking:
    """Plain mean over the benchmarks. Raises BadTable when some benchmarks are better higher and some lower."""
    if len(set(table.higher_is_better)) > 1:
        remedy = "Use the mean z-score or the mean win rate."
        raise BadTable(
            "A mean score cannot mix benchmarks of both directions.", field="higher_is_better", remedy=remedy
        )
    return _aggregate(table, params, _mean, 1.0 if table.higher_is_better[0] else -1.0)


def mean_z_score(table: BenchmarkTable, params: AggregateParams) -> Ranking:
    """Mean over the benchmarks of the distance to the field's mean, in standard deviations of the field."""
    return _aggregate(table, params, _mean_z)


def win_rate(table: BenchmarkTable, params: AggregateParams) -> Ranking:
    """Mean over the benchmarks of the share of the other contenders that are beaten; a tie is half a win."""
    return _aggregate(table, params, _mean_wins)


def _aggregate(table: BenchmarkTable, params: AggregateParams, statistic: Statistic, sign: float = 1.0) -> Ranking:
    """The statistic with its error and ranks; sign: -1 turns the printed value back where lower is better."""
    table.refuse_holes(params.missing)
    value = statistic(table.turned)
    if bool(np.isnan(value).any()):
        alone = table.contenders[int(np.isnan(value).argmax())]
        raise NotEnoughData(f"{alone} shares no benchmark with another contender.", field="contenders")
    error = _redrawn_error(table, params, statistic)
    low, high = rank_intervals(separated(value, error))
    half = None if error is None else two_sided(0.95) * error
    return Ranking(
        contenders=table.contenders,
        value=sign * value,
        standard_error=error,
        low=None if half is None else sign * value - half,
        high=None if half is None else sign * value + half,
        rank_low=low,
        rank_high=high,
        benchmarks_used=table.benchmarks_used,
        higher_is_better=sign > 0,
    )


def _redrawn_error(table: BenchmarkTable, params: AggregateParams, statistic: Statistic) -> Floats | None:
    """(contender,) standard deviation of the statistic over redrawn tables; None when an error is not known."""
    names = sorted(table.contenders)
    canonical = table.select(contenders=names)
    errors = canonical.standard_error
    if errors is None or bool((np.isnan(errors) & ~np.isnan(canonical.mean)).any()):
        return None
    rng = np.random.default_rng(params.seed)
    drawn = [statistic(canonical.turned + rng.standard_normal(errors.shape) * errors) for _ in range(params.redraws)]
    spread = dict(zip(names, np.std(drawn, axis=0, ddof=1).tolist(), strict=True))
    return np.array([spread[name] for name in table.contenders])


def _mean(scores: Floats) -> Floats:
    """Mean of what is there, the same whatever the order of the benchmarks."""
    present = (~np.isnan(scores)).sum(axis=-1)
    total = np.nansum(np.sort(scores, axis=-1), axis=-1)
    return np.asarray(np.divide(total, present, out=np.full_like(total, np.nan), where=present > 0))


def _mean_z(scores: Floats) -> Floats:
    present = np.maximum((~np.isnan(scores)).sum(axis=-2, keepdims=True), 1)
    centred = scores - np.nansum(np.sort(scores, axis=-2), axis=-2, keepdims=True) / present
    spread = np.sqrt(np.nansum(np.sort(centred**2, axis=-2), axis=-2, keepdims=True) / present)
    return _mean(np.divide(centred, spread, out=centred * 0.0, where=spread > 0))


def _mean_wins(scores: Floats) -> Floats:
    return _mean(np.apply_along_axis(_wins, -2, scores))


def _wins(scores: Floats) -> Floats:
    """(contender,) share of the others with a score that are beaten; NaN where nobody can be compared."""
    kept = np.sort(scores[~np.isnan(scores)])
    below = (np.searchsorted(kept, scores, "left") + np.searchsorted(kept, scores, "right") - 1) / 2
    return np.where(np.isnan(scores) | (kept.size < 2), np.nan, below / max(kept.size - 1, 1))


MEAN_SCORE: Analysis[BenchmarkTable, AggregateParams, Ranking] = Analysis(
    title="Mean score",
    Params=AggregateParams,
    compute=mean_score,
    version=1,
    source="Arithmetic mean over benchmarks",
    needs="means",
    ranking=lambda result: result,
)
MEAN_Z_SCORE: Analysis[BenchmarkTable, AggregateParams, Ranking] = Analysis(
    title="Mean z-score",
    Params=AggregateParams,
    compute=mean_z_score,
    version=1,
    source="Mean over benchmarks of scores standardised within the field (population standard deviation)",
    needs="means",
    ranking=lambda result: result,
)
WIN_RATE: Analysis[BenchmarkTable, WinRateParams, Ranking] = Analysis(
    title="Mean win rate",
    Params=WinRateParams,
    compute=win_rate,
    version=1,
    source="Holistic Evaluation of Language Models, arXiv 2211.09110",
    needs="means",
    ranking=lambda result: result,
)
