"""What a review is about, and where its runs come from: a report, a board, a job, or runs by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.accounts.models import Team
from webapp.accounts.selectors import Viewer, visible
from webapp.errors import DomainError, Unprocessable
from webapp.jobs.models import Job, Run
from webapp.jobs.selectors import jobs
from webapp.leaderboards.cells import Cell
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.ordering import complete
from webapp.leaderboards.selectors import leaderboards
from webapp.results.models import Report
from webapp.results.selectors import reports
from webapp.reviews import selectors
from webapp.reviews.models import Review


@dataclass(frozen=True)
class Remark:
    """A comment before it is stored. anchor: see Comment; parent: the comment that it answers."""

    body: str
    anchor: Mapping[str, Any] | None = None
    parent: int | None = None


@dataclass(frozen=True)
class Subject:
    """What a review is about: a finished report, or finished runs by id; and the board that a sign-off marks."""

    runs: Sequence[int] = ()
    report: Report | None = None
    leaderboard: Leaderboard | None = None


@dataclass(frozen=True)
class Asked:
    """A subject as an address names it. title: a proposal; key and value: how the address says it; left_out: why some
    of it is not part."""

    team: Team
    subject: Subject
    title: str
    key: str
    value: str
    left_out: str = ""


def asked(user: Viewer, query: Mapping[str, str]) -> Asked | None:
    """The subject that an address names by `report`, `board` or `job`; None where it names none. Raises DomainError."""
    for key, find in (("report", _of_report), ("board", _of_board), ("job", _of_job)):
        value = query.get(key, "")
        if value:
            return find(user, value)
    return None


def _of_report(user: Viewer, value: str) -> Asked:
    report = reports(user).filter(pk=_number(value)).first()
    if report is None:
        raise _unknown("report")
    return of_report(report)


def _of_board(user: Viewer, value: str) -> Asked:
    team, _, name = value.partition("/")
    board = leaderboards(user).filter(team__name=team, name=name).first()
    if board is None:
        raise _unknown("board")
    return of_board(board)


def _of_job(user: Viewer, value: str) -> Asked:
    job = jobs(user).filter(pk=_number(value)).first()
    if job is None:
        raise _unknown("job")
    return of_job(user, job)


def of_report(report: Report) -> Asked:
    if report.state != Report.State.DONE:
        raise Unprocessable("This report is not finished.", field="report", remedy="Wait until it is computed.")
    return Asked(report.team, Subject(report.inputs["runs"], report), str(report), "report", str(report.pk))


def of_board(board: Leaderboard) -> Asked:
    """The runs that the board shows now, of contenders that have all their results."""
    standings = list(board.standings.select_related("contender").order_by("contender__name", "contender_id"))
    whole = [one for one in standings if complete(one)]
    runs = [run for one in whole for cell in one.cells if (run := Cell(*cell).run)]
    short = len(standings) - len(whole)
    said = f"{short} of {len(standings)} contenders lack a result and are not part of it." if short else ""
    named = f"{board.team.name}/{board.name}"
    return Asked(board.team, Subject(runs, leaderboard=board), f"Sign off {board.title}", "board", named, said)


def of_job(user: Viewer, job: Job) -> Asked:
    every = visible(job.runs.all(), user)
    whole = every.filter(state=Run.State.DONE, team=job.team, subset=None)
    runs = list(whole.order_by("pk").values_list("pk", flat=True))
    short = every.count() - len(runs)
    said = f"{short} of its runs have not finished, or are partial, and are not part of it." if short else ""
    return Asked(job.team, Subject(runs), f"Results of {job.title}", "job", str(job.pk), said)


def renewed(review: Review, report: Report | None = None) -> Subject:
    """The subject of a review as it is now: another report of the same kind, or the newest runs of the same cells."""
    board = review.leaderboard
    if review.report is not None:
        return Subject(report=report or review.report, leaderboard=board)
    return Subject(selectors.newest(review.runs), leaderboard=board)


def _number(value: str) -> int:
    return int(value) if value.isdecimal() and len(value) < 10 else 0


def _unknown(kind: str) -> DomainError:
    return DomainError(f"There is no such {kind}.", status=404)
