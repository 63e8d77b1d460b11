"""Reads of releases: which there are, and a frozen board as rows ready to draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate

from webapp.accounts.selectors import Viewer, visible
from webapp.catalog.selectors import suite_versions
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.services import runs_behind
from webapp.releases.changes import Change, changes, gone, rank
from webapp.releases.models import Release
from webapp.releases.snapshots import Frozen

MOST_DAYS = 60  # that the chooser of a board offers


def releases(user: Viewer, *, board: Leaderboard | None = None, search: str = "") -> QuerySet[Release]:
    """Newest first, without their numbers."""
    rows = visible(Release.objects.all(), user).select_related("team", "leaderboard__team", "created_by")
    if board is not None:
        rows = rows.filter(leaderboard=board)
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.defer("frozen").order_by("-as_of", "-id")


def before(user: Viewer, board: Leaderboard, moment: datetime) -> Release | None:
    """The latest release of a board, older than that, that counts and that this person may read."""
    earlier = releases(user, board=board).filter(as_of__lt=moment, withdrawn_at=None)
    return earlier.defer(None).first()


def days(board: Leaderboard) -> list[tuple[date, int]]:
    """The days (UTC) on which results arrived, newest first, with how many."""
    versions = [version.pk for version in suite_versions(board.suite)]
    runs = runs_behind(board, versions).filter(state=Run.State.DONE, finished_at__isnull=False).order_by()
    found = runs.annotate(day=TruncDate("finished_at")).values("day").annotate(n=Count("pk")).order_by("-day")
    return [(row["day"], row["n"]) for row in found[:MOST_DAYS]]


@dataclass(frozen=True)
class Cell:
    """mean: None without a result. half: of the 95 % interval; best: of its column. run: behind the number."""

    mean: float | None
    half: float | None = None
    best: bool = False
    other: bool = False
    run: int | None = None


@dataclass(frozen=True)
class Line:
    row: Mapping[str, Any]
    rank: str
    cells: Sequence[Cell]
    change: Change | None


@dataclass(frozen=True)
class Drawn:
    """A frozen board; since: the earlier release that its changes are told against."""

    frozen: Frozen
    lines: Sequence[Line]
    since: Release | None
    gone: Sequence[str]

    @property
    def ranked(self) -> list[Line]:
        return [line for line in self.lines if line.rank]

    @property
    def unranked(self) -> list[Line]:
        return [line for line in self.lines if not line.rank]

    @property
    def moved(self) -> int:
        """Contenders that changed places by more than the data leave open."""
        return sum(bool(line.change and line.change.places and not line.change.held) for line in self.lines)


def drawn(frozen: Frozen, since: Release | None = None) -> Drawn:
    told = changes(since.frozen, frozen) if since else {}
    best = _best(frozen)
    lines = [_line(row, best, told) for row in frozen["standings"]]
    return Drawn(frozen, lines, since, gone(since.frozen, frozen) if since else [])


def behind(lines: Iterable[Line]) -> set[int]:
    """The runs of these numbers."""
    return {cell.run for line in lines for cell in line.cells if cell.run}


def _line(row: Mapping[str, Any], best: Sequence[float | None], told: Mapping[str, Change]) -> Line:
    cells = [_cell(cell, best[at]) for at, cell in enumerate(row["cells"])]
    return Line(row, rank(row), cells, told.get(row["contender"]))


def _best(frozen: Frozen) -> list[float | None]:
    """The best finished mean of each column."""
    found: list[float | None] = []
    for at, column in enumerate(frozen["columns"]):
        means = [row["cells"][at]["mean"] for row in frozen["standings"] if row["cells"][at]["state"] == "done"]
        found.append((max if column["higher_is_better"] else min)(means) if means else None)
    return found


def _cell(cell: Mapping[str, Any], best: float | None) -> Cell:
    if cell["state"] != "done":
        return Cell(None)
    known = cell["low"] is not None and cell["high"] is not None
    half = (cell["high"] - cell["low"]) / 2 if known else None
    return Cell(cell["mean"], half, cell["mean"] == best, cell["other"], cell["run"])
