"""Submissions that meet: each other, with one key, the same runs or in a circle; a run that is to stop; a refusal."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as change

import pytest
from django.db import connection, transaction

from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, Contender, EntryVersion
from webapp.errors import Unprocessable
from webapp.jobs import leases, planning, services
from webapp.jobs.leases import Lease
from webapp.jobs.models import Job, JobRun, Run
from webapp.jobs.services import JobRequest
from webapp.results.services import finish_run
from webapp.tests import factories


@pytest.fixture
def request_(entry: EntryVersion, benchmark: BenchmarkVersion, written: BenchmarkVersion) -> JobRequest:
    return JobRequest(contenders=catalog.crossed([entry], ["fp32"]), versions=[benchmark, written])


def submit(actor: User, team: Team, request: JobRequest) -> Job:
    return services.submit_job(actor=actor, team=team, request=request)[0]


def test_a_refused_job_leaves_no_contender(bob: User, team: Team, request_: JobRequest) -> None:
    with pytest.raises(Unprocessable, match="No benchmark is chosen"):
        submit(bob, team, change(request_, versions=[]))
    assert not Contender.objects.exists()
    assert submit(bob, team, request_).runs.count() == 2
    assert [one.name for one in Contender.objects.all()] == ["small@fp32"]


@pytest.mark.django_db(transaction=True)
def test_two_equal_submissions_at_once_are_one_job(bob: User, team: Team, request_: JobRequest) -> None:
    start = threading.Barrier(4)
    request = change(request_, key="once", body_hash="h")

    def send(_: int) -> tuple[int, bool]:
        start.wait(timeout=10)
        try:
            job, new = services.submit_job(actor=bob, team=team, request=request)
            return job.pk, new
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(4), timeout=30))
    assert len({pk for pk, _ in answers}) == 1
    assert sum(new for _, new in answers) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_share_their_runs(bob: User, alice: User, team: Team, request_: JobRequest) -> None:
    """The constraint on a run's identity decides, whoever commits first."""
    start = threading.Barrier(2)

    def send(user: User) -> int:
        start.wait(timeout=10)
        try:
            return submit(user, team, request_).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        jobs = set(pool.map(send, [alice, bob], timeout=30))
    assert len(jobs) == 2
    assert Run.objects.count() == 2
    assert JobRun.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_a_job_that_meets_another_in_a_circle_starts_again(bob: User, team: Team, request_: JobRequest) -> None:
    """Another transaction has the second run and waits for the first one, as this job has the first and waits for the
    second: PostgreSQL ends the one that has waited for a second."""
    first, second = planning.plan(team, request_.contenders, request_.versions, planning.clean_settings({}))
    held, asked = threading.Event(), threading.Event()

    def run_of(cell: planning.Cell) -> Run:
        return Run(
            team=team, created_by=bob, contender=cell.contender, version=cell.version, identity=cell.identity,
            settings=dict(cell.settings), max_seconds=60, total=cell.samples,
        )  # fmt: skip

    def circle() -> None:
        try:
            with transaction.atomic():
                run_of(second).save()
                held.set()
                assert asked.wait(timeout=10)
                time.sleep(0.3)  # by now the job has its first run and waits for the second
                run_of(first).save()
                transaction.set_rollback(True)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(circle)
        assert held.wait(timeout=10)
        asked.set()
        job = submit(bob, team, request_)
        other.result(timeout=10)
    assert job.runs.count() == 2
    assert set(Run.objects.values_list("identity", flat=True)) == {first.identity, second.identity}


@pytest.fixture
def told_to_stop(bob: User, team: Team, request_: JobRequest) -> Lease:
    """The lease of a run whose job was cancelled, and whose worker has not stopped yet."""
    factories.worker()
    job = submit(bob, team, request_)
    lease = factories.claim()
    services.cancel_job(actor=bob, job=job)
    return lease


def test_a_run_that_was_to_stop_goes_on_for_the_next_job(
    bob: User, team: Team, request_: JobRequest, told_to_stop: Lease
) -> None:
    job = submit(bob, team, request_)
    run = job.runs.get(state="running")
    assert run.pk == told_to_stop.run_id
    assert "asked for again" in run.reason
    assert list(run.events.values_list("text", flat=True))[-1] == run.reason, "its diary tells so"
    assert leases.beat(told_to_stop) is False
    factories.score(told_to_stop, [True] * 4)
    finish_run(lease=told_to_stop, provenance={})
    factories.finish([True] * 4)
    job.refresh_from_db()
    assert job.state == "done"


def test_a_worker_that_has_begun_to_stop_returns_a_run_that_is_asked_for_again(
    bob: User, team: Team, request_: JobRequest, told_to_stop: Lease
) -> None:
    assert leases.beat(told_to_stop) is True
    job = submit(bob, team, request_)
    before = job.runs.get(state="running").last_attempt
    leases.end(lease=told_to_stop, state="cancelled", reason="Cancelled; the finished samples are kept.")
    run = job.runs.get(pk=told_to_stop.run_id)
    assert (run.state, run.last_attempt) == ("queued", before + 1)
    assert "asked for again" in run.reason
    job.refresh_from_db()
    assert job.state == "queued"


@pytest.mark.django_db(transaction=True)
def test_a_run_that_stops_while_it_is_asked_for_again_is_made_anew(
    bob: User, team: Team, request_: JobRequest, told_to_stop: Lease
) -> None:
    ended = threading.Event()

    def stop() -> None:
        try:
            with transaction.atomic():
                leases.end(lease=told_to_stop, state="cancelled", reason="Cancelled; the finished samples are kept.")
                ended.set()
                time.sleep(0.3)  # by now the submission waits for the run
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(stop)
        assert ended.wait(timeout=10)
        job = submit(bob, team, request_)
        worker.result(timeout=10)
    assert set(job.runs.values_list("state", flat=True)) == {"queued"}
    assert Run.objects.get(pk=told_to_stop.run_id).state == "cancelled"
