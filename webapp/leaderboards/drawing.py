"""The fragment of a board: drawn once per version and view, for pages, htmx and sockets alike."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webapp.leaderboards import charts, selectors
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import Beside
from webapp.leaderboards.viewing import KINDS, View

_drawn: Memory[SafeString] = Memory(most=32)


def standings(leaderboard: Leaderboard, view: View, beside: Beside | None = None) -> SafeString:
    """It depends on nothing but the board and the view, so that everybody may be shown the same one.

    beside: what is shown beside the version, if the caller has asked already.
    """
    shown = (leaderboard.pk, leaderboard.created_at, leaderboard.version, leaderboard.refreshed_at)
    said = (leaderboard.order, leaderboard.verdict, leaderboard.visibility)
    known = beside or selectors.beside(leaderboard, view)
    return _drawn.get((*shown, *said, known, view), lambda: _draw(leaderboard, view, known))


def _draw(leaderboard: Leaderboard, view: View, beside: Beside) -> SafeString:
    board = selectors.board(leaderboard, view, beside)
    figures = {"ranks": charts.ranks, "heatmap": charts.heatmap}
    figure = figures[view.kind](board) if view.kind in figures and board.rows else None
    return render_to_string("leaderboards/_standings.html", {"board": board, "figure": figure, "kinds": KINDS})
