"""The life of a run under a worker, on real connections: claim, fence, heartbeat, sweep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from evaluation.records import Attempt
from webapp.accounts.models import User
from webapp.jobs import leases
from webapp.jobs.leases import Lease, LeaseLost
from webapp.jobs.models import Job, Run, RunEvent, Worker
from webapp.jobs.services import cancel_job, retry_job
from webapp.results.models import PackedScores, Score
from webapp.results.services import finish_run, record_scores
from webapp.tests import factories

SCHEMES = ["fp32"]


def in_thread(work: Callable[[], Any]) -> Any:
    """The result of work done over a second connection to the database."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_closing(work)).result(timeout=20)


def claim(worker: str = "w1") -> Run | None:
    return leases.claim(worker=worker, schemes=SCHEMES)


def lose(lease: Lease) -> None:
    """Let the lease run out, as if its worker had been killed a while ago."""
    Run.objects.filter(pk=lease.run_id).update(leased_until=Now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
def test_a_run_that_somebody_holds_is_passed_over(job: Job) -> None:
    """The second connection does not wait for the lock on the first run: it takes the next one."""
    first, second = job.runs.order_by("pk")[:2]
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=first.pk)
        taken = in_thread(claim)
    assert taken.pk == second.pk


@pytest.mark.django_db(transaction=True)
def test_a_person_who_cancels_and_a_worker_that_stores_do_not_deadlock(alice: User, job: Job) -> None:
    lease = factories.claim("w1")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            run = leases.locked(lease)
            cancelling = pool.submit(_closing(lambda: cancel_job(actor=alice, job=job)))
            _wait_until_blocked()
            leases.progressed(run)
        assert cancelling.result(timeout=20).state == "cancelled"
    assert leases.beat(lease) is True


def _closing(work: Callable[[], Any]) -> Callable[[], Any]:
    def connected() -> Any:
        try:
            return work()
        finally:
            connection.close()

    return connected


def _wait_until_blocked() -> None:
    """Until another connection waits for a lock."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")


@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_share_the_queue_without_doubles(job: Job) -> None:
    start = threading.Barrier(6)

    def work(name: str) -> list[int]:
        start.wait(timeout=10)
        try:
            taken = []
            while (run := claim(name)) is not None:
                taken.append(run.pk)
            return taken
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        shares = list(pool.map(work, [f"w{i}" for i in range(6)], timeout=30))
    taken = [pk for share in shares for pk in share]
    assert sorted(taken) == sorted(job.runs.values_list("pk", flat=True))
    assert set(job.runs.values_list("state", "attempt")) == {("running", 1)}


def test_the_queue_is_served_by_priority_then_by_age(job: Job) -> None:
    runs = list(job.runs.order_by("pk"))
    Run.objects.filter(pk=runs[2].pk).update(priority=5)
    Run.objects.filter(pk=runs[3].pk).update(queued_at=timezone.now() - timedelta(hours=1))
    order = [run.pk for run in iter(claim, None)]
    assert order == [runs[2].pk, runs[3].pk, runs[0].pk, runs[1].pk]


def test_a_worker_takes_only_what_it_can_do(job: Job) -> None:
    Run.objects.filter(contender__name="large@fp32").update(scheme="int4")
    taken = [run.contender.name for run in iter(claim, None)]
    assert taken == ["small@fp32", "small@fp32"]
    assert leases.claim(worker="w2", schemes=["int4"]) is not None


def test_a_claim_says_who_when_and_why(job: Job) -> None:
    run = claim("w1")
    assert run is not None
    assert (run.state, run.attempt, run.worker) == ("running", 1, "w1")
    assert run.reason == "Running on w1, attempt 1 of 3."
    assert RunEvent.objects.get(run=run).text == run.reason
    job.refresh_from_db()
    assert (job.state, job.reason) == ("running", "0 of 4 runs done, 1 running, 3 waiting.")


def attempts_of(sample: int) -> list[Attempt]:
    return [Attempt(sample=sample, score=1.0, answer="a", output="a", target="a")]


FENCED: dict[str, Callable[[Lease], object]] = {
    "scores": lambda lease: record_scores(lease=lease, attempts=attempts_of(3), seconds=1.0),
    "finish": lambda lease: finish_run(lease=lease, provenance={}),
    "start": lambda lease: leases.start(lease=lease, total=99),
    "end": lambda lease: leases.end(lease=lease, state="failed", reason="late"),
    "give back": lambda lease: leases.give_back(lease=lease, reason="late"),
    "hand over": lambda lease: leases.hand_over(lease=lease, reason="late"),
    "beat": leases.beat,
    "keep": leases.keep,
}


@pytest.mark.parametrize("write", FENCED)
@pytest.mark.parametrize("again", ["waiting", "taken by another", "taken by the same worker", "cancelled"])
def test_an_attempt_that_was_declared_lost_can_write_nothing(alice: User, job: Job, write: str, again: str) -> None:
    stale = factories.claim("w1")
    factories.score(stale, [True, False])
    lose(stale)
    if again == "cancelled":
        cancel_job(actor=alice, job=job)
    assert leases.sweep() == [stale.run_id]
    if again.startswith("taken"):
        assert claim("w1" if again.endswith("same worker") else "w2") is not None
    before = Run.objects.filter(pk=stale.run_id).values().get()
    with pytest.raises(LeaseLost):
        FENCED[write](stale)
    assert Run.objects.filter(pk=stale.run_id).values().get() == before
    assert list(Score.objects.filter(run=stale.run_id).order_by("index").values_list("index", flat=True)) == [0, 1]
    assert not PackedScores.objects.exists()


def test_a_lost_run_goes_back_to_the_queue_with_its_samples(job: Job) -> None:
    lease = factories.claim("w1")
    factories.score(lease, [True, False])
    lose(lease)
    leases.sweep()
    run = Run.objects.get(pk=lease.run_id)
    assert (run.state, run.done, run.worker, run.leased_until) == ("queued", 2, "", None)
    assert run.reason == (
        "Worker w1 was lost: no heartbeat for 30 s. Requeued; next is attempt 2 of 3, 2 samples are kept."
    )
    assert RunEvent.objects.filter(run=run).last().text == run.reason  # type: ignore[union-attr]
    again = claim("w2")
    assert again is not None
    assert (again.pk, again.attempt, again.done_before) == (run.pk, 2, 2), "it goes before what waits behind it"


def test_a_run_that_keeps_being_lost_is_given_up(job: Job) -> None:
    Run.objects.exclude(pk=job.runs.order_by("pk")[0].pk).update(state="cancelled")
    for _ in range(3):
        run = claim()
        assert run is not None
        lose(leases.lease_of(run))
        leases.sweep()
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("failed", 3)
    assert run.reason.startswith("Given up after 3 attempts. Worker w1 was lost")
    assert claim() is None


def test_a_run_that_gets_further_each_time_is_not_given_up(job: Job) -> None:
    """Its hosts fail, not the run; once it gets no further it is given up after the third attempt there."""
    Run.objects.exclude(pk=job.runs.order_by("pk")[0].pk).update(state="cancelled")
    limits = []
    for before, done in pairwise((0, 1, 2, 3, 3, 3)):
        lease = factories.claim("w1")
        factories.score(lease, [True] * (done - before), start=before)
        lose(lease)
        leases.sweep()
        run = Run.objects.get(pk=lease.run_id)
        limits.append((run.done, run.last_attempt, run.state))
    assert limits == [
        (1, 3, "queued"), (2, 4, "queued"), (3, 5, "queued"), (3, 5, "queued"), (3, 5, "failed"),
    ]  # fmt: skip


def test_a_run_that_is_lost_whenever_it_finishes_is_given_up(job: Job) -> None:
    """All samples are there, and still it kills its workers: after the third of them nothing is different from before.
    A retry goes on from the samples."""
    Run.objects.exclude(pk=job.runs.order_by("pk")[0].pk).update(state="cancelled")
    lives = []
    for asked in (3, 1, 0, 0):
        lease = factories.claim("w1")
        factories.score(lease, [True] * asked, start=3 if asked == 1 else 0)
        lose(lease)
        leases.sweep()
        run = Run.objects.get(pk=lease.run_id)
        lives.append((run.done, run.total, run.attempt, run.state))
    assert lives == [(3, 4, 1, "queued"), (4, 4, 2, "queued"), (4, 4, 3, "queued"), (4, 4, 4, "failed")]
    assert run.reason.startswith("Given up after 4 attempts.")


def test_retry_gives_a_run_fresh_attempts(alice: User, job: Job) -> None:
    test_a_run_that_keeps_being_lost_is_given_up(job)
    retry_job(actor=alice, job=job)
    run = claim()
    assert run is not None
    assert (run.attempt, run.last_attempt) == (4, 6)


def test_a_heartbeat_keeps_the_run(job: Job) -> None:
    lease = factories.claim("w1")
    lose(lease)
    assert leases.beat(lease) is False
    assert leases.sweep() == []
    run = Run.objects.get(pk=lease.run_id)
    assert run.state == "running"


def test_storing_scores_keeps_the_run_too(job: Job) -> None:
    lease = factories.claim("w1")
    lose(lease)
    factories.score(lease, [True])
    assert leases.sweep() == []


def test_the_heartbeat_tells_that_a_person_cancelled(alice: User, job: Job) -> None:
    lease = factories.claim("w1")
    cancel_job(actor=alice, job=job)
    assert leases.beat(lease) is True
    run = Run.objects.get(pk=lease.run_id)
    assert run.state == "running", "its worker stops it"
    leases.end(lease=lease, state="cancelled", reason="Cancelled; the finished samples are kept.")
    run.refresh_from_db()
    assert (run.state, run.leased_until) == ("cancelled", None)


def test_a_cancelled_run_whose_worker_is_lost_stays_cancelled(alice: User, job: Job) -> None:
    lease = factories.claim("w1")
    cancel_job(actor=alice, job=job)
    lose(lease)
    leases.sweep()
    assert Run.objects.get(pk=lease.run_id).state == "cancelled"


@pytest.mark.parametrize("error", [timedelta(days=-1), timedelta(days=1)])
def test_the_clock_is_the_databases(job: Job, monkeypatch: pytest.MonkeyPatch, error: timedelta) -> None:
    """A worker or a web server whose clock is a day wrong neither loses runs nor keeps them for ever."""
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + error)
    lease = factories.claim("w1")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM leased_until - clock_timestamp()) FROM jobs_run WHERE id = %s", [lease.run_id]
        )
        left = float(cursor.fetchone()[0])
    assert 0 < left <= 30
    assert leases.sweep() == []
    lose(lease)
    assert leases.sweep() == [lease.run_id]


def test_a_run_given_back_is_bounded_like_a_lost_one(job: Job) -> None:
    Run.objects.exclude(pk=job.runs.order_by("pk")[0].pk).update(state="cancelled")
    for _ in range(3):
        lease = factories.claim("w1")
        leases.give_back(lease=lease, reason="Internal error.")
    run = Run.objects.get(pk=lease.run_id)
    assert (run.state, run.attempt) == ("failed", 3)


def test_stopping_workers_takes_no_attempt_from_a_run(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five deploys in a row; but a run that gets its worker evicted every time ends at last."""
    monkeypatch.setattr(leases, "HAND_OVERS", 6)
    Run.objects.exclude(pk=job.runs.order_by("pk")[0].pk).update(state="cancelled")
    for _ in range(5):
        lease = factories.claim("w1")
        leases.hand_over(lease=lease, reason="Worker w1 was shut down.")
    run = Run.objects.get(pk=lease.run_id)
    assert (run.state, run.attempt, run.last_attempt) == ("queued", 5, 8)
    for _ in range(3):
        leases.hand_over(lease=factories.claim("w1"), reason="Worker w1 was shut down.")
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("failed", 8)


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_requeue_a_run_once(job: Job) -> None:
    lease = factories.claim("w1")
    lose(lease)
    with transaction.atomic():
        assert leases.sweep() == [lease.run_id]
        assert in_thread(leases.sweep) == []
    assert RunEvent.objects.filter(run=lease.run_id, state="queued").count() == 1


def test_the_sweep_rings_for_what_waits_while_workers_idle(job: Job, django_capture_on_commit_callbacks: Any) -> None:
    def rings() -> int:
        with django_capture_on_commit_callbacks() as callbacks:
            leases.sweep()
        return len(callbacks)

    assert rings() == 0, "nobody is there to hear it"
    factories.worker("w1")
    factories.worker("w2")
    assert rings() == 2
    factories.claim("w1")
    assert rings() == 1
    leases.worker_stopped("w2")
    assert rings() == 0


def test_a_worker_is_alive_while_it_says_so(db: None) -> None:
    factories.worker("w1")
    assert [worker.name for worker in leases.alive_workers()] == ["w1"]
    Worker.objects.update(seen_at=Now() - timedelta(seconds=31))
    assert not leases.alive_workers().exists()
    leases.worker_alive("w1")
    assert leases.alive_workers().exists()
