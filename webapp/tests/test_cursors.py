"""A cursor is a text from outside, like any other."""

from __future__ import annotations

from base64 import b64encode

import pytest
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs.models import Job

POSITIONS = ["", "x", "%00", "9%00", "1e99", "NaN", "9" * 40, "-" + "9" * 40, "2020-13-45", "%ff", "1;DROP"]


@pytest.mark.parametrize("position", POSITIONS)
def test_no_position_breaks_a_list(
    client: Client, alice: User, job: Job, entry: EntryVersion, benchmark: BenchmarkVersion, position: str
) -> None:
    client.force_login(alice)
    cursor = b64encode(f"p={position}".encode()).decode()
    run = job.runs.first()
    assert run is not None
    lists = [f"/api/v1/{name}/" for name in ("jobs", "runs", "entries", "benchmarks", "reviews", "searches")]
    lists += [reverse(f"api:{name}", args=[run.pk]) for name in ("run_events", "run_samples")]
    lists.append(reverse("api:prices", args=[entry.entry.team.name, entry.entry.name]))
    assert {client.get(address).status_code for address in lists} == {200}
    found = {address: client.get(address, {"cursor": cursor}).status_code for address in lists}
    assert set(found.values()) == {404}, found
