"""How a board is drawn. A board has up to 50,000 cells, so a row of them is one call here and not a loop of tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from webapp.leaderboards.cells import Cell
from webapp.leaderboards.selectors import Column, View
from webapp.pages.templatetags.crosstable import STATES, percent, points

register = template.Library()
TINTS = 5
RISING = {"rank", "name"}  # these sort upwards at the first click, measures from their best
SHARES = {"mean-score", "win-rate"}  # orders whose value is a share; others are points or scores without a unit


@cache
def _run_prefix() -> str:
    return reverse("jobs:run", args=[0]).removesuffix("0/")


@register.simple_tag
def board_cells(cells: Sequence[Cell], columns: Sequence[Column]) -> SafeString:
    """The cells of a row. Every part is a number or one of our own words, so nothing needs escaping."""
    prefix = _run_prefix()
    return mark_safe("".join(_cell(cell, column, prefix) for cell, column in zip(cells, columns, strict=True)))  # noqa: S308


def _cell(cell: Cell, column: Column, prefix: str) -> str:
    if cell.run is None:
        return '<td title="Not run">—</td>'
    link = f'<a href="{prefix}{cell.run}/"'
    if cell.complete and cell.mean is not None:
        return _finished(cell, cell.mean, column, link)
    if cell.state == "running":
        value = "…" if cell.mean is None else f"{100 * cell.mean:.1f}"
        title = f"Running: {cell.done:,} of {cell.total or 0:,} samples"
        bar = f'<progress value="{cell.done}" max="{cell.total or 1}">{cell.share:.0%}</progress>'
        return f'<td>{link} title="{title}">{value} <small>so far</small>{bar}</a></td>'
    icon, word = STATES[cell.state]
    return f'<td>{link} class="state-{cell.state}"><span aria-hidden="true">{icon}</span> {word.lower()}</a></td>'


def _finished(cell: Cell, mean: float, column: Column, link: str) -> str:
    best = mean == column.best
    value = f"<b>{100 * mean:.1f}</b>" if best else f"{100 * mean:.1f}"
    title = f"{cell.done:,} samples{', best' if best else ''}"
    error = ""
    if cell.low is not None and cell.high is not None:
        title = f"95 %: {100 * cell.low:.1f} to {100 * cell.high:.1f}, {title}"
        error = f" <small>±{50 * (cell.high - cell.low):.1f}</small>"
    return f'<td{_tint(mean, column)}>{link} title="{title}">{value}{error}</a></td>'


def _tint(mean: float, column: Column) -> str:
    """Five steps within the column; none where all are equal."""
    if column.low is None or column.high is None or column.high == column.low:
        return ""
    share = (mean - column.low) / (column.high - column.low)
    better = share if column.version.higher_is_better else 1 - share
    step = round(better * TINTS)
    return f' class="t{step}"' if step else ""


@register.simple_tag
def order_value(value: float | None, error: float | None, order: str) -> SafeString:
    """The value that orders the board, with its error: a percentage for the mean score, points for a tournament.

    The error of a simulation is small against its points, and gets one more digit.
    """
    written = percent if order in SHARES else points
    if value is None or error is None:
        return format_html("{}", written(value))
    return format_html("{} <small>±{}</small>", written(value), written(error) if order in SHARES else f"{error:.3f}")


class Sorting:
    """What a column's head links to, and how it is sorted now."""

    def __init__(self, view: View, key: str) -> None:
        turned = view.sort == f"-{key}"
        self.active = turned or view.sort == key
        self.query = view.sorted_by(key).query
        downwards = (key not in RISING) != turned
        self.direction = "descending" if downwards else "ascending"
        self.arrow = " ↓" if downwards else " ↑"

    @property
    def aria(self) -> SafeString:
        return format_html(' aria-sort="{}"', self.direction) if self.active else SafeString("")


@register.simple_tag
def sorting(view: View, key: str) -> Sorting:
    return Sorting(view, key)


@register.filter
def headings(columns: Sequence[Column], view: View) -> Iterator[tuple[Column, Sorting]]:
    return ((column, Sorting(view, column.name)) for column in columns)
