"""Reads of boards: the view that a URL asks for, as rows ready to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet

from evaluation.analyses import ANALYSES
from webapp.accounts.selectors import Viewer, visible
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import suite_versions
from webapp.leaderboards.cells import Cell
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.results.selectors import report_context


def leaderboards(user: Viewer, search: str = "") -> QuerySet[Leaderboard]:
    rows = visible(Leaderboard.objects.all(), user).select_related("team", "suite__team")
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.order_by("title", "id")


@dataclass(frozen=True)
class View:
    """What of a board is shown: all of it lives in the URL, and equal views share one rendering.

    sort: "rank", "name", "value" or a benchmark's name; a leading minus turns it round.
    """

    sort: str = "rank"
    search: str = ""
    tag: str = ""
    complete: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        return cls(
            sort=query.get("sort", "")[:80] or "rank",
            search=query.get("q", "")[:80].strip(),
            tag=query.get("tag", "")[:40].strip(),
            complete=query.get("complete") == "1",
        )

    @property
    def query(self) -> str:
        parts = {"sort": self.sort, "q": self.search, "tag": self.tag, "complete": "1" if self.complete else ""}
        return urlencode({k: v for k, v in parts.items() if v and (k, v) != ("sort", "rank")})

    def sorted_by(self, key: str) -> View:
        """The view after a click on this column: again turns it round."""
        return replace(self, sort=f"-{key}" if self.sort == key else key)


@dataclass(frozen=True)
class Row:
    standing: Standing
    cells: list[Cell]

    @property
    def rank(self) -> str:
        """A place, or the interval of places that the data allow."""
        low, high = self.standing.rank_low, self.standing.rank_high
        if low is None:
            return ""
        return str(low) if low == high else f"{low}–{high}"

    @property
    def complete(self) -> int:
        """How many benchmarks are done."""
        return sum(cell.complete for cell in self.cells)


@dataclass(frozen=True)
class Column:
    """One benchmark of the suite; `best` is the highest (or lowest) finished mean, for bold."""

    version: BenchmarkVersion
    best: float | None
    low: float | None
    high: float | None

    @property
    def name(self) -> str:
        return self.version.benchmark.name


@dataclass(frozen=True)
class Board:
    leaderboard: Leaderboard
    view: View
    columns: list[Column]
    rows: list[Row]
    total: int
    tags: list[str]
    running: int
    queued: int
    order_title: str

    @property
    def ranked(self) -> list[Row]:
        return [row for row in self.rows if row.standing.position is not None]

    @property
    def unranked(self) -> list[Row]:
        """Contenders without a result on some benchmark: shown, never ranked."""
        return [row for row in self.rows if row.standing.position is None]


def tournament_context(leaderboard: Leaderboard) -> dict[str, Any]:
    """What the tournament's page draws of a board: the live report, where the board is ordered by a tournament."""
    return {
        **report_context(leaderboard.report_id if leaderboard.order == "swiss" else None),
        "leaderboard": leaderboard,
        "order_title": ANALYSES[leaderboard.order].title,
    }


def board(leaderboard: Leaderboard, view: View) -> Board:
    """The whole table in two queries, whatever its size."""
    standings = list(leaderboard.standings.select_related("contender__version__entry__team"))
    versions = suite_versions(leaderboard.suite)
    everything = [Row(s, [Cell(*cell) for cell in s.cells]) for s in standings]
    rows = [row for row in everything if _wanted(row, view)]
    states = [cell.state for row in everything for cell in row.cells]
    return Board(
        leaderboard=leaderboard,
        view=view,
        columns=[_column(version, [row.cells[i] for row in everything]) for i, version in enumerate(versions)],
        rows=_sorted(rows, view, [v.benchmark.name for v in versions]),
        total=len(everything),
        tags=sorted({tag for s in standings for tag in s.contender.version.entry.tags}),
        running=states.count("running"),
        queued=states.count("queued"),
        order_title=ANALYSES[leaderboard.order].title,
    )


def _column(version: BenchmarkVersion, cells: list[Cell]) -> Column:
    means = [cell.mean for cell in cells if cell.complete and cell.mean is not None]
    if not means:
        return Column(version, None, None, None)
    return Column(version, (max if version.higher_is_better else min)(means), min(means), max(means))


def _wanted(row: Row, view: View) -> bool:
    entry = row.standing.contender.version.entry
    if view.complete and row.standing.position is None:
        return False
    if view.tag and view.tag not in entry.tags:
        return False
    text = f"{row.standing.contender.name} {entry.title}".lower()
    return all(word in text for word in view.search.lower().split())


def _sorted(rows: list[Row], view: View, benchmarks: list[str]) -> list[Row]:
    key = view.sort.removeprefix("-")
    value = _sort_value(key, benchmarks)
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    # A measure sorts from its best; unknown values stay at the end whichever way.
    downwards = key in benchmarks or key == "value"
    known.sort(key=lambda row: row.standing.contender.name)
    known.sort(key=value, reverse=downwards != view.sort.startswith("-"))  # type: ignore[arg-type]
    return known + sorted(unknown, key=lambda row: row.standing.contender.name)


def _sort_value(key: str, benchmarks: list[str]) -> Callable[[Row], float | str | None]:
    if key == "name":
        return lambda row: row.standing.contender.name
    if key == "value":
        return lambda row: row.standing.value
    if key in benchmarks:
        at = benchmarks.index(key)
        return lambda row: row.cells[at].mean if row.cells[at].complete else None
    return lambda row: row.standing.position
