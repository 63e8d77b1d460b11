"""What the sweep tidies up, beside what it rings for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from webapp.bells import Bell
from webapp.jobs.models import Ending, EndingTotal
from webapp.operations import housekeeping, rules
from webapp.operations.models import SizeOfDay
from webapp.operations.rules import RULES
from webapp.tests import factories
from workers import tasks
from workers.tests.conftest import Lab

Callbacks = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


def test_it_adds_up_endings(lab: Lab) -> None:
    Ending.objects.create(kind=Ending.Kind.DONE, microseconds=2_000_000)

    tasks.sweep()

    assert not Ending.objects.exists()
    total = EndingTotal.objects.get()
    assert (total.kind, total.edge, total.count, total.microseconds) == ("done", 5.0, 1, 2_000_000)


def test_what_is_over_is_thrown_away_and_sizes_are_noted(lab: Lab) -> None:
    client = Client()
    client.force_login(lab.owner)
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))

    tasks.tidy()

    assert not Session.objects.exists()
    assert SizeOfDay.objects.count() == 1


def test_what_is_left_is_rung_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callbacks
) -> None:
    """One kind that cannot be thrown away keeps no other from it."""
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    broken = replace(next(rule for rule in RULES if rule.key == "uploads"), close=lambda _: 1 // 0)
    monkeypatch.setattr(rules, "RULES", (broken, *RULES))
    for _ in range(3):
        Client().force_login(lab.owner)
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    rung = []
    for _ in range(2):
        with django_capture_on_commit_callbacks() as bells:
            tasks.tidy()
        rung.append(factories.rung(bells))
    assert rung == [[Bell("tidy")], []]
    assert not Session.objects.exists()


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
