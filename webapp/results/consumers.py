"""The live report."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string

from webapp.accounts.models import User
from webapp.live import LivePage
from webapp.results import selectors
from webapp.results.models import Report


class ReportConsumer(LivePage):
    def find(self, user: User | AnonymousUser) -> bool:
        pk = self.scope["url_route"]["kwargs"]["pk"]
        team = selectors.reports(user).filter(pk=pk).values_list("team", flat=True).first()
        if team is None:
            return False
        self.pk, self.team = pk, team
        return True

    @property
    def group(self) -> str:
        return f"report.{self.pk}"

    def version(self) -> int:
        return Report.objects.values_list("changes", flat=True).get(pk=self.pk)

    def key(self) -> tuple[Any, ...]:
        return ("report", self.pk)

    def render(self) -> str:
        return render_to_string("results/_report_result.html", selectors.report_context(self.pk))
