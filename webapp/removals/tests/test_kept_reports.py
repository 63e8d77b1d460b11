"""Reports and reviews stay when runs they stand on are deleted: their pages open, and lead to nothing that is gone."""

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
from webapp.reviews.services import add_comment, withdraw_review
from webapp.reviews.subjects import Remark
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


def dead(client: Client, page: str) -> set[str]:
    """Links of a page that lead nowhere."""
    answer = client.get(page)
    assert answer.status_code == 200, page
    links = {link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"#]+)', answer.content.decode())}
    return {link for link in links if not link.startswith("/static/") and client.get(link).status_code == 404}


def test_no_link_of_a_kept_report_leads_to_what_is_deleted(
    client: Client, kept: list[Report], entry: EntryVersion
) -> None:
    pages = [reverse(f"results:{page}", args=[one.pk]) for one in kept for page in ("report", "report_efficiency")]
    assert {page: found for page in pages if (found := dead(client, page))} == {}
    text = client.get(pages[0]).content.decode()
    gone = sorted(set(kept[0].inputs["runs"]) - set(Run.objects.values_list("pk", flat=True)))
    assert gone
    assert all(f"{run} (deleted)" in text for run in gone)
    assert "2 of the runs were deleted" in client.get(pages[1]).content.decode()


def test_no_link_of_a_release_leads_to_what_is_deleted(client: Client, alice, runs, board, entry) -> None:
    release = factories.release(alice, board)
    client.force_login(alice)
    page = reverse("releases:release", args=[release.pk])
    links = {reverse("jobs:run", args=[run.pk]): run.contender.version_id for run in runs}
    assert all(link in client.get(page).content.decode() for link in links)
    remove_entry(actor=alice, entry=entry.entry, name="small")
    assert dead(client, page) == set()
    assert all((link in client.get(page).content.decode()) == (of != entry.pk) for link, of in links.items())


def test_no_link_of_a_kept_review_leads_to_what_is_deleted(client, alice, bob, rita, runs, board, entry):
    review = factories.review(bob, rita, board, [run.pk for run in runs])
    gone = [run for run in runs if run.contender.version_id == entry.pk]
    for run in gone:
        for place in ({}, {"sample": 1}):
            add_comment(actor=rita, review=review, remark=Remark("Odd.", {"run": run.pk, **place}))
    withdraw_review(actor=bob, review=review)
    client.force_login(alice)
    page = reverse("reviews:review", args=[review.pk])
    before = client.get(page).content.decode()
    assert all(reverse("jobs:run", args=[run.pk]) in before for run in gone)

    removal = remove_entry(actor=alice, entry=entry.entry, name="small")

    assert dead(client, page) == set(), "hidden"
    while not work.work_on(removal_id=removal.pk):
        pass
    assert dead(client, page) == set(), "gone"
    assert f"Sample 1 of run {gone[0].pk} (deleted)" in client.get(page).content.decode()
