"""The fragment of a board: drawn once per version and view, for pages, htmx and sockets alike."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webapp.leaderboards import charts, selectors
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import Board
from webapp.leaderboards.viewing import KINDS, View

_drawn: Memory[SafeString] = Memory(most=32)


def standings(leaderboard: Leaderboard, view: View, board: Board | None = None) -> SafeString:
    """It depends on nothing but the board and the view, so that everybody may be shown the same one.

    board: what the view shows, if the caller has read it already.
    """
    shown = (leaderboard.pk, leaderboard.created_at, leaderboard.version, leaderboard.refreshed_at)
    said = (leaderboard.order, leaderboard.verdict, leaderboard.visibility)
    beside = board.beside if board else selectors.beside(leaderboard, view)
    return _drawn.get((*shown, *said, beside, view), lambda: _draw(board or selectors.board(leaderboard, view, beside)))


def _draw(board: Board) -> SafeString:
    figures = {"ranks": charts.ranks, "heatmap": charts.heatmap}
    figure = figures[board.view.kind](board) if board.view.kind in figures and board.rows else None
    return render_to_string("leaderboards/_standings.html", {"board": board, "figure": figure, "kinds": KINDS})
