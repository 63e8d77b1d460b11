"""Submissions that meet: of one key, of the same runs, in a circle; and what one leaves behind that is refused."""

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
from webapp.jobs import planning, services
from webapp.jobs.models import Job, JobRun, Run
from webapp.jobs.services import JobRequest


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
