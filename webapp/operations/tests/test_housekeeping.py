from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from webapp.accounts.models import User
from webapp.operations import housekeeping


@pytest.fixture
def sessions(alice: User) -> list[str]:
    """Of four browsers: three have not been heard of for long, the last one is at work."""
    keys = []
    for days in (3, 1, 2, -14):
        client = Client()
        client.force_login(alice)
        keys.append(client.cookies["sessionid"].value)
        Session.objects.filter(pk=keys[-1]).update(expire_date=timezone.now() - timedelta(days=days))
    return keys


def test_sessions_that_are_over_are_forgotten(sessions: list[str]) -> None:
    assert housekeeping.forget_sessions() == 3
    assert set(Session.objects.values_list("pk", flat=True)) == {sessions[-1]}


def test_a_sweep_forgets_a_bounded_number_the_oldest_first(
    sessions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "FORGOTTEN", 2)
    assert housekeeping.forget_sessions() == 2
    assert set(Session.objects.values_list("pk", flat=True)) == {sessions[1], sessions[3]}
    assert [housekeeping.forget_sessions() for _ in range(2)] == [1, 0]
