"""Reports about spending less, as their pages draw them: the search, the estimate, and routing.

Everything is taken from the stored result; a figure and its table hold the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from evaluation.analyses.adaptive import AdaptiveResult
from evaluation.analyses.base import from_json, to_json
from evaluation.analyses.estimation import EstimationResult
from evaluation.analyses.routes.pairs import Pair
from evaluation.analyses.routing import Router, RoutingResult, Saving
from webapp.results.cost_figures import CostFigure, share, span, usd
from webapp.results.cost_report import Fact

Rows = list[tuple[str, list[str]]]
METHODS = {"ucb-e": "UCB-E", "uniform": "Uniform spending", "aipw": "AIPW", "lure": "LURE", "random": "Random samples"}
ROUTERS = {
    "single": ("one contender", "The best single contender at each exchange rate: what a router has to beat."),
    "category": ("by category", "The contender that did best in the sample’s subject or benchmark."),
    "neighbours": ("by neighbours", "The one that did best on the most similar prompts."),
    "cluster": ("by cluster", "The one that did best in the prompt’s cluster."),
    "regression": ("by regression", "Score and cost predicted from the prompt (CARROT)."),
    "cascade": ("two-step cascade", "A cheap one first, a dearer one where its confidence is low."),
    "chain": ("cascade of any length", "From the cheapest to the dearest, as long as each is unsure."),
    "bandit": ("bandit", "LinUCB, which learns while it answers and is told nothing else."),
}


class SearchView:
    """The best contender within a budget."""

    template = "components/spending_report.html"
    scripts = ("js/spending.js",)
    heads = ["Mean, %", "Samples asked, mean", "Named the best, %"]

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(AdaptiveResult, result)
        self.title = "Contenders"

    @cached_property
    def facts(self) -> list[Fact]:
        found = self.result
        facts = [
            Fact("Best found", f"{share(found.found_best)} %", span(found.found_best_interval, share) + " %"),
            Fact("Uniform spending", f"{share(found.uniform_found_best)} %", "the same budget, evenly"),
            Fact("Shortfall", f"{share(found.mean_error, 2)} points", "of the one found, on average"),
            Fact("Said to be wrong", f"{share(found.chance_wrong)} %", "by the replays themselves"),
            Fact("Evaluations", f"{found.cells:,}", f"{share(found.budget)} % of all"),
        ]
        if found.stopping is not None:
            stopped = found.stopping
            about = f"at {share(stopped.error)} % error; {share(stopped.wrong)} % of all were wrong"
            facts.append(Fact("Stopped early", f"{share(stopped.stopped)} %", about))
        return facts

    @cached_property
    def rows(self) -> Rows:
        found = self.result
        order = sorted(range(len(found.contenders)), key=lambda at: (-found.mean[at], found.contenders[at]))
        return [
            (found.contenders[at], [share(found.mean[at]), f"{found.samples_spent[at]:,.1f}", share(found.found[at])])
            for at in order
        ]

    @property
    def charts(self) -> dict[str, Any]:
        found = self.result
        return {
            "method": METHODS[found.method],
            "own": [[100 * point.budget, 100 * point.found_best] for point in found.curve],
            "even": [[100 * point.budget, 100 * point.found_best] for point in found.uniform_curve],
        }

    @property
    def figures(self) -> list[CostFigure]:
        found, name = self.result, METHODS[self.result.method]
        rows = [
            (
                f"{share(own.budget, 2)} %",
                [f"{own.cells:,}", share(own.found_best), share(even.found_best), share(own.error, 2)],
            )
            for own, even in zip(found.curve, found.uniform_curve, strict=True)
        ]
        return [
            CostFigure(
                kind="search",
                title="How often the best is found",
                text="Share of replays that name the best contender, against the part of all evaluations spent.",
                alt=f"Lines of {name} and of uniform spending against the budget.",
                heads=["Budget", "Evaluations", f"{name}, %", "Uniform, %", "Shortfall, points"],
                rows=rows,
                wide=True,
            )
        ]


class EstimateView:
    """One contender from few samples."""

    template = "components/spending_report.html"
    scripts = ("js/spending.js",)
    heads: list[str] = []
    rows: Rows = []
    title = ""

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(EstimationResult, result)

    @cached_property
    def facts(self) -> list[Fact]:
        found = self.result
        return [
            Fact("Mean", f"{share(found.true_mean)} %", f"over all {found.n:,} samples"),
            Fact("Error", f"{share(found.mean_error, 2)} points", f"{METHODS[found.method]}, on average"),
            Fact("Random", f"{share(found.random_error, 2)} points", "as many samples, drawn evenly"),
            Fact("Bias", f"{share(found.bias, 2)} points", f"± {share(found.bias_error, 2)}"),
            Fact("Coverage", f"{share(found.coverage)} %", "of the intervals hold the mean"),
        ]

    @property
    def charts(self) -> dict[str, Any]:
        found = self.result
        return {"truth": 100 * found.true_mean, "estimates": sorted(round(100 * float(x), 3) for x in found.estimates)}

    @property
    def figures(self) -> list[CostFigure]:
        found = self.result
        ordered = sorted(found.estimates.tolist())
        return [
            CostFigure(
                kind="estimates",
                title="The estimates of the replays",
                text=f"Each replay asks {found.contender} other {found.samples:,} of {found.n:,} samples.",
                alt="Points rising from the lowest to the highest estimate, with a line at the mean over all samples.",
                heads=["Replay, by size", "Estimate, %", "Off by, points"],
                rows=[(str(at), [share(x), share(x - found.true_mean, 2)]) for at, x in enumerate(ordered, 1)],
                wide=True,
            )
        ]


class RoutingView:
    """Which contender for which question."""

    template = "components/spending_report.html"
    scripts = ("js/spending.js",)
    heads = ["Quality, %", "Mean cost", "Place"]
    title = "Contenders"

    def __init__(self, result: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self.result = from_json(RoutingResult, result)

    @cached_property
    def facts(self) -> list[Fact]:
        found, oracle = self.result, self.result.oracle
        facts = [
            Fact("AIQ", share(found.aiq), "mean quality under the hull, %"),
            Fact("Oracle", f"{share(oracle.quality)} %", f"at {usd(oracle.cost)} a sample"),
            Fact("Unsolved", f"{share(oracle.unsolved)} %", "by anybody"),
            Fact("Samples", f"{found.n:,}", f"{found.dropped:,} left out" if found.dropped else "all of them"),
        ]
        if found.pair is not None:
            pair = found.pair
            about = f"{pair.strong} over {pair.weak}, by {pair.router}"
            facts.append(Fact("APGR", f"{pair.apgr:.3f}", about))
            facts += [
                Fact(f"CPT {gap}", f"{share(needed)} %", f"of calls to {pair.strong} close {gap} % of the gap")
                for gap, needed in pair.cpt.items()
            ]
        return facts

    @cached_property
    def rows(self) -> Rows:
        found = self.result
        front, corners = ({place.contender for place in places} for places in (found.pareto, found.hull))
        return [
            (name, [share(found.quality[at]), usd(found.cost[at]), _place(name, front, corners)])
            for at, name in sorted(enumerate(found.contenders), key=lambda pair: found.cost[pair[0]])
        ]

    @property
    def charts(self) -> dict[str, Any]:
        found = self.result
        return {
            "contenders": [
                {"name": name, "cost": float(found.cost[at]), "quality": 100 * float(found.quality[at])}
                for at, name in enumerate(found.contenders)
            ],
            "hull": [[place.cost, 100 * place.quality] for place in found.hull],
            "oracle": [found.oracle.cost, 100 * found.oracle.quality],
            "routers": [
                {"name": ROUTERS[one.name][0], "points": _points(one)} for one in found.routers if one.name != "single"
            ],
            "pair": None if found.pair is None else to_json(found.pair),
        }

    @property
    def figures(self) -> list[CostFigure]:
        shown = [self._plane()] if self.result.routers else []
        return [*shown, *([_pair(self.result.pair)] if self.result.pair is not None else [])]

    def _plane(self) -> CostFigure:
        found = self.result
        rows = [
            (ROUTERS[one.name][0], [share(one.aiq), _saved(one.equal), _saved(one.nearly), ROUTERS[one.name][1]])
            for one in found.routers
        ]
        return CostFigure(
            kind="plane",
            title="Cost and quality",
            text="Contenders, the hull that mixing two of them at random gives, and routers at all exchange rates "
            "between quality and money, on samples that they did not learn from.",
            alt="Contenders as points, the hull as a line, routers as lines, the oracle above all.",
            heads=["Router", "AIQ, %", "Cost at equal quality", "Cost at 99 % of it", "What it does"],
            rows=rows,
            wide=True,
        )


def _pair(pair: Pair) -> CostFigure:
    steps = range(0, len(pair.share), max(1, (len(pair.share) - 1) // 20))
    return CostFigure(
        kind="pair",
        title=f"{pair.strong} instead of {pair.weak}",
        text=f"How much of the gap between the two is closed at each share of calls to {pair.strong}, "
        f"ordered by {pair.router}.",
        alt="A line from the weak contender’s quality to the strong one’s against the share of calls.",
        heads=["Share of calls, %", "Quality, %", "Gap closed, %"],
        rows=[(share(pair.share[at]), [share(pair.quality[at]), share(pair.pgr[at])]) for at in steps],
        wide=True,
    )


def _place(name: str, front: set[str], corners: set[str]) -> str:
    return "on the hull" if name in corners else "on the front" if name in front else "dominated"


def _points(router: Router) -> list[list[float]]:
    """Cheapest first."""
    pairs = zip(router.cost.tolist(), (100 * router.quality).tolist(), strict=True)
    return [[cost, quality] for cost, quality in sorted(set(pairs))]


def _saved(saving: Saving) -> str:
    """Cost relative to the best contender's, with its interval."""
    if saving.relative_cost is None:
        return "never"
    low, high = saving.low, saving.high
    sure = "" if low is None or high is None else f" ({share(low, 0)} to {share(high, 0)})"
    return f"{share(saving.relative_cost, 0)} %{sure}"
