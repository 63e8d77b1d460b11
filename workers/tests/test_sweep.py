"""What the sweep tidies up, beside what it rings for."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from webapp.jobs.models import Ending, EndingTotal
from workers import tasks
from workers.tests.conftest import Lab


def test_it_adds_up_endings_and_forgets_sessions(lab: Lab) -> None:
    Ending.objects.create(kind=Ending.Kind.DONE, microseconds=2_000_000)
    client = Client()
    client.force_login(lab.owner)
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))

    tasks.sweep()

    assert not Ending.objects.exists()
    total = EndingTotal.objects.get()
    assert (total.kind, total.edge, total.count, total.microseconds) == ("done", 5.0, 1, 2_000_000)
    assert not Session.objects.exists()
    assert client.get("/profile/").status_code == 302
