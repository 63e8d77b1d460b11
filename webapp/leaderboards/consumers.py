"""The live board and its live tournament."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string

from webapp.accounts.models import User
from webapp.leaderboards import drawing, selectors
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.viewing import View
from webapp.live import LivePage


class BoardPage(LivePage):
    """Anything live about one board, found by the names of team and board."""

    def find(self, user: User | AnonymousUser) -> bool:
        route = self.scope["url_route"]["kwargs"]
        boards = selectors.leaderboards(user).filter(team__name=route["team"], name=route["name"])
        found = boards.values_list("pk", "team").first()
        if found is None:
            return False
        self.pk, self.team = found
        return True


class LeaderboardConsumer(BoardPage):
    def find(self, user: User | AnonymousUser) -> bool:
        self.view = View.of(self.query)
        return super().find(user)

    @property
    def group(self) -> str:
        return f"leaderboard.{self.pk}"

    def version(self) -> int:
        return Leaderboard.objects.values_list("version", flat=True).get(pk=self.pk)

    def key(self) -> tuple[Any, ...]:
        return ("leaderboard", self.pk, self.view)

    def render(self) -> str:
        leaderboard = Leaderboard.objects.select_related("team", "suite").get(pk=self.pk)
        return drawing.standings(leaderboard, self.view)


class TournamentConsumer(BoardPage):
    @property
    def group(self) -> str:
        return f"tournament.{self.pk}"

    def version(self) -> int:
        drawn = Leaderboard.objects.filter(pk=self.pk, order="swiss")
        return drawn.values_list("report__changes", flat=True).first() or 0

    def key(self) -> tuple[Any, ...]:
        return ("tournament", self.pk)

    def render(self) -> str:
        leaderboard = Leaderboard.objects.select_related("team", "suite").get(pk=self.pk)
        return render_to_string("leaderboards/_tournament_result.html", selectors.tournament_context(leaderboard))
