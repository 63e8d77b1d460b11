"""What refers to something that was deleted in the same moment is refused in words, not by an internal error."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from webapp.catalog.models import ModelEntry
from webapp.errors import Conflict, gone
from webapp.jobs.models import Run


def entry_of_nobody(**_: object) -> None:
    """As it happens at a commit, when the team was deleted meanwhile."""
    with transaction.atomic():
        ModelEntry.objects.create(team_id=4711, created_by_id=4711, name="x")
        connection.check_constraints()


def test_a_key_to_nothing_is_a_conflict(db):
    with pytest.raises(IntegrityError) as refused:
        entry_of_nobody()
    found = gone(refused.value)
    assert isinstance(found, Conflict)
    assert "deleted in the same moment" in str(found)


def test_other_refusals_of_the_database_stay_errors_of_ours(db, job):
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Run.objects.update(state="running")
    assert gone(refused.value) is None
    assert gone(ValueError()) is None


def test_pages_and_rest_say_so(client, api, alice, team, monkeypatch):
    monkeypatch.setattr("webapp.accounts.services.create_team", entry_of_nobody)
    client.force_login(alice)
    body = {"name": "fresh", "title": "Fresh"}
    assert client.post("/teams/new/", body).status_code == 409
    answer = api(alice).post("/api/v1/teams/", body, format="json")
    assert (answer.status_code, answer.json()["remedy"]) == (409, "Look at what is still there.")
