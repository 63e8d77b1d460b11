"""The live job page."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string

from webapp.accounts.models import User
from webapp.jobs import selectors
from webapp.jobs.models import Job, Run
from webapp.live import LivePage


class JobConsumer(LivePage):
    def find(self, user: User | AnonymousUser) -> bool:
        pk = self.scope["url_route"]["kwargs"]["pk"]
        team = selectors.jobs(user).filter(pk=pk).values_list("team", flat=True).first()
        if team is None:
            return False
        self.pk, self.team = pk, team
        return True

    @property
    def group(self) -> str:
        return f"job.{self.pk}"

    def version(self) -> int:
        return Job.objects.values_list("changes", flat=True).get(pk=self.pk)

    def ages(self) -> bool:
        """Why its runs wait depends on workers, and on all others that wait."""
        return Run.objects.filter(jobs=self.pk, state=Run.State.QUEUED).exists()

    def key(self) -> tuple[Any, ...]:
        return ("job", self.pk)

    def render(self) -> str:
        return render_to_string("jobs/_job_progress.html", selectors.progress_context(self.pk))
