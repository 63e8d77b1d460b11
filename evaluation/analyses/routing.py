"""Which contender for which question: fronts, routers and cascades over scores and costs that are there already.

Sources: RouterBench (arXiv 2403.12031), RouteLLM (2406.18665), FrugalGPT (2305.05176), CARROT (2502.03261), LLM Routing
with Benchmark Datasets (2309.15789). No new inference: a router is judged by what the contender it sends a sample to
has scored and cost there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluation.analyses.base import Analysis, Frozen, parameter
from evaluation.analyses.routes.chains import chain
from evaluation.analyses.routes.pairs import Pair, compare_pair
from evaluation.analyses.routes.plane import average_quality, hull, oracle, undominated
from evaluation.analyses.routes.routers import Outcome, bandit, cascade, folds, learned, route
from evaluation.errors import BadParameter
from evaluation.routes import RouteTable
from evaluation.tables import Floats, Integers

KEPT = 0.99  # of the best contender's quality, for the verdict
FEWEST = 4  # samples from which a router can learn and be judged


@dataclass(frozen=True)
class RoutingParams:
    """Parameters of the report."""

    strong: str = parameter("", "The strong contender of the pair; empty: the best one")
    weak: str = parameter("", "The weak contender of the pair; empty: the cheapest one")
    folds: int = parameter(5, "Parts of the cross-validation", minimum=2, maximum=100)
    leave_out: bool = parameter(False, "Judge each category by a router that never saw it")
    resamples: int = parameter(1000, "Resamples of the paired bootstrap", minimum=0, maximum=100_000)
    seed: int = parameter(1, "Seed of folds, bandit and bootstrap", minimum=0)


@dataclass(frozen=True)
class Place:
    """A contender in the plane: mean cost (USD per sample) and quality (mean score)."""

    contender: str
    cost: float
    quality: float


@dataclass(frozen=True)
class Oracle:
    """Always the best contender, the cheapest among the best. unsolved: share of samples that nobody gets right."""

    quality: float
    cost: float
    unsolved: float


@dataclass(frozen=True)
class Saving:
    """The least cost, relative to the best contender's, at which this share of its quality is kept; with a 95 %
    interval. The rate is chosen on one half of the samples and judged on the other. None where it is never reached."""

    kept: float
    relative_cost: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Router(Frozen):
    """A router at every exchange rate between quality and money, on samples that it did not learn from.

    cost, quality: (rate,). asked: (rate, contender) share of the samples on which each one was asked.
    aiq: mean height of its hull between the cheapest and the dearest contender's cost. equal, nearly: what it saves at
    the best contender's quality (QNC), and at 99 % of it.
    """

    name: str
    cost: Floats
    quality: Floats
    asked: Floats
    aiq: float
    equal: Saving
    nearly: Saving


@dataclass(frozen=True, eq=False)
class RoutingResult(Frozen):
    """pareto: contenders that nobody beats at their cost, cheapest first; hull: those that mixing cannot beat.

    aiq: of the hull. pair: the strong and the weak contender; apgr and cpt are its own. dropped: samples without all
    scores and costs.
    """

    contenders: tuple[str, ...]
    n: int
    dropped: int
    cost: Floats
    quality: Floats
    pareto: tuple[Place, ...]
    hull: tuple[Place, ...]
    aiq: float
    oracle: Oracle
    apgr: float
    cpt: dict[str, float]
    pair: Pair | None
    routers: tuple[Router, ...]
    verdict: str
    warnings: tuple[str, ...]


def compute(table: RouteTable, params: RoutingParams) -> RoutingResult:
    """Raises NotEnoughData where no sample has all scores and costs, BadParameter for an unknown or weaker name.

    Contenders are taken in the order of their names, so that ties fall the same way whatever the order of rows.
    """
    whole = table.common()
    place = np.argsort(sorted(range(len(table.contenders)), key=lambda row: table.contenders[row]))
    ordered = whole.take(tuple(sorted(whole.contenders)), np.arange(len(whole.samples)))
    cost, quality = ordered.cost_usd.mean(axis=1), ordered.score.mean(axis=1)
    few = len(whole.samples) < FEWEST
    parts = [] if few else _parts(ordered, params)
    routers = () if few else tuple(_router(outcome, ordered, params) for outcome in _outcomes(ordered, parts, params))
    pair = _pair(ordered, cost, quality, parts, params)
    best, price = oracle(ordered.score, ordered.cost_usd)
    return RoutingResult(
        contenders=table.contenders,
        n=len(whole.samples),
        dropped=len(table.samples) - len(whole.samples),
        cost=cost[place],
        quality=quality[place],
        pareto=_places(ordered, undominated(cost, quality), cost, quality),
        hull=_places(ordered, hull(cost, quality), cost, quality),
        aiq=average_quality(cost, quality, float(cost.min()), float(cost.max())),
        oracle=Oracle(best, price, float((ordered.score.max(axis=0) <= 0).mean())),
        apgr=float("nan") if pair is None else pair.apgr,
        cpt={} if pair is None else pair.cpt,
        pair=pair,
        routers=tuple(replace(router, asked=router.asked[:, place]) for router in routers),
        verdict=_verdict(routers, ordered.contenders[int(quality.argmax())]),
        warnings=_warnings(table, whole, pair),
    )


def _parts(table: RouteTable, params: RoutingParams) -> list[Integers]:
    """Test parts; small tables get fewer of them."""
    count = max(2, min(params.folds, len(table.samples) // 2))
    return folds(table, count, params.seed, params.leave_out and bool(table.categories))


def _outcomes(table: RouteTable, parts: list[Integers], params: RoutingParams) -> list[Outcome]:
    found = [route(table, name, predict, parts) for name, predict in learned(table).items()]
    if table.confidence is not None and not bool(np.isnan(table.confidence).any()):
        found += [cascade(table, parts), chain(table, parts)]
    if table.categories:
        found.append(bandit(table, params.seed))
    return found


def _router(outcome: Outcome, table: RouteTable, params: RoutingParams) -> Router:
    means = table.cost_usd.mean(axis=1)
    cost, quality = outcome.cost_usd.mean(axis=1), outcome.score.mean(axis=1)
    # A router's cheapest point is where its curve begins; the cheapest contender alone is always open to it.
    cheapest = int(means.argmin())
    own = np.r_[means[cheapest], cost], np.r_[table.score[cheapest].mean(), quality]
    return Router(
        name=outcome.name,
        cost=cost,
        quality=quality,
        asked=outcome.asked,
        aiq=average_quality(*own, float(means.min()), float(means.max())),
        equal=saving(outcome, table, 1.0, params),
        nearly=saving(outcome, table, KEPT, params),
    )


def saving(outcome: Outcome, table: RouteTable, kept: float, params: RoutingParams) -> Saving:
    """The paired bootstrap draws samples; the rate stays the one that each half chose for the other."""
    best = int(table.score.mean(axis=1).argmax())
    halves = folds(table, 2, params.seed + 1, False)
    score, cost = np.empty(len(table.samples)), np.empty(len(table.samples))
    for judged, chooser in zip(halves, halves[::-1], strict=True):
        enough = outcome.score[:, chooser].mean(axis=1) >= kept * table.score[best, chooser].mean() - 1e-12
        if not enough.any():
            return Saving(kept, None, None, None)
        rate = int(np.where(enough, outcome.cost_usd[:, chooser].mean(axis=1), np.inf).argmin())
        score[judged], cost[judged] = outcome.score[rate, judged], outcome.cost_usd[rate, judged]
    against = table.cost_usd[best]
    if against.sum() <= 0:
        return Saving(kept, None, None, None)
    relative = float(cost.sum() / against.sum())
    if not params.resamples:
        return Saving(kept, relative, None, None)
    rng = np.random.default_rng(params.seed)
    weights = rng.multinomial(cost.size, np.full(cost.size, 1 / cost.size), size=params.resamples)
    low, high = np.percentile((weights @ cost) / (weights @ against), [2.5, 97.5])
    return Saving(kept, relative, float(low), float(high))


def _pair(
    table: RouteTable, cost: Floats, quality: Floats, parts: list[Integers], params: RoutingParams
) -> Pair | None:
    """The pair that was asked for, else the best and the cheapest; None where these are the same."""
    for name, field in ((params.strong, "strong"), (params.weak, "weak")):
        if name and name not in table.contenders:
            known = f"Known: {', '.join(table.contenders)}."
            raise BadParameter(f"There is no contender “{name}”.", field=field, remedy=known)
    strong = params.strong or table.contenders[int(np.lexsort((cost, -quality))[0])]
    weak = params.weak or table.contenders[int(np.lexsort((-quality, cost))[0])]
    if not (params.strong or params.weak) and strong == weak:
        return None
    return compare_pair(table, strong, weak, parts)


def _places(table: RouteTable, rows: Integers, cost: Floats, quality: Floats) -> tuple[Place, ...]:
    return tuple(Place(table.contenders[row], float(cost[row]), float(quality[row])) for row in rows.tolist())


def _verdict(routers: Sequence[Router], best: str) -> str:
    """The router that keeps 99 % of the best contender's quality most cheaply."""
    kept = f"{100 * KEPT:.0f} % of the quality of {best}"
    able = [router for router in routers if router.nearly.relative_cost is not None]
    if not able:
        return f"No router keeps {kept}."
    router = min(able, key=lambda one: one.nearly.relative_cost or 0.0)
    spent, low, high = router.nearly.relative_cost, router.nearly.low, router.nearly.high
    if spent is None or spent >= 1:
        return f"No router keeps {kept} for less than it costs."
    interval = f", 95 % interval {100 * low:.0f} to {100 * high:.0f} %" if low is not None and high is not None else ""
    names = {"single": "One contender alone", "cascade": "A two-step cascade", "chain": "A cascade"}
    name = names.get(router.name, f"The router by {router.name}")
    return f"{name} keeps {kept} at {100 * spent:.0f} % of its cost{interval}."


def _warnings(table: RouteTable, whole: RouteTable, pair: Pair | None) -> tuple[str, ...]:
    said = []
    dropped = len(table.samples) - len(whole.samples)
    if dropped:
        said.append(f"{dropped} samples were left out: a score or a cost of {', '.join(table.lacking)} is missing.")
    if len(whole.samples) < FEWEST:
        said.append(f"{len(whole.samples)} samples are too few for a router to learn from.")
    if pair is None:
        said.append("The best contender is also the cheapest: there is nothing to route.")
    elif pair.router == "random":
        said.append("The pair is mixed at random: there is neither a confidence nor a category to route by.")
    return tuple(said)


ROUTING: Analysis[RouteTable, RoutingParams, RoutingResult] = Analysis(
    title="Routing",
    Params=RoutingParams,
    compute=compute,
    version=2,
    source="RouterBench, arXiv 2403.12031; RouteLLM, arXiv 2406.18665; FrugalGPT, arXiv 2305.05176",
    needs="routes",
)
