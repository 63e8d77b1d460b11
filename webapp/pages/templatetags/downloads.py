"""Links to exports: pages of any app show them by address, for the app of exports stands right of them."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from webapp.leaderboards.selectors import Board

register = template.Library()
COMPONENT = "components/downloads.html"
KINDS = {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet"}
Link = tuple[str, str]  # address, word


def _links(route: str, query: str = "", **named: Any) -> list[Link]:
    more = f"?{query}" if query else ""
    return [(reverse(f"api:{route}", kwargs={**named, "kind": kind}) + more, word) for kind, word in KINDS.items()]


@register.inclusion_tag(COMPONENT)
def download_board(board: Board) -> dict[str, Any]:
    """The table as its view shows it, and the scores behind its cells."""
    named = {"team": board.leaderboard.team.name, "name": board.leaderboard.name}
    query = board.view.on_page(1).query
    scores = "&".join(filter(None, [f"leaderboard={named['team']}/{named['name']}", query]))
    return {"table": _links("export_board", query, **named), "scores": _links("export_scores", scores)}


@register.inclusion_tag(COMPONENT)
def download_scores(source: str, number: int) -> dict[str, Any]:
    """source: runs, job or report."""
    return {"scores": _links("export_scores", f"{source}={number}")}


@register.inclusion_tag(COMPONENT)
def download_audit(team: str) -> dict[str, Any]:
    return {"table": _links("export_audit", name=team)}
