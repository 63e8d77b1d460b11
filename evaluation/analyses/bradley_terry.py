"""Bradley-Terry strengths from wins between contenders on the same benchmarks.

P(a beats b) = 1 / (1 + exp(strength_b - strength_a)); every benchmark on which both have a score is one comparison, a
tie half a win each way (Bradley and Terry, 1952). A score table has no order in time, so ratings that depend on one
(Elo, Glicko, TrueSkill) have no place here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.base import Analysis, Ranking, parameter
from evaluation.errors import NotEnoughData
from evaluation.tables import BenchmarkTable, Floats
from evaluation.uncertainty import rank_intervals, two_sided

STEPS, TOLERANCE, ROUNDING = 100, 1e-10, 1e-12
EQUAL = 1e-8  # strengths of equal contenders differ by rounding
MISSING = ("strict", "available")
INTERVALS = ("sandwich", "bootstrap")


Wins = NDArray[np.float32]  # halves up to the number of benchmarks: exact


@dataclass(frozen=True)
class BradleyTerryParams:
    """The penalty that keeps an unbeaten contender finite, and how the intervals are found."""

    missing: str = parameter("strict", "A missing score is refused, or its comparisons are skipped", choices=MISSING)
    ridge: float = parameter(0.01, "Penalty on squared strengths", minimum=1e-9, maximum=1e6)
    interval: str = parameter("sandwich", "Sandwich formula, or benchmarks drawn again", choices=INTERVALS)
    redraws: int = parameter(200, "Bootstrap samples", minimum=20, maximum=100_000)
    seed: int = parameter(1, "Seed of the bootstrap", minimum=0, maximum=2**63 - 1)


def compute(table: BenchmarkTable, params: BradleyTerryParams) -> Ranking:
    """Strengths in natural logarithms of odds, mean 0, with intervals over the choice of benchmarks.

    With one benchmark there is no standard error. Raises NotEnoughData for holes that `missing` does not allow.
    """
    table.refuse_holes(params.missing)
    names = sorted(table.contenders)
    wins = comparisons(table.select(contenders=names).turned)
    strengths = fit(_total(wins), params.ridge)
    if len(wins) < 2:
        covariance, bounds = None, None
    elif params.interval == "sandwich":
        covariance = sandwich(wins, strengths, params.ridge)
        half = two_sided(0.95) * np.sqrt(np.diag(covariance))
        bounds = np.array([strengths - half, strengths + half])
    else:
        drawn = bootstrap(wins, strengths, params)
        covariance, bounds = np.atleast_2d(np.cov(drawn.T)), np.quantile(drawn, [0.025, 0.975], axis=0)
    return _ranking(table, names, strengths, covariance, bounds)


def comparisons(scores: Floats) -> Wins:
    """(benchmark, contender, contender) 1 where the row beats the column, 1/2 for a tie, else (or without both) 0."""
    columns = scores.T
    wins = (columns[:, :, None] > columns[:, None, :]).astype(np.float32)
    wins += np.float32(0.5) * (columns[:, :, None] == columns[:, None, :])
    everyone = np.arange(scores.shape[0])
    wins[:, everyone, everyone] = 0.0
    return wins


def fit(wins: Floats, ridge: float, start: Floats | None = None) -> Floats:
    """(contender,) strengths that maximise sum wins log P - ridge |strengths|^2 / 2, by damped Newton steps."""
    strengths = np.zeros(len(wins)) if start is None else start
    value = _objective(wins, strengths, ridge)
    for _ in range(STEPS):
        gradient, curvature = _derivatives(wins, strengths, ridge)
        step = np.linalg.solve(curvature, gradient)
        enough = value - ROUNDING * abs(value)
        while (better := _objective(wins, strengths + step, ridge)) < enough:
            step /= 2
        strengths, value = strengths + step, better
        if np.abs(step).max() < TOLERANCE:
            return np.asarray(strengths - strengths.mean())
    raise NotEnoughData("The strengths do not settle: the comparisons say too little.", field="ridge")


def sandwich(wins: Wins, strengths: Floats, ridge: float) -> Floats:
    """Covariance of the strengths when benchmarks, not single comparisons, are independent.

    Benchmarks that all agree on the order leave almost no variance: they cannot say how the next one would differ.
    """
    chances = _chances(strengths)
    surprise = np.array([(one - (one + one.T) * chances).sum(axis=1) for one in wins])
    meat = surprise.T @ surprise * len(wins) / (len(wins) - 1)
    _, curvature = _derivatives(_total(wins), strengths, ridge)
    bread = np.linalg.inv(curvature)
    return np.asarray(bread @ meat @ bread)


def bootstrap(wins: Wins, strengths: Floats, params: BradleyTerryParams) -> Floats:
    """(redraw, contender) strengths from benchmarks drawn with replacement."""
    rng = np.random.default_rng(params.seed)
    counts = rng.multinomial(len(wins), np.full(len(wins), 1 / len(wins)), size=params.redraws)
    flat = wins.reshape(len(wins), -1)
    drawn = (np.dot(one.astype(np.float32), flat).astype(np.float64).reshape(wins.shape[1:]) for one in counts)
    return np.array([fit(one, params.ridge, strengths) for one in drawn])


def _total(wins: Wins) -> Floats:
    return np.asarray(wins.sum(axis=0, dtype=np.float64))


def _chances(strengths: Floats) -> Floats:
    """(M, M) chance that the row beats the column."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (strengths[:, None] - strengths[None, :]))))


def _objective(wins: Floats, strengths: Floats, ridge: float) -> float:
    losing = np.logaddexp(0.0, strengths[None, :] - strengths[:, None])
    return float(-(wins * losing).sum() - 0.5 * ridge * (strengths**2).sum())


def _derivatives(wins: Floats, strengths: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Gradient, and minus the Hessian, of the objective.

    Only the ridge sees a shift of all strengths; the added 1 makes that direction regular and leaves the others alone.
    """
    chances = _chances(strengths)
    played = wins + wins.T
    gradient = (wins - played * chances).sum(axis=1) - ridge * strengths
    weight = played * chances * (1.0 - chances)
    return gradient, np.diag(weight.sum(axis=1) + ridge) - weight + 1.0


def _ranking(
    table: BenchmarkTable, names: list[str], strengths: Floats, covariance: Floats | None, bounds: Floats | None
) -> Ranking:
    """From sorted names back to the table's order; a difference counts beyond 1.96 of its own standard errors."""
    place = {name: row for row, name in enumerate(names)}
    order = np.array([place[name] for name in table.contenders])
    gap = strengths[:, None] - strengths[None, :]
    variance = np.zeros(len(names)) if covariance is None else np.diag(covariance)
    noise = 0.0 if covariance is None else variance[:, None] + variance[None, :] - 2 * covariance
    low, high = rank_intervals(gap > np.maximum(two_sided(0.95) * np.sqrt(np.maximum(noise, 0.0)), EQUAL))
    return Ranking(
        contenders=table.contenders,
        value=strengths[order],
        standard_error=None if covariance is None else np.sqrt(variance)[order],
        low=None if bounds is None else bounds[0][order],
        high=None if bounds is None else bounds[1][order],
        rank_low=low[order],
        rank_high=high[order],
        benchmarks_used=table.benchmarks_used,
    )


BRADLEY_TERRY: Analysis[BenchmarkTable, BradleyTerryParams, Ranking] = Analysis(
    title="Bradley-Terry strength",
    Params=BradleyTerryParams,
    compute=compute,
    version=1,
    source="Bradley and Terry, Rank Analysis of Incomplete Block Designs: I. The Method of Paired Comparisons (1952)",
    needs="means",
    ranking=lambda result: result,
)
