"""How a board is drawn. A board has up to 50,000 cells, so a row of them is one call here and not a loop of tags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from math import isinf

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from evaluation.pricing import dollars
from webapp.leaderboards.badges import BADGES, Badge
from webapp.leaderboards.cells import Cell
from webapp.leaderboards.costs import NOTHING
from webapp.leaderboards.filtering import without
from webapp.leaderboards.selectors import Board
from webapp.leaderboards.tables import Column, Row
from webapp.leaderboards.viewing import View
from webapp.pages.templatetags.crosstable import STATES, percent, points
from webapp.releases.changes import Change, Move

register = template.Library()
TINTS = 5
RISING = {"rank", "name", "cost", "per-pass"}  # these sort upwards at the first click, measures from their best
SHARES = {"mean-score", "win-rate"}  # orders whose value is a share; others are points or scores without a unit


@cache
def _run_prefix() -> str:
    return reverse("jobs:run", args=[0]).removesuffix("0/")


@register.simple_tag
def board_cells(row: Row, columns: Sequence[Column]) -> SafeString:
    """The cells of a row. Every part is a number or one of our own words, so nothing needs escaping.

    A page has up to 6,000 of them, so they carry numbers only; the tooltip puts them into words (standings.js).
    """
    prefix, cells = _run_prefix(), row.cells
    return mark_safe("".join(_cell(cells[column.at], column, prefix) for column in columns))  # noqa: S308


def _cell(cell: Cell, column: Column, prefix: str) -> str:
    if cell.run is None:
        return '<td tabindex="-1">—</td>'
    link = f'<a href="{prefix}{cell.run}/" tabindex="-1"'
    if cell.complete and cell.mean is not None:
        return _finished(cell, cell.mean, column, link)
    if cell.state == "running":
        value = "…" if cell.mean is None else f"{100 * cell.mean:.1f}"
        bar = f'<progress value="{cell.done}" max="{cell.total or 1}" aria-label="Progress">{cell.share:.0%}</progress>'
        return f'<td>{link} data-c="{cell.done} {cell.total or 0}">{value} <small>so far</small>{bar}</a></td>'
    icon, word = STATES[cell.state]
    return f'<td>{link} class="state-{cell.state}"><span aria-hidden="true">{icon}</span> {word.lower()}</a></td>'


def _finished(cell: Cell, mean: float, column: Column, link: str) -> str:
    """data-c: ends of the 95 % interval and number of samples."""
    value = f"<b>{100 * mean:.1f}</b>" if mean == column.best else f"{100 * mean:.1f}"
    error, numbers = "", f"{cell.done}"
    if cell.low is not None and cell.high is not None:
        numbers = f"{100 * cell.low:.1f} {100 * cell.high:.1f} {cell.done}"
        error = f" <small>±{50 * (cell.high - cell.low):.1f}</small>"
    other = '<i aria-hidden="true">≠</i><span class="sr">other harness</span> ' if cell.other else ""
    return f'<td{_tint(mean, column)}>{link} data-c="{numbers}">{other}{value}{error}</a></td>'


def _tint(mean: float, column: Column) -> str:
    """Five steps within the column; none where all are equal."""
    if column.low is None or column.high is None or column.high == column.low:
        return ""
    share = (mean - column.low) / (column.high - column.low)
    better = share if column.version.higher_is_better else 1 - share
    step = round(better * TINTS)
    return f' class="t{step}"' if step else ""


@register.simple_tag
def board_costs(board: Board, row: Row) -> SafeString:
    """The two cells of what a contender cost; nothing where the view does not show them."""
    if not board.view.costs:
        return SafeString("")
    cost = board.costs.get(row.standing.contender_id, NOTHING)
    cells = ((cost.mean, "an attempt, on average"), (cost.per_pass, "a pass, over the whole suite"))
    return format_html_join("", '<td class="money" tabindex="-1" data-tip="{}">{}</td>', map(_money, cells))


def _money(cell: tuple[float | None, str]) -> tuple[str, str]:
    value, about = cell
    if value is None:
        return "Not known: a result, a price or a count of tokens is missing, and missing is not free", "—"
    return ("It never passed", "∞") if isinf(value) else (f"{dollars(value)} {about}", dollars(value))


@register.simple_tag
def order_value(value: float | None, error: float | None, order: str) -> SafeString:
    """The value that orders the board, with its error: a percentage for the mean score, points for a tournament.

    The error of a simulation is small against its points, and gets one more digit.
    """
    written = percent if order in SHARES else points
    if value is None or error is None:
        return format_html("{}", written(value))
    return format_html("{} <small>±{}</small>", written(value), written(error) if order in SHARES else f"{error:.3f}")


@register.simple_tag
def order_text(value: float | None, order: str) -> str:
    return percent(value) if order in SHARES else points(value)


class Sorting:
    """What a column's head links to, and how it is sorted now. `turn`: a benchmark whose lower scores are better."""

    def __init__(self, view: View, key: str, *, turn: bool = False) -> None:
        keys = view.keys
        turned = f"-{key}" in keys
        self.active = turned or key in keys
        self.query = view.sorted_by(key).query
        downwards = (key not in RISING and not turn) != turned
        self.direction = "descending" if downwards else "ascending"
        at = keys.index(f"-{key}" if turned else key) + 1 if self.active else 0
        self.first = at == 1
        self.arrow = f" {'↓' if downwards else '↑'}{at if len(keys) > 1 else ''}"

    @property
    def aria(self) -> SafeString:
        return format_html(' aria-sort="{}"', self.direction) if self.first else SafeString("")


@register.simple_tag
def sorting(view: View, key: str) -> Sorting:
    return Sorting(view, key)


@register.filter
def badges_of(board: Board, row: Row) -> list[Badge]:
    return board.badges(row)


@register.simple_tag
def badge_legend() -> Iterable[Badge]:
    """All badges that a board may show, with what they say."""
    return BADGES.values()


@register.filter
def headings(columns: Sequence[Column], view: View) -> Iterator[tuple[Column, Sorting]]:
    return ((one, Sorting(view, one.name, turn=not one.version.higher_is_better)) for one in columns)


@register.filter
def chips(board: Board) -> list[tuple[str, str]]:
    """What filters the board: (words, the query without it)."""
    view, terms = board.view, board.terms
    found = [(term.text, replace(view, search=without(terms, at), page=1)) for at, term in enumerate(terms)]
    if view.tag:
        found.append((f"tag {view.tag}", replace(view, tag="", page=1)))
    if view.complete:
        found.append(("ranked only", replace(view, complete=False, page=1)))
    if view.columns:
        found.append((f"{len(board.visible)} of {len(board.columns)} benchmarks", replace(view, columns="", page=1)))
    return [(words, left.query) for words, left in found]


@register.filter
def as_kind(view: View, kind: str) -> str:
    """The query of the same rows in another drawing."""
    return replace(view, kind=kind).query


@register.filter
def on_page(view: View, page: int) -> str:
    return view.on_page(page).query


ARROWS = {Move.UP: ("▲", "up"), Move.DOWN: ("▼", "down")}


@register.simple_tag
def rank_change(change: Change | None) -> SafeString:
    """What became of a rank since an earlier release. A move inside the intervals of ranks is told as one."""
    if change is None or change.move == Move.UNRANKED:
        return SafeString("—")
    if change.move == Move.NEW:
        return SafeString("new")
    if change.move == Move.SAME:
        return format_html('<span title="Rank {} before">=</span>', change.before)
    arrow, word = ARROWS[change.move]
    text = '<span title="Rank {} before">{} {}<span class="sr"> places {}</span></span>{}'
    held = SafeString(" <small>within the interval</small>") if change.held else ""
    return format_html(text, change.before, arrow, change.places, word, held)
