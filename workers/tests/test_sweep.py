"""What the sweep tidies up, beside what it rings for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from webapp.bells import Bell
from webapp.jobs.models import Ending, EndingTotal
from webapp.tests import factories
from workers import tasks
from workers.tests.conftest import Lab

Callbacks = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


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


def test_a_board_hears_of_a_job_whose_bell_was_lost(lab: Lab, django_capture_on_commit_callbacks: Callbacks) -> None:
    first = lab.entry()
    lab.job(first)
    assert lab.suite is not None
    board = factories.refresh(factories.board(lab.owner, lab.team, "main", lab.suite))
    with django_capture_on_commit_callbacks() as lost:
        factories.job(lab.owner, lab.team, lab.suite, [lab.entry("tiny-s")])
    assert lost
    with django_capture_on_commit_callbacks() as rung:
        tasks.sweep()
    assert Bell("refresh_leaderboard", (board.pk,)) in [bell for call in rung for bell in getattr(call, "args", ())]
    tasks.refresh_leaderboard(board.pk)
    assert [row.cells[0][0] for row in board.standings.all()] == ["queued", "queued"]
