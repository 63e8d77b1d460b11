"""The fragment of a board: drawn once per version and view, for pages, htmx and sockets alike."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from webapp.leaderboards import charts, selectors
from webapp.leaderboards.badges import Superseded, superseded
from webapp.leaderboards.costs import costed
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.viewing import KINDS, View

_drawn: Memory[SafeString] = Memory(most=32)


def standings(leaderboard: Leaderboard, view: View, old: Superseded | None = None) -> SafeString:
    """It depends on nothing but the board and the view, so that everybody may be shown the same one.

    old: which of its versions are no longer the newest, if the caller has asked already.
    """
    shown = (leaderboard.pk, leaderboard.created_at, leaderboard.version, leaderboard.refreshed_at)
    said = (leaderboard.order, leaderboard.verdict, leaderboard.visibility)
    priced, known = costed(leaderboard) if view.costs else None, old or superseded(leaderboard)
    return _drawn.get((*shown, *said, priced, known, view), lambda: _draw(leaderboard, view, known))


def _draw(leaderboard: Leaderboard, view: View, old: Superseded) -> SafeString:
    board = selectors.board(leaderboard, view, old)
    figures = {"ranks": charts.ranks, "heatmap": charts.heatmap}
    figure = figures[view.kind](board) if view.kind in figures and board.rows else None
    return render_to_string("leaderboards/_standings.html", {"board": board, "figure": figure, "kinds": KINDS})
