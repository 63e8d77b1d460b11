"""How a board is drawn. A board has up to 50,000 cells, so a row of them is one call here and not a loop of tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from math import isinf

from django import template
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from evaluation.pricing import dollars
from webapp.leaderboards.badges import BADGES, Badge
from webapp.leaderboards.cells import Cell
from webapp.leaderboards.charts import HeatLine
from webapp.leaderboards.costs import NOTHING
from webapp.leaderboards.filtering import without
from webapp.leaderboards.selectors import Board
from webapp.leaderboards.tables import Column, Facts, Row
from webapp.leaderboards.viewing import View
from webapp.pages.templatetags.crosstable import STATES, count, magnitude, percent, points
from webapp.releases.changes import Change, Move

register = template.Library()
TINTS = 5
RISING = {"rank", "name", "cost", "per-pass"}  # these sort upwards at the first click, measures from their best
SHARES = {"mean-score", "win-rate"}  # orders whose value is a share; others are points or scores without a unit


@cache
def _run_prefix() -> str:
    return reverse("jobs:run", args=[0]).removesuffix("0/")


ROW = """<tr data-key="{pk}"><td class="rank"><input class="pick" type="checkbox" value="{pk}" aria-label="Compare {name}">{rank}</td>{who}
<td class="value">{value}</td>{costs}{cells}</tr>"""  # noqa: E501
WHO = '<th scope="row" class="who"><a href="{}">{}</a><small>{}{}</small></th>'
HEAD = (
    '<th scope="col"{aria}><a href="{page}?{query}" hx-get="{fragment}?{query}" data-sort="{name}" '
    'data-tip="{version}: {metric}, {better} is better">{name}{arrow}</a><small>{size}{turned}</small>{newer}</th>'
)


@register.simple_tag
def board_row(board: Board, row: Row) -> SafeString:
    """Of one contender. A rank and a value stand only where it is ranked."""
    standing, ranked = row.standing, board.is_ranked(row)
    return format_html(
        ROW,
        pk=standing.contender_id,
        name=row.name,
        rank=row.rank if ranked else "—",
        who=_who(board, row, ranked=ranked),
        value=order_value(standing.value, standing.error, board.leaderboard.order) if ranked else "—",
        costs=board_costs(board, row),
        cells=board_cells(row, board.visible),
    )


def _who(board: Board, row: Row, *, ranked: bool) -> SafeString:
    standing, about = row.standing, ""
    if not ranked:
        about = f"{row.complete} of {len(row.line.states)} benchmarks"
    elif standing.parameters:
        about = f"{magnitude(standing.parameters)} parameters"
    said = format_html_join("", " {}", ((_said(badge, standing),) for badge in board.badges(row)))
    return format_html(WHO, reverse("catalog:entry", args=[standing.team, standing.entry]), row.name, about, said)


def _said(badge: Badge, standing: Facts) -> SafeString:
    if badge.key not in {"signed-off", "sign-off-stale"}:
        return _badge(badge)
    return format_html('<a href="{}">{}</a>', reverse("reviews:review", args=[standing.signed_off]), _badge(badge))


@cache
def _badge(badge: Badge) -> SafeString:
    return render_to_string("components/badge.html", {"badge": badge})


@register.simple_tag
def board_heads(board: Board, page: str, fragment: str) -> SafeString:
    """Of the benchmarks that are shown: each sorts by its column."""
    return mark_safe("".join([_head(board, column, page, fragment) for column in board.visible]))  # noqa: S308


def _head(board: Board, column: Column, page: str, fragment: str) -> SafeString:
    version, rising = column.version, column.version.higher_is_better
    sorting = Sorting(board.view, column.name, turn=not rising)
    newer = format_html("<small>{}</small>", _badge(board.newer)) if version.pk in board.old.benchmarks else ""
    return format_html(
        HEAD,
        aria=sorting.aria,
        page=page,
        fragment=fragment,
        query=sorting.query,
        name=column.name,
        version=version,
        metric=version.metric,
        better="higher" if rising else "lower",
        arrow=sorting.arrow if sorting.active else "",
        size=f"n {count(version.samples)}" if version.samples else "%",
        turned="" if rising else " · lower is better",
        newer=newer,
    )


@register.simple_tag
def column_choices(board: Board) -> SafeString:
    """A box for each benchmark, checked where it is shown."""
    shown = {column.at for column in board.visible}
    boxes = ((one.name, one.group, " checked" if one.at in shown else "", one.name) for one in board.columns)
    return format_html_join("", '<label><input type="checkbox" value="{}" data-group="{}"{}> {}</label>', boxes)


@register.simple_tag
def heat_shapes(line: HeatLine) -> SafeString:
    """A row of a heatmap. Numbers and our own words, as in `board_cells`."""
    paths = [f'<path class="h{shade}" d="{path}"/>' for shade, path in line.paths]
    numbers = [f'<text class="number" x="{x}" y="16" text-anchor="middle">{text}</text>' for x, text in line.numbers]
    return mark_safe("".join(paths + numbers))  # noqa: S308


@register.simple_tag
def heat_values(line: HeatLine) -> SafeString:
    return mark_safe("".join([f'<td class="num">{value}</td>' for value in line.values]))  # noqa: S308


@register.simple_tag
def board_cells(row: Row, columns: Sequence[Column]) -> SafeString:
    """The cells of a row. Every part is a number or one of our own words, so nothing needs escaping.

    A page has up to 6,000 of them, so they carry numbers only; the tooltip puts them into words (standings.js).
    """
    prefix, cells = _run_prefix(), row.cells
    return mark_safe("".join([_cell(cells[column.at], column, prefix) for column in columns]))  # noqa: S308


def _cell(cell: Cell, column: Column, prefix: str) -> str:
    if cell.run is None:
        return '<td tabindex="-1">—</td>'
    link = f'<a href="{prefix}{cell.run}/" tabindex="-1"'
    if cell.state == "done" and cell.mean is not None:
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
    low, high, error, numbers = cell.low, cell.high, "", f"{cell.done}"
    if low is not None and high is not None:
        numbers = f"{100 * low:.1f} {100 * high:.1f} {numbers}"
        error = f" <small>±{50 * (high - low):.1f}</small>"
    other = '<i aria-hidden="true">≠</i><span class="sr">other harness</span> ' if cell.other else ""
    return f'<td{_tint(mean, column)}>{link} data-c="{numbers}">{other}{value}{error}</a></td>'


def _tint(mean: float, column: Column) -> str:
    """Five steps within the column; none where all are equal."""
    low, high = column.low, column.high
    if low is None or high is None or high == low:
        return ""
    share = (mean - low) / (high - low)
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


@register.simple_tag
def badge_legend() -> Iterable[Badge]:
    """All badges that a board may show, with what they say."""
    return BADGES.values()


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
