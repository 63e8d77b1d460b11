"""Retries that meet a worker, or a submission: what was asked for anew is taken, and what ends is heard of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, transaction

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs import leases, services
from webapp.jobs.leases import Lease
from webapp.jobs.models import Job, Run
from webapp.results.services import finish_run
from webapp.tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
Submit = Callable[[], Job]


@pytest.fixture
def submit(bob: User, alice: User, team: Team, benchmark: BenchmarkVersion, entry: EntryVersion) -> Submit:
    """Asks for the same single run each time."""
    suite = factories.suite(alice, team, "one", [benchmark])
    factories.worker()
    return lambda: factories.job(bob, team, suite, [entry])


@pytest.fixture
def failed(submit: Submit) -> Job:
    job = submit()
    leases.end(lease=factories.claim(), state="failed", reason="Out of memory.")
    return job


@pytest.fixture
def twin(failed: Job, submit: Submit) -> Lease:
    """A worker is at the run that another job made anew."""
    submit()
    lease = factories.claim()
    factories.score(lease, [True] * 4)
    return lease


@contextmanager
def meanwhile(work: Callable[[], object], last: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Another transaction does its work, waits until ours waits for it, does the last of it and commits."""
    worked = threading.Event()

    def other() -> None:
        try:
            with transaction.atomic():
                work()
                worked.set()
                time.sleep(0.3)
                last()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(other)
        assert worked.wait(timeout=10)
        yield
        begun.result(timeout=10)


def test_a_job_hears_of_the_twin_that_ends_while_it_is_retried(bob: User, failed: Job, twin: Lease) -> None:
    with meanwhile(lambda: services.retry_job(actor=bob, job=failed)):
        finish_run(lease=twin, provenance={})
    failed.refresh_from_db()
    assert (failed.state, failed.reason) == ("done", "Its run is done.")
    assert failed.runs.get().pk == twin.run_id


def test_a_twin_that_fails_while_it_is_retried_is_not_taken(bob: User, failed: Job, twin: Lease) -> None:
    """Runs are locked before jobs: the job is free for whoever waits for it with the twin in his hand."""

    def fail() -> None:
        leases.end(lease=twin, state="failed", reason="Out of memory, too.")

    def lock_the_job() -> None:
        Job.objects.select_for_update(nowait=True).get(pk=failed.pk)

    run = failed.runs.get()
    with meanwhile(fail, lock_the_job):
        services.retry_job(actor=bob, job=failed)
    assert (failed.runs.get().pk, failed.runs.get().state) == (run.pk, "queued")
    failed.refresh_from_db()
    assert failed.state == "queued"


def test_a_run_that_is_made_anew_while_it_is_retried_is_taken(bob: User, failed: Job, submit: Submit) -> None:
    with meanwhile(submit):
        services.retry_job(actor=bob, job=failed)
    assert Run.objects.filter(state="queued").count() == 1
    assert failed.runs.get().state == "queued"
    assert list(failed.parts.values_list("reused", flat=True)) == [True]
