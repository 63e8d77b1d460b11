"""Real worker processes on a real broker and database, killed on purpose."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from webapp.jobs import leases
from webapp.jobs.models import Run, Worker
from webapp.results.models import Score
from webapp.tests import factories
from workers.tests.conftest import CELERY, Lab, Start, analysis_worker, evaluation_worker, living, state, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]


def test_a_killed_worker_is_seen_and_its_run_goes_on(lab: Lab, start: Start) -> None:
    """SIGKILL in mid-run: requeued with the reason, finished samples kept, no sample scored twice."""
    analysis = analysis_worker(start)
    first = evaluation_worker(start, "first")
    wait_until(lambda: living("first"), of=first)
    job = lab.job(lab.entry("tiny-m"), size=3000, settings={"batch_size": 2})
    run = job.runs.get()
    wait_until(lambda: Score.objects.filter(run=run).count() > 100, of=first)
    first.kill()
    kept = Score.objects.filter(run=run).count()
    assert 0 < kept < 3000

    wait_until(lambda: state(run) == Run.State.QUEUED, seconds=30, of=analysis)
    assert "first@test was lost" in run.reason
    assert f"attempt 2 of 3, {kept} samples are kept" in run.reason

    second = evaluation_worker(start, "second")
    wait_until(lambda: state(run) == Run.State.DONE, seconds=120, of=second)
    assert (run.attempt, run.done) == (2, 3000)
    assert list(Score.objects.filter(run=run).order_by("index").values_list("index", flat=True)) == list(range(3000))
    job.refresh_from_db()
    assert job.state == "done"
    told = list(run.events.values_list("text", flat=True))
    assert any("was lost" in text for text in told)


def test_a_run_of_several_attempts_goes_on_in_the_middle_of_a_sample(lab: Lab, start: Start) -> None:
    """Killed and taken up, it holds what a run holds that nobody disturbed: each attempt once, with the same text."""
    settings = {"attempts": 4, "temperature": 1.0, "batch_size": 3}
    entry = lab.entry("tiny-m")
    first = evaluation_worker(start, "first")
    wait_until(lambda: living("first"), of=first)
    broken = lab.job(entry, size=300, kind="text", settings=settings).runs.get()
    wait_until(lambda: Score.objects.filter(run=broken).count() > 100, of=first)
    first.kill()
    made = set(Score.objects.filter(run=broken).values_list("index", "attempt"))
    assert 100 < len(made) < 1200
    wait_until(lambda: leases.sweep() == [broken.pk], seconds=30)
    assert lab.suite is not None
    whole = factories.job(lab.owner, lab.team, lab.suite, [entry], settings={**settings, "repeat": 1}).runs.get()
    second = evaluation_worker(start, "second")
    wait_until(lambda: state(whole) == state(broken) == Run.State.DONE, seconds=120, of=second)
    columns = ("index", "attempt", "output", "score", "tokens_out")
    left, right = (
        list(Score.objects.filter(run=run).order_by("index", "attempt").values_list(*columns))
        for run in (broken, whole)
    )
    assert left == right
    assert [row[:2] for row in left] == [(index, attempt) for index in range(300) for attempt in range(4)]
    assert (broken.attempt, broken.done, broken.total, broken.mean) == (2, 300, 300, whole.mean)
    assert broken.provenance["joules"] is None, "no GPU, and part of the run is another worker's"


def test_a_stopped_worker_gives_its_run_back_at_once(lab: Lab, start: Start) -> None:
    worker = evaluation_worker(start)
    wait_until(lambda: living("evaluation"), of=worker)
    run = lab.job(lab.entry("tiny-m"), size=3000, settings={"batch_size": 2}).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=worker)
    worker.stop()
    assert state(run) == Run.State.QUEUED
    assert "was shut down" in run.reason
    assert not living("evaluation")


def test_a_worker_that_was_taken_for_lost_writes_nothing_more(lab: Lab, start: Start) -> None:
    """Frozen (SIGSTOP) past its lease, then woken: the attempt number fences it off."""
    worker = evaluation_worker(start)
    wait_until(lambda: living("evaluation"), of=worker)
    run = lab.job(lab.entry("tiny-m"), size=3000, settings={"batch_size": 2}).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=worker)
    os.killpg(worker.child.pid, signal.SIGSTOP)
    wait_until(lambda: leases.sweep() == [run.pk], seconds=30)
    other = leases.claim(worker="other", schemes=["fp32"])
    assert other is not None
    assert other.attempt == 2
    kept = Score.objects.filter(run=run).count()
    os.killpg(worker.child.pid, signal.SIGCONT)
    wait_until(lambda: "lost the lease" in worker.log.read_text(errors="replace"), seconds=30, of=worker)
    assert Score.objects.filter(run=run).count() == kept
    assert (state(run), run.worker) == (Run.State.RUNNING, "other")


def test_a_misconfigured_worker_refuses_to_start(lab: Lab, start: Start) -> None:
    worker = start(*CELERY, "-P", "prefork", "-c", "1", "-Q", "evaluation", "-n", "forked@test")
    wait_until(lambda: worker.child.poll() is not None, of=worker)
    assert worker.child.returncode != 0
    assert "Start it with -P solo" in worker.log.read_text()


def test_a_worker_that_loses_the_database_at_its_start_ends(lab: Lab, start: Start) -> None:
    """Its supervisor starts another at once. One that went on would take nothing, and be killed after minutes."""
    name = "evaluation@test"
    leases.worker_seen(name=name, host="test", device="cpu", schemes=[], environment={})
    leases.worker_stopped(name)
    with transaction.atomic(), connection.cursor() as cursor:
        Worker.objects.select_for_update().get(name=name)  # it says that it lives, and waits for us
        worker = evaluation_worker(start)
        wait_until(lambda: _ended_what_waits(cursor), of=worker)
    wait_until(lambda: worker.child.poll() is not None, of=worker)
    assert worker.child.returncode != 0
    assert "does not start" in worker.log.read_text()


def _ended_what_waits(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
    return bool(cursor.fetchall())


def test_the_supervisor_replaces_a_frozen_worker(lab: Lab, start: Start) -> None:
    """A process that is stopped in mid-run has no pulse: killed, and its run goes on in the next one."""
    supervisor = start("workers", "--devices", "cpu", CROSSTABLE_FROZEN_SECONDS="25")
    host_name = "evaluation-0"
    wait_until(lambda: _worker_pid(host_name), of=supervisor)
    frozen = _worker_pid(host_name)
    assert frozen is not None
    run = lab.job(lab.entry("tiny-m"), size=1500, settings={"batch_size": 2}).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=supervisor)
    os.kill(frozen, signal.SIGSTOP)
    assert state(run) == Run.State.RUNNING
    wait_until(lambda: _worker_pid(host_name) not in (frozen, None), seconds=90, of=supervisor)
    assert "no pulse" in supervisor.log.read_text()
    wait_until(lambda: leases.sweep() or state(run) == Run.State.DONE, seconds=30, of=supervisor)
    wait_until(lambda: state(run) == Run.State.DONE, seconds=120, of=supervisor)
    assert (run.attempt, run.done) == (2, 1500)
    assert run.events.filter(text__contains=leases.LOST, state="queued").count() == 1


def _worker_pid(name: str) -> int | None:
    from webapp.jobs.models import Worker

    worker = Worker.objects.filter(name__startswith=name, stopped_at=None).first()
    return worker.environment.get("pid") if worker else None
