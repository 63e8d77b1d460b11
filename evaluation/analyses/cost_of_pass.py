"""Cost-of-pass: what a correct answer costs, who holds the frontier, and what progress is worth.

After "Cost-of-Pass: An Economic Framework for Evaluating Language Models", arXiv 2504.13359. Per contender and sample
v = mean cost / mean correctness, infinite where it never passes. With a human expert, who always answers at a known
cost, V is the mean over samples of the smallest v, at most the expert's cost. The aggregate cost per pass, the sum of
costs over the sum of passes, is another number and keeps its own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.analyses.economics.bootstrap import Intervals, intervals
from evaluation.analyses.economics.frontier import (
    Frontier,
    benchmark_value,
    dominated,
    frontier,
    held,
    least,
    relative_gain,
    values_without,
)
from evaluation.analyses.economics.progress import Step, Trend, progress, trend
from evaluation.analyses.economics.techniques import TechniqueGain, technique_gains
from evaluation.analyses.economics.verdict import (
    attempt_warnings,
    expert_warnings,
    guess_warnings,
    hole_warnings,
    verdict,
)
from evaluation.costs import Cells, CostTable, cells
from evaluation.tables import Floats, Integers

Range = tuple[float, float]


@dataclass(frozen=True)
class CostOfPassParams:
    """Who answers what nobody solves, and how sure the numbers are."""

    expert_cost: float = parameter(0.0, "USD that an expert asks per sample; 0: what each benchmark says", minimum=0)
    chance: float = parameter(0.0, "Accuracy of a guess; 0: what each benchmark says", minimum=0, maximum=1)
    margin: float = parameter(0.02, "Accuracies this close count as the same quality", minimum=0, maximum=1)
    votes: str = parameter("", "Majority voting of so many stored answers, as “3,5”")
    best_of: bool = parameter(False, "Best-of-Majority: of the frequent answers the one with the best stored reward")
    bootstrap: int = parameter(1_000, "Resamples of samples and attempts; 0 for no intervals", minimum=0, maximum=10**5)
    level: float = parameter(0.95, "Confidence level of the intervals", minimum=0.5, maximum=0.9999)
    seed: int = parameter(1, "Seed of the resamples", minimum=0, maximum=2**63 - 1)


@dataclass(frozen=True, slots=True)
class ContenderCost:
    """One contender over all samples; money in USD per sample.

    value_with_expert: V of it and the expert alone. cost_per_pass: sum of costs / sum of passes, inf without a pass.
    unsolved_share: of the samples where it is defined, those it never passed. accuracy, mean_cost: mean over samples.
    essentialness: relative rise of V without it. holds: samples on which it has the smallest cost-of-pass, not above
    the expert's; ties count for each; holds_alone: without ties. samples: where it is defined; holes: where not.
    dominated: somebody is as good and as cheap, and better in one of them. Intervals: percentiles, NaN when not drawn.
    """

    name: str
    value_with_expert: float
    value_interval: Range
    cost_per_pass: float
    unsolved_share: float
    accuracy: float
    accuracy_interval: Range
    mean_cost: float
    mean_cost_interval: Range
    essentialness: float
    holds: int
    holds_alone: int
    attempts: int
    samples: int
    holes: int
    dominated: bool
    released: str


@dataclass(frozen=True, eq=False)
class BenchmarkCost(Frozen):
    """One benchmark; arrays have one number per contender, in the table's order, with the meanings of ContenderCost."""

    name: str
    samples: int
    expert_cost: float
    frontier_value: float
    frontier_value_without_expert: float
    unsolved_share: float
    value_with_expert: Floats
    cost_per_pass: Floats
    contender_unsolved_share: Floats
    accuracy: Floats
    mean_cost: Floats


@dataclass(frozen=True, slots=True)
class FamilyCost:
    """value_without: V when all contenders of the family are gone. essentialness: (V without - V) / V without."""

    name: str
    contenders: tuple[str, ...]
    value_without: float
    essentialness: float


@dataclass(frozen=True)
class CostOfPassResult:
    """The economics of a set of contenders; money in USD per sample, "sample" meaning one question of a benchmark.

    frontier_value: V, with the expert. unsolved_share: of all samples, those that nobody is known to pass.
    expert_value: V of the expert alone; gain, relative_gain: of all contenders beside the expert.
    expert_holds: samples on which the expert is the cheapest. trend: None where V over time follows no exponential.
    """

    frontier_value: float
    frontier_value_without_expert: float
    frontier_interval: Range
    contenders: tuple[ContenderCost, ...]
    unsolved_share: float
    expert_value: float
    expert_holds: int
    gain: float
    relative_gain: float
    benchmarks: tuple[BenchmarkCost, ...]
    progress: tuple[Step, ...]
    trend: Trend | None
    families: tuple[FamilyCost, ...]
    techniques: tuple[TechniqueGain, ...]
    samples: int
    verdict: str
    warnings: tuple[str, ...]
    level: float
    resamples: int
    seed: int


def compute(table: CostTable, params: CostOfPassParams) -> CostOfPassResult:
    """Everything at once. An unknown expert cost is infinite and said so; it makes V infinite where nobody passes."""
    found, of = cells(table.correct, table.cost_usd), table.benchmark_of
    asked = np.where(np.isnan(table.expert_cost_usd), np.inf, table.expert_cost_usd)
    if params.expert_cost > 0:
        asked = np.full(len(table.benchmarks), params.expert_cost)
    expert = asked[of]
    edge = frontier(found.value)
    value, alone = benchmark_value(edge.first, expert), float(expert.mean())
    drawn = intervals(table, expert, resamples=params.bootstrap, level=params.level, seed=params.seed)
    steps = progress(found.value, expert, table.released, table.contenders)
    benchmarks = tuple(_benchmark(table, found, edge, asked, number) for number in range(asked.size))
    return CostOfPassResult(
        frontier_value=value,
        frontier_value_without_expert=benchmark_value(edge.first),
        frontier_interval=_range(drawn.frontier),
        contenders=_contenders(table, found, edge, expert, drawn),
        unsolved_share=float(np.isinf(edge.first).mean()),
        expert_value=alone,
        expert_holds=int((expert < edge.first).sum()),
        gain=alone - value if np.isfinite(value) else nan,
        relative_gain=relative_gain(alone, value),
        benchmarks=benchmarks,
        progress=steps,
        trend=trend(steps),
        families=_families(table, found, expert, value),
        techniques=technique_gains(table, edge.first, expert, params.votes, params.best_of),
        samples=len(table.samples),
        verdict=verdict(table.contenders, found, margin=params.margin, level=params.level),
        warnings=_warnings(table, found, edge, expert, params),
        level=params.level,
        resamples=params.bootstrap,
        seed=params.seed,
    )


@dataclass(frozen=True, eq=False)
class _Columns:
    """One number per contender over some samples; the names are those of ContenderCost."""

    value_with_expert: Floats
    cost_per_pass: Floats
    unsolved_share: Floats
    accuracy: Floats
    mean_cost: Floats
    samples: Integers


def _columns(found: Cells, expert: Floats, where: slice | Integers = slice(None)) -> _Columns:
    value, spent = found.value[:, where], _total(found.spent[:, where])
    passes, samples = _total(found.passes[:, where]), (~np.isnan(value)).sum(axis=1)
    rate = found.rate[:, where]
    with np.errstate(divide="ignore", invalid="ignore"):
        return _Columns(
            value_with_expert=np.fmin(value, expert).mean(axis=1),
            cost_per_pass=np.where(samples == 0, np.nan, np.where(passes == 0, np.inf, spent / passes)),
            unsolved_share=np.isinf(value).sum(axis=1) / samples,
            accuracy=_total(rate) / (~np.isnan(rate)).sum(axis=1),
            mean_cost=_total(found.cost[:, where]) / samples,
            samples=samples,
        )


def _contenders(
    table: CostTable, found: Cells, edge: Frontier, expert: Floats, drawn: Intervals
) -> tuple[ContenderCost, ...]:
    columns = _columns(found, expert)
    value = benchmark_value(edge.first, expert)
    without = values_without(edge, expert, len(table.contenders))
    holds, alone = held(found.value, edge, expert)
    behind = dominated(columns.accuracy, columns.mean_cost)
    attempts = found.attempts.max(axis=1)
    return tuple(
        ContenderCost(
            name=name,
            value_with_expert=float(columns.value_with_expert[row]),
            value_interval=_range(drawn.value[row]),
            cost_per_pass=float(columns.cost_per_pass[row]),
            unsolved_share=float(columns.unsolved_share[row]),
            accuracy=float(columns.accuracy[row]),
            accuracy_interval=_range(drawn.accuracy[row]),
            mean_cost=float(columns.mean_cost[row]),
            mean_cost_interval=_range(drawn.cost[row]),
            essentialness=relative_gain(float(without[row]), value),
            holds=int(holds[row]),
            holds_alone=int(alone[row]),
            attempts=int(attempts[row]),
            samples=int(columns.samples[row]),
            holes=len(table.samples) - int(columns.samples[row]),
            dominated=bool(behind[row]),
            released=table.released[row],
        )
        for row, name in enumerate(table.contenders)
    )


def _benchmark(table: CostTable, found: Cells, edge: Frontier, asked: Floats, number: int) -> BenchmarkCost:
    places: slice | Integers = slice(None)
    if len(table.benchmarks) > 1:
        places = np.flatnonzero(table.benchmark_of == number)
    minima, cost = edge.first[places], float(asked[number])
    if minima.size == 0:
        minima = np.full(1, np.nan)
    columns = _columns(found, np.full(minima.size, cost), places)
    return BenchmarkCost(
        name=table.benchmarks[number],
        samples=int((table.benchmark_of == number).sum()),
        expert_cost=cost,
        frontier_value=benchmark_value(minima, cost),
        frontier_value_without_expert=benchmark_value(minima),
        unsolved_share=float(np.isinf(minima).mean()),
        value_with_expert=columns.value_with_expert,
        cost_per_pass=columns.cost_per_pass,
        contender_unsolved_share=columns.unsolved_share,
        accuracy=columns.accuracy,
        mean_cost=columns.mean_cost,
    )


def _families(table: CostTable, found: Cells, expert: Floats, value: float) -> tuple[FamilyCost, ...]:
    rows = dict(zip(table.contenders, found.value, strict=True))
    families = []
    for name, members in table.families.items():
        gone = set(members)
        rest = (own for contender, own in rows.items() if contender not in gone)
        without = benchmark_value(least(rest, expert.size), expert)
        families.append(FamilyCost(name, members, without, relative_gain(without, value)))
    return tuple(families)


def _warnings(
    table: CostTable, found: Cells, edge: Frontier, expert: Floats, params: CostOfPassParams
) -> tuple[str, ...]:
    chance = np.full(len(table.benchmarks), params.chance) if params.chance > 0 else table.chance
    return (
        *hole_warnings(table, found),
        *attempt_warnings(table, found),
        *guess_warnings(table, found, chance, params.level),
        *expert_warnings(table, edge.first, expert),
        *_undated(table.released, table.contenders),
    )


def _undated(released: Sequence[str], names: Sequence[str]) -> list[str]:
    lacking = [name for name, day in zip(names, released, strict=True) if not day]
    if not lacking or len(lacking) == len(names):
        return []
    return [f"Progress leaves out what has no release date: {', '.join(lacking)}."]


def _total(values: Floats) -> Floats:
    return np.asarray(np.where(np.isnan(values), 0.0, values).sum(axis=1))


def _range(ends: Floats) -> Range:
    return float(ends[0]), float(ends[1])


COST_OF_PASS: Analysis[CostTable, CostOfPassParams, CostOfPassResult] = Analysis(
    title="Cost-of-pass",
    Params=CostOfPassParams,
    compute=compute,
    version=1,
    source="Cost-of-Pass: An Economic Framework for Evaluating Language Models, arXiv 2504.13359",
    needs="costs",
)
