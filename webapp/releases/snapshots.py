"""A board in plain numbers and names: what a release freezes, and what the board was on an earlier day.

`Frozen` is JSON that needs no other row to be read, so that it says the same when entries and runs are long gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from math import isfinite
from typing import Any

from evaluation.analyses import ANALYSES
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.catalog.selectors import suite_versions
from webapp.jobs.models import Run
from webapp.leaderboards import ordering
from webapp.leaderboards.cells import FIELDS, MADE_BY, Cell, grid
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.leaderboards.ordering import Place
from webapp.leaderboards.services import runs_behind

Frozen = dict[str, Any]
FORMAT = 1
WHOLE = 1e16  # from here on Python writes floats with an exponent, and the database writes out all digits
OWNER = "contender__version__entry"


def of_board(board: Leaderboard, moment: datetime) -> Frozen:
    """The standings as they are stored."""
    standings = list(board.standings.select_related(OWNER))
    return _frozen(board, moment, standings, board.verdict)


def as_of(board: Leaderboard, moment: datetime) -> Frozen:
    """From the results that were there at that moment, in the order by which the board goes now.

    A run that had not finished then is not there: how far it was is not kept. Costs what a refresh of the board costs.
    """
    versions = [version.pk for version in suite_versions(board.suite)]
    runs = runs_behind(board, versions).filter(state=Run.State.DONE, finished_at__lte=moment)
    rows = grid(runs.values(*FIELDS, **MADE_BY), versions)
    known = Contender.objects.select_related("version__entry").in_bulk(rows)
    standings = [
        Standing(leaderboard=board, contender=known[pk], cells=[list(cell) for cell in cells])
        for pk, cells in rows.items()
    ]
    ordered = ordering.order(board, standings)
    places = ordered.places if ordered else {}
    for one in standings:
        vars(one).update(vars(places.get(one.contender_id, Place()) if ordering.complete(one) else Place()))
    return _frozen(board, moment, standings, ordered.verdict if ordered else "")


def looked_at(board: Leaderboard, moment: datetime) -> Frozen:
    """`as_of` for people who look: a day of a version of a board is computed once per process."""
    asked = (board.order, json.dumps(board.parameters, sort_keys=True), board.visibility, board.title)
    key = (board.pk, board.created_at, board.version, *asked, moment.date() if moment.time() != time.min else moment)
    return _looked_at.get(key, lambda: as_of(board, moment))


_looked_at: Memory[Frozen] = Memory(most=16)


def sha256(frozen: Frozen) -> str:
    """Of the canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(frozen, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _frozen(board: Leaderboard, moment: datetime, standings: Sequence[Standing], verdict: str) -> Frozen:
    analysis = ANALYSES[board.order]
    frozen = {
        "format": FORMAT,
        "board": f"{board.team.name}/{board.name}",
        "title": board.title,
        "suite": board.suite.name,
        "order": board.order,
        "order_title": analysis.title,
        "analysis_version": str(analysis.version),
        "parameters": board.parameters,
        "verdict": verdict,
        "as_of": moment.isoformat(),
        "columns": [_column(version) for version in suite_versions(board.suite)],
        "standings": [_standing(one) for one in sorted(standings, key=_place)],
    }
    plain: Frozen = json.loads(json.dumps(frozen), parse_float=_number)
    return plain


def _number(text: str) -> float | int:
    """As the database gives it back, so that hashes agree: no minus zero, and from 1e16 on whole numbers."""
    value = float(text) + 0.0
    return value if abs(value) < WHOLE else int(value)


def _place(one: Standing) -> tuple[bool, int, str]:
    return one.position is None, one.position or 0, one.contender.name


def _column(version: BenchmarkVersion) -> Mapping[str, Any]:
    return {
        "benchmark": version.benchmark.name,
        "version": version.number,
        "content_hash": version.content_hash,
        "metric": version.metric,
        "higher_is_better": version.higher_is_better,
        "samples": version.samples,
        "chance": version.chance,
    }


def _standing(one: Standing) -> Mapping[str, Any]:
    version = one.contender.version
    return {
        "contender": one.contender.name,
        "entry": version.entry.name,
        "entry_version": version.number,
        "fingerprint": version.fingerprint,
        "scheme": one.contender.scheme,
        "position": one.position,
        "rank_low": one.rank_low,
        "rank_high": one.rank_high,
        "value": _finite(one.value),
        "error": _finite(one.error),
        "comparable": not any(Cell(*cell).other for cell in one.cells),
        "signed_off": one.signed_off,
        "cells": [_cell(Cell(*cell)) for cell in one.cells],
    }


def _finite(value: float | None) -> float | None:
    """JSON has no infinity; whoever never lost has no strength that could be told."""
    return value if value is not None and isfinite(value) else None


def _cell(cell: Cell) -> Mapping[str, Any]:
    """Results only: how far a run was is not a result."""
    if not cell.complete:
        return {"state": "none" if cell.state == "none" else "missing"}
    shown = {name: getattr(cell, name) for name in ("run", "mean", "low", "high", "other")}
    return {"state": "done", "samples": cell.done, **shown}
