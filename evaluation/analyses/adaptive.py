"""Find the best contender within a budget: UCB-E beside uniform spending, replayed on complete scores.

Source: "On Speeding Up Language Model Evaluation", arXiv 2407.06172. What a replay shows is what spending that way
would have found: nothing here is a new evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.analyses.searching.bounds import Spending
from evaluation.analyses.searching.replay import Plan, Replay, replays
from evaluation.errors import BadParameter, BadTable, NotEnoughData
from evaluation.tables import Floats, Integers, ScoreTable
from evaluation.uncertainty import wilson_interval

METHODS = ("ucb-e", "uniform")
POINTS = 20  # of the curve


@dataclass(frozen=True)
class AdaptiveParams:
    """Parameters of the replay."""

    budget: float = parameter(0.15, "Share of all contender x sample cells to evaluate", minimum=0.0001, maximum=1)
    method: str = parameter("ucb-e", "How the budget is spent", choices=METHODS)
    exploration: float = parameter(1.0, "UCB-E's a: less (0.1) where the top is close", minimum=0.0001, maximum=1000)
    batch: int = parameter(32, "Samples per decision: fewer (8) where the top is close", minimum=1, maximum=100_000)
    seeds: int = parameter(100, "Replays, each with its own order of samples", minimum=1, maximum=10_000)
    seed: int = parameter(1, "Seed of the replays", minimum=0)
    stop_error: float = parameter(0.0, "Error rate at which to stop early; 0: spend all", minimum=0, maximum=0.5)


@dataclass(frozen=True)
class Point:
    """One point of a curve. budget: share of cells; found_best: share of replays that lead with the best contender;
    error: mean shortfall of the leader's true mean from the best one's."""

    budget: float
    cells: int
    found_best: float
    error: float


@dataclass(frozen=True)
class Stopping:
    """Early stopping at an error rate: share of replays that stopped, the mean share of all cells that they had spent
    by then (NaN where none stopped), and how many of all replays stopped with a contender that is not the best."""

    error: float
    stopped: float
    budget_used: float
    wrong: float


@dataclass(frozen=True, eq=False)
class AdaptiveResult(Frozen):
    """What a method finds with a budget.

    best: the truly best contenders (equals all count). found_best: share of replays, with its 95 % interval.
    mean_error: mean shortfall of the one found, in the scores' unit. chance_wrong: mean of what the replays themselves
    say. curve, uniform_curve: both methods against the budget. mean, samples_spent, found: (contender,) its true mean,
    how many samples it was asked on average, and the share of replays that named it.
    """

    contenders: tuple[str, ...]
    n: int
    method: str
    budget: float
    cells: int
    seeds: int
    best: tuple[str, ...]
    found_best: float
    found_best_interval: tuple[float, float]
    uniform_found_best: float
    mean_error: float
    chance_wrong: float
    mean: Floats
    samples_spent: Floats
    found: Floats
    curve: tuple[Point, ...]
    uniform_curve: tuple[Point, ...]
    stopping: Stopping | None
    verdict: str


@dataclass(frozen=True)
class _Truth:
    """What the whole table says: (contender,) means and who is best."""

    mean: Floats
    best: Floats
    cells: int


def compute(table: ScoreTable, params: AdaptiveParams) -> AdaptiveResult:
    """Replay. Raises NotEnoughData for a hole or a lone contender, BadTable for scores outside 0..1.

    Contenders are taken in the order of their names, so that ties fall the same way whatever the order of rows.
    """
    order = sorted(range(len(table.contenders)), key=lambda row: table.contenders[row])
    scores = complete_scores(table)[order]
    cells = int(params.budget * scores.size + 1e-9)
    if cells < len(scores):
        problem = f"{cells} cells cannot ask {len(scores)} contenders once each."
        raise BadParameter(problem, field="budget", remedy="Spend more.")
    mean = scores.mean(axis=1)
    truth = _Truth(mean, mean >= mean.max() - 1e-12, scores.size)
    budgets = np.unique(np.linspace(cells / POINTS, cells, POINTS).astype(np.int64))
    spending = Spending(params.exploration, params.batch)
    uniform = list(replays(scores, Plan(budgets, spending, True, 0.0), params.seeds, params.seed))
    plan = Plan(budgets, spending, params.method == "uniform", params.stop_error)
    played = list(replays(scores, plan, params.seeds, params.seed))
    place = np.argsort(order)
    last = np.array([replay.found[-1] for replay in played])
    hits = int(truth.best[last].sum())
    interval = wilson_interval(hits, params.seeds)
    curve, even = _curve(played, budgets, truth), _curve(uniform, budgets, truth)
    return AdaptiveResult(
        contenders=table.contenders,
        n=scores.shape[1],
        method=params.method,
        budget=params.budget,
        cells=cells,
        seeds=params.seeds,
        best=tuple(table.contenders[order[row]] for row in np.flatnonzero(truth.best).tolist()),
        found_best=hits / params.seeds,
        found_best_interval=(interval.low, interval.high),
        uniform_found_best=even[-1].found_best,
        mean_error=curve[-1].error,
        chance_wrong=float(np.mean([replay.chance_wrong for replay in played])),
        mean=mean[place],
        samples_spent=np.mean([replay.counts for replay in played], axis=0)[place],
        found=(np.bincount(last, minlength=len(scores)) / params.seeds)[place],
        curve=curve,
        uniform_curve=even,
        stopping=_stopping(played, truth, params.stop_error) if params.stop_error else None,
        verdict=_verdict(params, curve[-1], even[-1], truth.cells),
    )


def complete_scores(table: ScoreTable) -> Floats:
    """(contender, sample) mean over attempts. Raises NotEnoughData for a hole, BadTable outside 0..1."""
    scores = table.complete_per_sample()
    if len(scores) < 2:
        raise NotEnoughData("One contender alone cannot be searched for.", field="contenders")
    if bool((scores < 0).any() or (scores > 1).any()) or not all(table.higher_is_better):
        raise BadTable("A search needs scores from 0 to 1, of which more is better.", field="values")
    return np.asarray(scores)


def _curve(played: Sequence[Replay], budgets: Integers, truth: _Truth) -> tuple[Point, ...]:
    found = np.array([replay.found for replay in played])
    shares, errors = truth.best[found].mean(axis=0), (truth.mean.max() - truth.mean[found]).mean(axis=0)
    return tuple(
        Point(cells / truth.cells, cells, float(share), float(error))
        for cells, share, error in zip(budgets.tolist(), shares, errors, strict=True)
    )


def _stopping(played: Sequence[Replay], truth: _Truth, error: float) -> Stopping:
    stops = [replay.stop for replay in played if replay.stop is not None]
    used = float(np.mean([cells for cells, _ in stops])) / truth.cells if stops else float("nan")
    wrong = sum(not truth.best[leader] for _, leader in stops)
    return Stopping(error, len(stops) / len(played), used, wrong / len(played))


def _verdict(params: AdaptiveParams, own: Point, even: Point, everything: int) -> str:
    name = "UCB-E" if params.method == "ucb-e" else "Uniform spending"
    share, found, usual = (f"{100 * x:.0f} %" for x in (own.cells / everything, own.found_best, even.found_best))
    said = f"With {share} of the {everything:,} evaluations, {name} names the best contender in {found} of the replays"
    return f"{said}; uniform spending in {usual}." if params.method == "ucb-e" else f"{said}."


ADAPTIVE: Analysis[ScoreTable, AdaptiveParams, AdaptiveResult] = Analysis(
    title="Best contender within a budget",
    Params=AdaptiveParams,
    compute=compute,
    version=1,
    source="On Speeding Up Language Model Evaluation, arXiv 2407.06172",
    needs="samples",
)
