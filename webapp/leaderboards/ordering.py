"""From the finished runs of a board to the order of its contenders. Reads and computes; writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Ranking, parse_params, to_json
from evaluation.errors import EvaluationError
from webapp.leaderboards.cells import Cell
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.leaderboards.separation import Separation, separate
from webapp.results.models import Report
from webapp.results.selectors import Means, means

log = logging.getLogger("crosstable.boards")
ORDERS = {key: analysis for key, analysis in ANALYSES.items() if analysis.ranking and analysis.needs == "means"}

FULL_CELLS = 1_000
FULL_SECONDS = 10.0
LIGHT = {"swiss": {"iterations": 5_000, "eliminate": "0", "crosstable": False, "orders": 0, "resample": False}}


def live_parameters(order: str, chosen: Mapping[str, Any], contenders: int, benchmarks: int) -> dict[str, Any]:
    """The parameters that a board's own order is computed with, each time a run lands.

    Up to 1,000 cells (and ten seconds of work) they are the board's own: the full tournament takes half a second
    there. A larger board plays 5,000 tournaments without eliminations, 2 seconds at 500 x 100, so that the order
    follows the cells; a report on demand plays all of it.
    """
    analysis = ORDERS[order]
    full = parse_params(analysis.Params, chosen)
    expected = analysis.seconds(contenders, benchmarks, full) if analysis.seconds else 0.0
    if contenders * benchmarks <= FULL_CELLS and expected <= FULL_SECONDS:
        return asdict(full)
    return asdict(parse_params(analysis.Params, {**chosen, **LIGHT.get(order, {})}))


@dataclass(frozen=True)
class Place:
    position: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    value: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Ordered:
    """places: by contender id, of those with a result everywhere. report: fields of the report behind the board.

    verdict: what the paired comparison of the contenders says in words; empty where they were not compared.
    """

    places: dict[int, Place] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    verdict: str = ""


def complete(standing: Standing) -> bool:
    """Whether there is a result on every benchmark: only then is a contender ranked."""
    return bool(standing.cells) and all(Cell(*cell).complete for cell in standing.cells)


def order(board: Leaderboard, standings: Sequence[Standing]) -> Ordered | None:
    """Compute the order of a board; None where the stored one still holds: same runs, same question, same answer."""
    whole = sorted((one for one in standings if complete(one)), key=lambda one: (one.contender.name, one.contender_id))
    runs = [Cell(*cell).run for one in whole for cell in one.cells]
    inputs = {
        "runs": runs,
        "about": f"Board {board.team.name}/{board.name}",
        "left_out": sorted(one.contender.name for one in standings if not complete(one)),
    }
    benchmarks = len(whole[0].cells) if whole else 0
    question = {
        "analysis": board.order,
        "analysis_version": str(ORDERS[board.order].version),
        "parameters": live_parameters(board.order, board.parameters, len(whole), benchmarks),
        "inputs": inputs,
    }
    if _holds(board.report, question) and all(one.position for one in whole):
        return None
    try:
        if not whole:
            return Ordered(report={**question, **_failed("No contender has a result on every benchmark yet.")})
        return _computed(question, means([run for run in runs if run]))
    except EvaluationError as error:
        log.warning("board %s cannot be ordered by %s: %s", board.pk, board.order, error)
        return Ordered(report={**question, **_failed(str(error))})


def _holds(report: Report | None, question: Mapping[str, Any]) -> bool:
    if report is None or report.state != Report.State.DONE:
        return False
    return all(getattr(report, name) == value for name, value in question.items())


def _failed(reason: str) -> dict[str, Any]:
    """Nobody is ranked where the order refuses the table; the cells are shown anyway."""
    return {"state": Report.State.FAILED, "reason": reason, "result": None}


def _computed(question: Mapping[str, Any], found: Means) -> Ordered:
    analysis = ORDERS[question["analysis"]]
    result = analysis.compute(found.table, parse_params(analysis.Params, question["parameters"]))
    ranking: Ranking = analysis.ranking(result)  # type: ignore[misc]
    report = {**question, "state": Report.State.DONE, "reason": "", "result": to_json(result)}
    held = separate(question["inputs"]["runs"])
    places = [held_place(place, held, at) for at, place in enumerate(_places(ranking))]
    return Ordered(dict(zip(found.contender_ids, places, strict=True)), report, held.verdict if held else "")


def held_place(place: Place, held: Separation | None, at: int) -> Place:
    """The order is the analysis' own; the interval of ranks is what the samples hold, wherever they were compared."""
    return replace(place, rank_low=held.rank_low[at], rank_high=held.rank_high[at]) if held else place


def _places(ranking: Ranking) -> list[Place]:
    order = np.argsort(-ranking.value if ranking.higher_is_better else ranking.value, kind="stable")
    position = {int(row): at for at, row in enumerate(order, 1)}
    errors = ranking.standard_error
    return [
        Place(
            position=position[i],
            rank_low=int(ranking.rank_low[i]),
            rank_high=int(ranking.rank_high[i]),
            value=float(ranking.value[i]),
            error=None if errors is None or np.isnan(errors[i]) else float(errors[i]),
        )
        for i in range(len(ranking.contenders))
    ]
