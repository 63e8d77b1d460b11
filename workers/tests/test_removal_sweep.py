"""The sweep and the task of removals: what nobody goes on with is taken up again, and carried to its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from webapp.accounts.models import Team
from webapp.celery import app
from webapp.removals.models import Removal
from webapp.removals.services import remove_team
from workers.tasks import remove, sweep
from workers.tests.conftest import Lab


def test_a_removal_whose_bell_was_lost_is_taken_up_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args=(), **_: rung.append((name, *args)))
    removal = remove_team(actor=lab.owner, team=lab.team, name="lab")
    Removal.objects.update(touched_at=timezone.now() - timedelta(minutes=1))

    with django_capture_on_commit_callbacks(execute=True):
        sweep()

    assert ("workers.remove", removal.pk) in rung
    remove(removal.pk)
    assert Removal.objects.get().state == Removal.State.DONE
    assert not Team.objects.filter(pk=lab.team.pk).exists()
    remove(removal.pk)  # a bell that comes twice finds nothing to do
