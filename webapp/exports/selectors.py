"""Whose scores an export is of: one source, named in the address, and of it only what the person may read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from webapp.accounts.selectors import Viewer
from webapp.errors import DomainError
from webapp.jobs.models import Run
from webapp.jobs.selectors import jobs, runs
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import board as board_of
from webapp.leaderboards.selectors import leaderboards
from webapp.leaderboards.viewing import View
from webapp.results.selectors import reports

SOURCES = ("runs", "job", "leaderboard", "report")
MOST_RUNS = 100_000


def finished(user: Viewer, query: Mapping[str, str]) -> list[Run]:
    """The finished runs of the one source that the query names. Raises DomainError that names the field."""
    named = [name for name in SOURCES if query.get(name)]
    if len(named) != 1:
        raise DomainError("Name one source of scores.", field=SOURCES[0], remedy=f"Use one of {', '.join(SOURCES)}.")
    chosen = FINDERS[named[0]](user, query, runs(user).filter(state=Run.State.DONE))
    ordered = chosen.select_related("version__benchmark").order_by("version_id", "contender__name", "pk")
    found = list(ordered[: MOST_RUNS + 1])
    if not found:
        raise _missing(named[0], "There is no finished run here that you may read.")
    if len(found) > MOST_RUNS:
        problem = f"These are more than {MOST_RUNS:,} runs."
        raise DomainError(problem, field=named[0], remedy="Export them in parts: narrow the board, or name runs.")
    return found


def find_board(user: Viewer, name: str) -> Leaderboard:
    team, _, short = name.partition("/")
    board = leaderboards(user).filter(team__name=team, name=short).first()
    if board is None:
        raise _missing("leaderboard", f"There is no leaderboard {name}.", "Write team/name.")
    return board


def _runs(user: Viewer, query: Mapping[str, str], readable: QuerySet[Run]) -> QuerySet[Run]:
    return readable.filter(pk__in=[_number("runs", part) for part in query["runs"].split(",")])


def _job(user: Viewer, query: Mapping[str, str], readable: QuerySet[Run]) -> QuerySet[Run]:
    job = jobs(user).filter(pk=_number("job", query["job"])).first()
    if job is None:
        raise _missing("job", f"There is no job {query['job']}.")
    return readable.filter(jobs=job)


def _report(user: Viewer, query: Mapping[str, str], readable: QuerySet[Run]) -> QuerySet[Run]:
    report = reports(user).filter(pk=_number("report", query["report"])).first()
    if report is None:
        raise _missing("report", f"There is no report {query['report']}.")
    return readable.filter(pk__in=report.inputs.get("runs", []))


def _leaderboard(user: Viewer, query: Mapping[str, str], readable: QuerySet[Run]) -> QuerySet[Run]:
    """The runs behind the cells that the rest of the query shows."""
    shown = board_of(find_board(user, query["leaderboard"]), View.of(query))
    cells = [row.cells[column.at] for row in shown.rows for column in shown.visible]
    return readable.filter(pk__in=[cell.run for cell in cells if cell.complete])


FINDERS: Mapping[str, Any] = {"runs": _runs, "job": _job, "leaderboard": _leaderboard, "report": _report}


def _number(field: str, text: str) -> int:
    if not (text.strip().isdecimal() and len(text) < 19):
        raise DomainError(f"“{text[:40]}” is not a number.", field=field, remedy="Give ids, with commas.")
    return int(text)


def _missing(field: str, problem: str, remedy: str = "") -> DomainError:
    return DomainError(problem, field=field, remedy=remedy, status=404)
