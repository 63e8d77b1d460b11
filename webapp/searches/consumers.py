"""The live page of a search: its job tells of every change, its runs' progress included."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string

from webapp.accounts.models import User
from webapp.live import LivePage
from webapp.searches import selectors
from webapp.searches.models import Search


class SearchConsumer(LivePage):
    job: int

    def find(self, user: User | AnonymousUser) -> bool:
        found = selectors.searches(user).filter(pk=self.scope["url_route"]["kwargs"]["pk"]).first()
        if found is None:
            return False
        self.pk, self.team, self.job = found.pk, found.team_id, found.job_id
        return True

    @property
    def group(self) -> str:
        return f"job.{self.job}"

    def version(self) -> int:
        return Search.objects.values_list("job__changes", flat=True).get(pk=self.pk)

    def key(self) -> tuple[Any, ...]:
        return ("search", self.pk)

    def render(self) -> str:
        return render_to_string("searches/_search_progress.html", selectors.progress_context(self.pk))
