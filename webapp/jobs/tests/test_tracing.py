"""A run knows the request that queued it."""

from __future__ import annotations

from typing import Any

import pytest

from webapp import logs
from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs import growing, leases, services
from webapp.jobs.models import Job, Run
from webapp.tests import factories

pytestmark = pytest.mark.django_db


def traces() -> list[str]:
    return list(Run.objects.order_by("pk").values_list("request_id", flat=True))


def test_who_queues_a_run_again_is_named_and_a_sweep_is_nobody(
    bob: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    with logs.bound(request="the-first"):
        job = factories.job(bob, team, suite, [entry])
    assert set(traces()) == {"the-first"}
    lease = factories.claim()
    with logs.bound(request="of-another"):
        leases.give_back(lease=lease, reason="Lost.")
    assert set(traces()) == {"the-first"}
    leases.end(lease=factories.claim(), state="failed", reason="Out of memory.")
    with logs.bound(request="the-second"):
        services.retry_job(actor=bob, job=job)
    assert sorted(traces()) == ["the-first"] * (len(traces()) - 1) + ["the-second"]
    assert Run.objects.get(pk=lease.run_id).request_id == "the-second"


def test_what_joins_a_search_later_is_traced_to_its_request(
    bob: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    with logs.bound(request="the-search"):
        search = factories.search(bob, team, suite, entry)
    version, contender = search.versions.all()[0], search.contenders.all()[0]
    growing.grow(job=Job.objects.get(), contender=contender, versions=[version], subsets={version.pk: [0, 1]})
    assert traces() == ["the-search"]


def test_a_line_says_what_became_of_a_request_once_it_is_committed(
    bob: User, team: Team, suite: Suite, entry: EntryVersion, caplog: Any, django_capture_on_commit_callbacks: Any
) -> None:
    caplog.set_level("INFO", "crosstable.request")
    with django_capture_on_commit_callbacks(execute=True):
        first = factories.job(bob, team, suite, [entry])
        second = factories.job(bob, team, suite, [entry])
        assert not caplog.records
    runs = first.runs.count()
    assert [(record.getMessage(), record.measured) for record in caplog.records] == [
        (f"job {first.pk} submitted: {runs} runs, {runs} new", {"runs": runs, "new": runs}),
        (f"job {second.pk} submitted: {runs} runs, 0 new", {"runs": runs, "new": 0}),
    ]
