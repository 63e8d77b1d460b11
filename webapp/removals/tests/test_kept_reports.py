"""Reports stay when runs they stand on are deleted, and their pages still open."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import User
from webapp.catalog.models import EntryVersion
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.removals import work
from webapp.removals.services import remove_entry
from webapp.results.models import Report
from webapp.tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = ("multiplicity", "quantization", "swiss", "comparison", "cost-of-pass", "adaptive", "routing")


@pytest.fixture
def kept(
    client: Client, alice: User, bob: User, runs: list[Run], board: Leaderboard, entry: EntryVersion
) -> list[Report]:
    """One of each kind, after the entry that stands in all of them is gone."""
    factories.price(alice, entry)
    reports = [factories.report(bob, board, kind) for kind in KINDS]
    client.force_login(alice)
    for report in reports:
        assert client.get(reverse("results:report", args=[report.pk])).status_code == 200
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")
    for _ in range(50):
        if work.work_on(removal_id=removal.pk):
            return reports
    raise AssertionError("the removal does not end")


def test_every_fragment_of_a_kept_report_opens(client: Client, kept: list[Report]) -> None:
    asked = {report.analysis for report in kept}
    assert asked == set(KINDS)
    failed = {}
    for report in kept:
        address = reverse("results:report", args=[report.pk])
        page = client.get(address)
        assert page.status_code == 200, report.analysis
        fragments = set(re.findall(r'hx-get="(/reports/[^"#?]+)', page.content.decode()))
        failed |= {one: code for one in fragments if (code := client.get(one).status_code) not in (200, 404)}
    assert failed == {}


def test_a_sample_says_that_its_answers_are_gone(client: Client, kept: list[Report]) -> None:
    flips = next(report for report in kept if report.analysis == "multiplicity")
    answer = client.get(reverse("results:report_sample", args=[flips.pk, 0]))
    assert answer.status_code == 200
    assert "were deleted" in answer.content.decode()
