"""A report of cost-of-pass as its page draws it: sentences, the table of contenders, benchmarks, techniques, figures.

Everything is taken from the stored result; nothing is computed again but its order on paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isinf, isnan
from typing import Any

from evaluation.analyses.base import from_json
from evaluation.analyses.cost_of_pass import BenchmarkCost, ContenderCost, CostOfPassResult
from webapp.results.cost_figures import CostFigure, chart_data, days, figures, share, span, usd

MEASURES = {
    "value_with_expert": "V with the expert",
    "cost_per_pass": "Aggregate cost per pass",
    "contender_unsolved_share": "Unsolved, %",
    "accuracy": "Accuracy, %",
    "mean_cost": "Mean cost",
}


@dataclass(frozen=True)
class Fact:
    """A number under the verdict. about: what it means, in a few words."""

    name: str
    value: str
    about: str


@dataclass(frozen=True)
class Cell:
    """A contender on a benchmark, one text per measure of MEASURES. best: it has the smallest V there."""

    values: tuple[tuple[str, str], ...]
    best: bool


class CostOfPassView:
    """result: as `to_json` wrote it."""

    template = "components/cost_of_pass.html"
    scripts = ("js/costs.js",)
    styles = ("css/costs.css",)

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(CostOfPassResult, result)
        self.parameters = parameters
        self.measures = MEASURES

    @cached_property
    def verdict(self) -> list[str]:
        return [self.result.verdict, self._together(), self._unsolved(), *self._progress()]

    def _together(self) -> str:
        found = self.result
        who = "The contender and the expert" if len(found.contenders) == 1 else "All contenders and the expert together"
        interval = span(found.frontier_interval)
        sure = f" ({self.level} interval {interval})" if interval else ""
        worth = "" if isnan(found.relative_gain) else f", {share(found.relative_gain)} % less than the expert alone"
        return f"{who} answer a sample for {usd(found.frontier_value)}{sure}{worth} ({usd(found.expert_value)})."

    def _unsolved(self) -> str:
        found = self.result
        if not found.unsolved_share:
            return f"Every one of the {found.samples:,} samples is passed by somebody."
        left = f"Nobody passes {share(found.unsolved_share)} % of the {found.samples:,} samples"
        if isinf(found.expert_value):
            return f"{left}, and what an expert asks for them is not known on every benchmark."
        return f"{left}: there the expert’s cost counts, and without the expert V is infinite."

    def _progress(self) -> list[str]:
        fit = self.result.trend
        return (
            []
            if fit is None
            else [f"Over the release dates V falls towards {usd(fit.c)}, halving every {days(fit.half_time)}."]
        )

    @property
    def facts(self) -> list[Fact]:
        found = self.result
        return [
            Fact("Frontier value V", usd(found.frontier_value), span(found.frontier_interval) or "a sample"),
            Fact("The expert alone", usd(found.expert_value), "a sample"),
            Fact("Unsolved", f"{share(found.unsolved_share)} %", "nobody passes them"),
            Fact("V without the expert", usd(found.frontier_value_without_expert), "infinite where nobody passes"),
            Fact("Gain over the expert", usd(found.gain), f"{share(found.relative_gain)} %"),
            Fact("Samples", f"{found.samples:,}", self._attempts()),
        ]

    def _attempts(self) -> str:
        """n, which says how coarse the pass rates are."""
        made = sorted({one.attempts for one in self.result.contenders})
        most = f"{made[0]}" if len(made) == 1 else f"{made[0]} to {made[-1]}"
        return f"n = {most} attempt{'s' if made != [1] else ''} each"

    @cached_property
    def contenders(self) -> list[ContenderCost]:
        """The smallest V first; what has no cost at all at the end."""
        return sorted(self.result.contenders, key=lambda one: (one.samples == 0, one.value_with_expert, one.name))

    @property
    def level(self) -> str:
        return f"{100 * self.result.level:g} %"

    @property
    def unpriced(self) -> list[str]:
        """Entries of which no attempt has a cost."""
        names = (one.name.partition("@")[0] for one in self.result.contenders if one.samples == 0)
        return list(dict.fromkeys(names))

    @cached_property
    def figures(self) -> list[CostFigure]:
        return figures(self.result)

    @property
    def charts(self) -> dict[str, Any]:
        return chart_data(self.result)

    @cached_property
    def benchmark_rows(self) -> list[tuple[str, list[Cell]]]:
        """Contenders in the order of the table above, a cell per benchmark; none where there is but one benchmark."""
        if len(self.result.benchmarks) < 2:
            return []
        place = {one.name: at for at, one in enumerate(self.result.contenders)}
        least = [min(_costed(each), default=None) for each in self.result.benchmarks]
        return [
            (
                one.name,
                [_cell(each, place[one.name], best) for each, best in zip(self.result.benchmarks, least, strict=True)],
            )
            for one in self.contenders
        ]


def _costed(benchmark: BenchmarkCost) -> list[float]:
    """V of those that have a cost there."""
    pairs = zip(benchmark.value_with_expert.tolist(), benchmark.mean_cost.tolist(), strict=True)
    return [value for value, cost in pairs if not isnan(cost)]


def _cell(benchmark: BenchmarkCost, row: int, least: float | None) -> Cell:
    values = {name: float(getattr(benchmark, name)[row]) for name in MEASURES}
    known = not isnan(values["mean_cost"])
    written = {
        name: share(value) if name in {"accuracy", "contender_unsolved_share"} else usd(value)
        for name, value in values.items()
    }
    if not known:  # V of the expert alone is not V of the contender
        written["value_with_expert"] = usd(None)
    return Cell(tuple(written.items()), known and values["value_with_expert"] == least)
