"""What people do with views of a board: keep one under a name, share it with the team, delete it."""

from __future__ import annotations

from django.db import transaction
from django.http import QueryDict

from webapp.accounts.models import User
from webapp.accounts.selectors import May, may, require
from webapp.errors import NotAllowed, Unprocessable
from webapp.leaderboards.models import Leaderboard, SavedView
from webapp.leaderboards.viewing import View

MOST = 50  # of one person on one board


@transaction.atomic
def save_view(*, actor: User, board: Leaderboard, name: str, query: str, shared: bool = False) -> SavedView:
    """Whoever sees a board may keep views of it; sharing is for members. The same name again replaces the view."""
    if shared:
        require(actor, board.team, May.READ)
    if not name.strip():
        raise Unprocessable("A view needs a name.", field="name")
    Leaderboard.objects.select_for_update().get(pk=board.pk)
    mine = SavedView.objects.filter(leaderboard=board, created_by=actor)
    if mine.exclude(name=name.strip()).count() >= MOST:
        raise Unprocessable(f"You have {MOST} views of this board.", field="name", remedy="Delete one first.")
    view = View.of(QueryDict(query)).on_page(1)
    saved, _ = SavedView.objects.update_or_create(
        leaderboard=board, created_by=actor, name=name.strip(), defaults={"query": view.query, "shared": shared}
    )
    return saved


@transaction.atomic
def delete_view(*, actor: User, view: SavedView) -> None:
    """One's own; a shared one also by the owners of the team."""
    if view.created_by_id != actor.pk and not may(actor, view.leaderboard.team, May.MANAGE):
        raise NotAllowed("This view belongs to somebody else.", remedy="Ask them or an owner of the team.")
    view.delete()
