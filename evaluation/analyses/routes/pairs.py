"""A strong and a weak contender: how much of the gap a router closes at each share of calls to the strong one.

Terms of RouteLLM (arXiv 2406.18665): PGR, the performance gap recovered; APGR, its mean over all shares; CPT(x), the
share of calls to the strong contender that PGR x takes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.base import Frozen
from evaluation.analyses.routes.predictors import by_category
from evaluation.errors import BadParameter
from evaluation.routes import RouteTable
from evaluation.tables import Floats, Integers

GAPS = (20, 50, 80)  # per cent of the gap, for CPT
STEPS = 101


@dataclass(frozen=True, eq=False)
class Pair(Frozen):
    """The weak contender, or the strong one for the samples where the router doubts most.

    router: what orders the samples: confidence (of the weak one), category (gain on other samples) or random.
    share: growing shares of calls to the strong one. quality: mean score at each; pgr the same as a part of the gap.
    cpt: share needed for 20, 50, 80 % of the gap.
    """

    strong: str
    weak: str
    router: str
    strong_quality: float
    weak_quality: float
    share: Floats
    quality: Floats
    pgr: Floats
    apgr: float
    cpt: dict[str, float]


def recovered(quality: Floats, weak: float, strong: float) -> Floats:
    """PGR = (quality - weak) / (strong - weak). Raises BadParameter where the strong one is not better."""
    if not strong > weak:
        problem = f"The strong contender ({strong:.4g}) is not better than the weak one ({weak:.4g})."
        raise BadParameter(problem, field="strong", remedy="Name them the other way round.")
    return np.asarray((quality - weak) / (strong - weak))


def area(share: Floats, pgr: Floats) -> float:
    """APGR: the mean of PGR over shares from 0 to 1."""
    return float(np.trapezoid(pgr, share))


def needed(share: Floats, pgr: Floats, gap: float) -> float:
    """CPT: the least share at which the PGR reaches `gap`, between the points of the curve in a straight line."""
    at = int(np.argmax(pgr >= gap - 1e-12))
    if at == 0:
        return float(share[0])
    before, rise = at - 1, pgr[at] - pgr[at - 1]
    part = (gap - pgr[before]) / rise if rise > 0 else 1.0
    return float(share[before] + part * (share[at] - share[before]))


def compare_pair(table: RouteTable, strong: str, weak: str, parts: list[Integers]) -> Pair:
    """The pair's curve by the best order of samples that the table has the columns for."""
    rows = [table.contenders.index(name) for name in (weak, strong)]
    low, high = table.score[rows]
    router, doubt = _doubts(table, rows, parts)
    size = low.size
    if doubt is None:
        share = np.linspace(0, 1, STEPS)
        quality = low.mean() + share * (high.mean() - low.mean())
    else:
        order = np.argsort(-doubt, kind="stable")
        gained = np.r_[0.0, np.cumsum((high - low)[order])]
        # Equal doubts are sent in a random order: on average a straight line between the ends of the run.
        ends = np.r_[0, np.flatnonzero(np.diff(doubt[order])) + 1, size]
        share = np.arange(size + 1) / size
        quality = low.mean() + np.interp(np.arange(size + 1), ends, gained[ends]) / size
    pgr = recovered(quality, float(low.mean()), float(high.mean()))
    return Pair(
        strong=strong,
        weak=weak,
        router=router,
        strong_quality=float(high.mean()),
        weak_quality=float(low.mean()),
        share=share,
        quality=quality,
        pgr=pgr,
        apgr=area(share, pgr),
        cpt={str(gap): needed(share, pgr, gap / 100) for gap in GAPS},
    )


def _doubts(table: RouteTable, rows: list[int], parts: list[Integers]) -> tuple[str, Floats | None]:
    """What orders the samples, most in need of the strong one first."""
    confidence = None if table.confidence is None else table.confidence[rows[0]]
    if confidence is not None and not bool(np.isnan(confidence).any()):
        return "confidence", -confidence
    if not (table.categories and parts):
        return "random", None
    gain = np.empty(len(table.samples))
    for test in parts:
        train = np.setdiff1d(np.arange(gain.size), test)
        score, _ = by_category(table, train, test)
        gain[test] = score[rows[1]] - score[rows[0]]
    return "category", gain
