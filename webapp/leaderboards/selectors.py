"""Reads of boards: the view that a URL asks for, as rows ready to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from evaluation.analyses import ANALYSES
from webapp.accounts.selectors import Viewer, teams_where, visible
from webapp.leaderboards import filtering
from webapp.leaderboards.badges import BADGES, Badge, Superseded, badges, superseded
from webapp.leaderboards.costs import NOTHING, Costs, RowCost, costs
from webapp.leaderboards.filtering import Term
from webapp.leaderboards.models import Leaderboard, SavedView
from webapp.leaderboards.tables import Column, Row, Table, table
from webapp.leaderboards.viewing import View
from webapp.results.selectors import report_context

# Cells on one page of a board: what a browser lays out, and a phone downloads, without being felt.
PAGE_CELLS = 6_000
FEWEST_ROWS, MOST_ROWS = 20, 200
COSTS = {"cost": "mean", "per-pass": "per_pass"}  # key of a sort -> field of RowCost


def leaderboards(user: Viewer, search: str = "") -> QuerySet[Leaderboard]:
    rows = visible(Leaderboard.objects.all(), user).select_related("team", "suite__team")
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.order_by("title", "id")


def saved_views(board: Leaderboard, user: Viewer) -> QuerySet[SavedView]:
    """A person's own views of a board, and those that members shared with its team."""
    if not user.is_authenticated:
        return SavedView.objects.none()
    shared = Q(shared=True, leaderboard__team__in=teams_where(user))
    rows = SavedView.objects.filter(Q(created_by=user) | shared, leaderboard=board)
    return rows.select_related("created_by").order_by("name", "id")


@dataclass(frozen=True)
class Beside:
    """What a view shows that changes without a new version of the board. costs: None where it shows none."""

    old: Superseded
    costs: Costs | None


def beside(leaderboard: Leaderboard, view: View) -> Beside:
    """In one query, or two with costs: ask once for all that is drawn of a board."""
    return Beside(superseded(leaderboard), costs(leaderboard, table(leaderboard)) if view.costs else None)


@dataclass(frozen=True)
class Board:
    """rows: all that the view asks for, in its order; `shown`: those of its page, the ranked ones first."""

    leaderboard: Leaderboard
    view: View
    table: Table
    visible: list[Column]
    terms: list[Term]
    rows: list[Row]
    order_title: str
    beside: Beside

    @property
    def old(self) -> Superseded:
        """Versions that have a newer one."""
        return self.beside.old

    @property
    def costs(self) -> Mapping[int, RowCost]:
        """By contender, where the view shows them."""
        return self.beside.costs.of if self.beside.costs else {}

    @property
    def columns(self) -> list[Column]:
        return self.table.columns

    @property
    def total(self) -> int:
        return len(self.table.rows)

    def is_ranked(self, row: Row) -> bool:
        """A contender with a hole never is; one with a result of another harness is where the view says so."""
        return row.standing.position is not None and (row.comparable or not self.view.comparable)

    def badges(self, row: Row) -> list[Badge]:
        return badges(row, self.table, self.old)

    @property
    def newer(self) -> Badge:
        """Of a column whose benchmark has a newer version."""
        return BADGES["older-benchmark"]

    @property
    def page_size(self) -> int:
        return min(MOST_ROWS, max(FEWEST_ROWS, PAGE_CELLS // max(1, len(self.visible))))

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.rows) // self.page_size))

    @property
    def page(self) -> int:
        """Never past the end: a search that finds less shows its last page."""
        return min(max(1, self.view.page), self.pages)

    @property
    def previous(self) -> int:
        return self.page - 1

    @property
    def next(self) -> int:
        return self.page + 1

    @property
    def first(self) -> int:
        return (self.page - 1) * self.page_size + 1

    @property
    def last(self) -> int:
        return min(len(self.rows), self.page * self.page_size)

    @property
    def shown(self) -> list[Row]:
        return self.rows[self.first - 1 : self.last]

    @property
    def ranked(self) -> list[Row]:
        return [row for row in self.shown if self.is_ranked(row)]

    @property
    def unranked(self) -> list[Row]:
        """Shown, never ranked."""
        return [row for row in self.shown if not self.is_ranked(row)]


def board(leaderboard: Leaderboard, view: View, known: Beside | None = None) -> Board:
    """The table of a view, in two queries, or in none while the process remembers this version; what is beside it takes
    more, unless the caller knows that."""
    whole, known = table(leaderboard), known or beside(leaderboard, view)
    terms = filtering.parse(view.search, whole, leaderboard.pk)
    spent = known.costs.of if known.costs else {}
    at = view.shows([(column.name, column.group) for column in whole.columns])
    found = Board(
        leaderboard=leaderboard,
        view=view,
        table=whole,
        visible=[whole.columns[i] for i in at],
        terms=terms,
        rows=_sorted([row for row in whole.rows if _wanted(row, view, terms)], view, whole.columns, spent),
        order_title=ANALYSES[leaderboard.order].title,
        beside=known,
    )
    found.rows.sort(key=lambda row: not found.is_ranked(row))
    return found


def tournament_context(leaderboard: Leaderboard) -> dict[str, Any]:
    """What the tournament's page draws of a board: the live report, where the board is ordered by a tournament."""
    return {
        **report_context(leaderboard.report_id if leaderboard.order == "swiss" else None),
        "leaderboard": leaderboard,
        "order_title": ANALYSES[leaderboard.order].title,
    }


def _wanted(row: Row, view: View, terms: Sequence[Term]) -> bool:
    if view.complete and row.standing.position is None:
        return False
    if view.tag and view.tag not in row.standing.tags:
        return False
    return all(term.test(row) for term in terms)


def _sorted(rows: list[Row], view: View, columns: Sequence[Column], spent: Mapping[int, RowCost]) -> list[Row]:
    """By the keys of the view, the first counts most; equals by name. Unknown values stay at the end either way."""
    rows = sorted(rows, key=lambda row: row.name)
    for key in reversed(view.keys):
        value, falling = _sort_value(key.removeprefix("-"), columns, spent)
        known = [row for row in rows if value(row) is not None]
        known.sort(key=value, reverse=falling != key.startswith("-"))  # type: ignore[arg-type]
        rows = known + [row for row in rows if value(row) is None]
    return rows


def _sort_value(
    key: str, columns: Sequence[Column], spent: Mapping[int, RowCost]
) -> tuple[Callable[[Row], float | str | None], bool]:
    """What a key sorts by, and whether it does so downwards: a measure sorts from its best."""
    if key == "name":
        return lambda row: row.name, False
    if key == "value":
        return lambda row: row.standing.value, True
    if spent and key in COSTS:
        return lambda row: getattr(spent.get(row.standing.contender_id, NOTHING), COSTS[key]), False
    for column in columns:
        if column.name == key:
            return column.result, column.version.higher_is_better
    return lambda row: row.standing.position, False
