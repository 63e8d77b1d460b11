"""Estimate one contender from few samples, replayed on complete scores: random, LURE and AIPW beside the truth.

Sources: Active Testing, arXiv 2103.05331 (LURE); the augmented estimator of "How benchmark prediction from fewer data
misses the mark", arXiv 2506.07673 (AIPW).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.errors import BadParameter, BadTable, NotEnoughData
from evaluation.estimators import FOLDS, Estimated, aipw, lure, random_mean
from evaluation.tables import Floats, Integers, ScoreTable

FEWEST = 2 * FOLDS  # samples that AIPW can learn from
METHODS = ("aipw", "lure", "random")
Draw = Callable[[np.random.Generator], Estimated]


@dataclass(frozen=True)
class EstimationParams:
    """Parameters of the replay."""

    contender: str = parameter("", "Who is estimated; empty: the first by name")
    samples: int = parameter(0, "How many samples it is asked; 0: a tenth, at least 10", minimum=0, maximum=10_000_000)
    method: str = parameter("aipw", "How samples are drawn and used", choices=METHODS)
    floor: float = parameter(0.2, "LURE: share of the draws that is uniform", minimum=0.1, maximum=1)
    seeds: int = parameter(100, "Replays", minimum=1, maximum=100_000)
    seed: int = parameter(1, "Seed of the replays", minimum=0)
    level: float = parameter(0.95, "Confidence level of the intervals", minimum=0.5, maximum=0.999)


@dataclass(frozen=True, eq=False)
class EstimationResult(Frozen):
    """How well a method does. All in the scores' unit.

    true_mean: over all N samples. mean_error: mean distance of an estimate from it; bias: mean signed distance, with
    bias_error, its Monte Carlo error; coverage: share of the intervals that hold the truth. half_width: mean half of an
    interval. random_error: mean_error of plain random samples in the same number of replays.
    estimates: (seed,) each replay's estimate.
    """

    contenders: tuple[str, ...]
    contender: str
    method: str
    n: int
    samples: int
    seeds: int
    true_mean: float
    mean_error: float
    bias: float
    bias_error: float
    coverage: float
    half_width: float
    random_error: float
    estimates: Floats
    verdict: str


def compute(table: ScoreTable, params: EstimationParams) -> EstimationResult:
    """Replay. Raises NotEnoughData for a hole, BadParameter for a contender that is not there."""
    scores = _complete(table)
    name = params.contender or min(table.contenders)
    if name not in table.contenders:
        known = f"Known: {', '.join(table.contenders)}."
        raise BadParameter(f"There is no contender “{name}”.", field="contender", remedy=known)
    row = table.contenders.index(name)
    # By name, so that the order of rows changes no sum.
    others = sorted((at for at in range(len(scores)) if at != row), key=lambda at: table.contenders[at])
    target, known_scores = scores[row], scores[others]
    params = replace(params, samples=params.samples or min(target.size, max(FEWEST, target.size // 10)))
    if not 1 < params.samples <= target.size:
        raise BadParameter(f"There are {target.size} samples; ask 2 or more of them.", field="samples")
    drawn = _replay(_method(target, known_scores, params), params)
    plain = _replay(lambda rng: _random(target, params, rng), params)
    value = np.array([one.value for one in drawn])
    truth = float(target.mean())
    off = value - truth
    error, usual = float(np.abs(off).mean()), float(np.mean([abs(one.value - truth) for one in plain]))
    return EstimationResult(
        contenders=table.contenders,
        contender=name,
        method=params.method,
        n=target.size,
        samples=params.samples,
        seeds=params.seeds,
        true_mean=truth,
        mean_error=error,
        bias=float(off.mean()),
        bias_error=float(off.std(ddof=1)) / params.seeds**0.5 if params.seeds > 1 else float("nan"),
        coverage=float(np.mean([one.low - 1e-12 <= truth <= one.high + 1e-12 for one in drawn])),
        half_width=float(np.mean([(one.high - one.low) / 2 for one in drawn])),
        random_error=usual,
        estimates=value,
        verdict=_verdict(params, name, target.size, error, usual),
    )


def draw_lure(chances: Floats, count: int, rng: np.random.Generator) -> tuple[Integers, Floats]:
    """Positions of `count` samples drawn one by one without replacement, and the probability of each draw.

    chances: (N,) weights above 0; each draw takes them over the samples that remain.
    """
    left = chances.astype(np.float64).copy()
    drawn, q = np.empty(count, dtype=np.int64), np.empty(count)
    for m in range(count):
        total = np.cumsum(left)
        at = int(np.searchsorted(total, rng.random() * total[-1], side="right"))
        at = min(at, left.size - 1)
        drawn[m], q[m] = at, left[at] / total[-1]
        left[at] = 0.0
    return drawn, q


def lure_chances(others: Floats, floor: float) -> Floats:
    """(N,) where the known contenders fail, errors are likely: a part `floor` is spread evenly, never an argmax."""
    wrong = 1 - others.mean(axis=0) if len(others) else np.ones(others.shape[1])
    total = wrong.sum()
    hard = wrong / total if total > 0 else np.full(wrong.size, 1 / wrong.size)
    return np.asarray((1 - floor) * hard + floor / wrong.size)


def _method(target: Floats, others: Floats, params: EstimationParams) -> Draw:
    if params.method == "random":
        return lambda rng: _random(target, params, rng)
    if params.method == "aipw":
        if not len(others):
            raise NotEnoughData("AIPW learns from other contenders, and there is none.", field="method")
        if params.samples < min(FEWEST, target.size):
            raise BadParameter(
                "AIPW needs at least 10 samples.", field="samples", remedy="Ask for more, or use random."
            )
        return lambda rng: _aipw(target, others, params, rng)
    chances = lure_chances(others, params.floor)
    return lambda rng: _lure(target, chances, params, rng)


def _random(target: Floats, params: EstimationParams, rng: np.random.Generator) -> Estimated:
    asked = rng.permutation(target.size)[: params.samples]
    return random_mean(target[asked], target.size, params.level)


def _aipw(target: Floats, others: Floats, params: EstimationParams, rng: np.random.Generator) -> Estimated:
    asked = rng.permutation(target.size)[: params.samples]
    return aipw(target[asked], asked, others, params.level)


def _lure(target: Floats, chances: Floats, params: EstimationParams, rng: np.random.Generator) -> Estimated:
    """Errors, not scores, are drawn more often where others fail; the estimate is turned back."""
    asked, q = draw_lure(chances, params.samples, rng)
    lost = lure(1 - target[asked], q, target.size, params.level)
    return Estimated(1 - lost.value, lost.standard_error, 1 - lost.high, 1 - lost.low, lost.n, lost.size)


def _replay(draw: Draw, params: EstimationParams) -> list[Estimated]:
    return [draw(np.random.default_rng([params.seed, number])) for number in range(params.seeds)]


def _complete(table: ScoreTable) -> Floats:
    scores = table.complete_per_sample()
    if bool((scores < 0).any() or (scores > 1).any()):
        raise BadTable("Estimates by few samples need scores from 0 to 1.", field="values")
    return np.asarray(scores)


def _verdict(params: EstimationParams, name: str, size: int, error: float, usual: float) -> str:
    said = f"{params.samples} of {size:,} samples give {name}'s mean to {100 * error:.1f} points on average"
    return f"{said}; random sampling to {100 * usual:.1f}." if params.method != "random" else f"{said}."


ESTIMATION: Analysis[ScoreTable, EstimationParams, EstimationResult] = Analysis(
    title="A contender from few samples",
    Params=EstimationParams,
    compute=compute,
    version=1,
    source="Active Testing, arXiv 2103.05331; How Benchmark Prediction from Fewer Data Misses the Mark, 2506.07673",
    needs="samples",
)
