"""Faults on real worker processes, one by one; `test_processes.py` has kill -9, freezing and bad settings."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from webapp.celery import app
from webapp.jobs import leases
from webapp.jobs.models import Run, Worker
from webapp.results.models import Score
from workers.pipeline import ADVICE
from workers.tests.conftest import Lab, Process, Start, evaluation_worker, living, state, wait_until
from workers.tests.sabotage import CLOCK, DISK, HANG, MEMORY, POISON, sabotage

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]
LONG = {"batch_size": 2}


def swept(run: Run, wanted: str) -> bool:
    """Whether the run has come to this state; the sweep is the test's to make."""
    leases.sweep()
    return state(run) == wanted


def supervised(start: Start, **more: str) -> Process:
    process = start("workers", "--devices", "cpu", **more)
    wait_until(lambda: Worker.objects.filter(stopped_at=None).exists(), of=process, seconds=120)
    return process


def test_a_model_that_hangs_ends_at_its_time_limit(lab: Lab, start: Start, tmp_path: Path) -> None:
    """The run fails with the reason; its worker, whose model cannot be stopped, is replaced and works on."""
    supervisor = supervised(start, **sabotage(tmp_path / "site", HANG))
    pid = Worker.objects.get().environment["pid"]
    entry = lab.entry()
    first = lab.job(entry, size=4).runs.get()  # imports the engine, which may take longer than the limit
    wait_until(lambda: state(first) == Run.State.DONE, of=supervisor, seconds=120)
    run = lab.job(entry, max_seconds=3, settings={"batch_size": 13}).runs.get()
    hung = "The model hung, so its worker was restarted."  # said a moment after the run has failed
    wait_until(lambda: swept(run, Run.State.FAILED) and hung in run.reason, of=supervisor, seconds=60)
    assert "Exceeded its time limit of 3 s" in run.reason
    wait_until(lambda: Worker.objects.get().environment["pid"] != pid, of=supervisor, seconds=120)


def test_a_poisoned_run_is_given_up_and_the_queue_goes_on(lab: Lab, start: Start, tmp_path: Path) -> None:
    """A run that kills its worker does so three times, no more."""
    supervisor = supervised(start, **sabotage(tmp_path / "site", POISON))
    entry = lab.entry()
    poison = lab.job(entry, settings={"batch_size": 13}).runs.get()
    good = lab.job(entry, size=20).runs.get()
    wait_until(lambda: swept(poison, Run.State.FAILED), of=supervisor, seconds=240)
    assert poison.reason.startswith("Given up after 3 attempts. Worker ")
    wait_until(lambda: swept(good, Run.State.DONE), of=supervisor, seconds=120)
    assert good.attempt == 1


def test_a_worker_whose_disk_is_full_stands_aside(lab: Lab, start: Start, tmp_path: Path) -> None:
    """It lives and pauses itself; the run, whose samples are kept, is finished by another one."""
    full = evaluation_worker(start, "full", **sabotage(tmp_path / "site", DISK))
    wait_until(lambda: living("full"), of=full)
    entry = lab.entry()
    run = lab.job(entry, settings={"batch_size": 13}).runs.get()
    wait_until(lambda: state(run) == Run.State.QUEUED and run.attempt == 1, of=full)
    assert "The disk of worker full@test is full." in run.reason
    wait_until(lambda: Worker.objects.filter(mode=Worker.Mode.PAUSED).exists(), of=full)
    other = evaluation_worker(start, "other")
    wait_until(lambda: swept(run, Run.State.DONE), of=other, seconds=120)
    assert (run.attempt, run.worker, run.done) == (2, "other@test", run.total)
    assert full.child.poll() is None


def test_a_run_without_room_in_the_memory_fails_with_advice(lab: Lab, start: Start, tmp_path: Path) -> None:
    """After one more try with half the batch; its worker goes on with the next run."""
    worker = evaluation_worker(start, **sabotage(tmp_path / "site", MEMORY))
    wait_until(lambda: living("evaluation"), of=worker)
    entry = lab.entry()
    large = lab.job(entry, settings={"batch_size": 13}).runs.get()
    small = lab.job(entry, size=20).runs.get()
    wait_until(lambda: state(large) == Run.State.FAILED, of=worker)
    assert large.attempt == 1
    assert large.events.filter(text__endswith="Once more, with a batch size of 6 instead of 13.").count() == 1
    assert "this time it was 6." in large.reason
    assert large.reason.endswith(ADVICE)
    wait_until(lambda: state(small) == Run.State.DONE, of=worker)
    assert (small.attempt, small.worker) == (1, "evaluation@test")


@pytest.mark.parametrize("shift", [-200, 200])
def test_only_the_databases_clock_counts(lab: Lab, start: Start, tmp_path: Path, shift: int) -> None:
    """A host minutes off: it counts as alive, its run is not taken for lost, and ends after it began."""
    worker = evaluation_worker(start, "off", CLOCK_SHIFT=str(shift), **sabotage(tmp_path / "site", CLOCK))
    wait_until(lambda: living("off"), of=worker)
    run = lab.job(lab.entry("tiny-m"), size=600, settings=LONG).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=worker)
    assert leases.sweep() == []
    assert [one.name for one in leases.alive_workers()] == ["off@test"]
    wait_until(lambda: state(run) == Run.State.DONE, seconds=120, of=worker)
    assert run.started_at is not None
    assert run.finished_at is not None
    assert 0 < (run.finished_at - run.started_at).total_seconds() < 120


def test_a_host_whose_clock_is_a_day_wrong_is_refused(lab: Lab, start: Start, tmp_path: Path) -> None:
    worker = evaluation_worker(start, "off", CLOCK_SHIFT="86400", **sabotage(tmp_path / "site", CLOCK))
    wait_until(lambda: worker.child.poll() is not None, of=worker)
    assert "ahead of the database's" in worker.log.read_text()
    assert worker.child.returncode != 0


def test_a_doorbell_that_rings_twice_for_two_workers(lab: Lab, start: Start) -> None:
    """The same message many times over, and two workers that want one run: each sample is scored once."""
    workers = [evaluation_worker(start, name) for name in ("first", "second")]
    for name, worker in zip(("first", "second"), workers, strict=True):
        wait_until(lambda name=name: living(name), of=worker)
    run = lab.job(lab.entry(), size=400, settings=LONG).runs.get()
    for _ in range(8):
        for queue in ("evaluation", "evaluation.cpu"):
            app.send_task("workers.evaluate", task_id="the-same-message", queue=queue)
    wait_until(lambda: state(run) == Run.State.DONE, seconds=120, of=workers[0])
    assert (run.attempt, run.events.filter(state="running").count()) == (1, 1)
    assert list(Score.objects.filter(run=run).order_by("index").values_list("index", flat=True)) == list(range(400))


def test_a_second_worker_of_the_same_name_is_refused(lab: Lab, start: Start) -> None:
    first = evaluation_worker(start, "twin")
    wait_until(lambda: living("twin"), of=first)
    second = evaluation_worker(start, "twin")
    wait_until(lambda: second.child.poll() is not None, of=second)
    assert "A worker called twin@test is at work" in second.log.read_text()
    assert first.child.poll() is None
    first.kill()  # and says no goodbye: whoever takes its place on this host need not wait
    third = evaluation_worker(start, "twin")
    pid = Worker.objects.get().environment["pid"]
    wait_until(lambda: Worker.objects.get().environment["pid"] != pid, of=third)


def test_a_worker_of_the_old_version_hands_back_and_the_new_one_says_so(lab: Lab, start: Start, tmp_path: Path) -> None:
    """A deploy in mid-run: the kept samples are another version's, which the diary and the provenance tell."""
    old = evaluation_worker(start, "old")
    wait_until(lambda: living("old"), of=old)
    run = lab.job(lab.entry("tiny-m"), size=1500, settings=LONG).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).count() > 50, of=old)
    os.killpg(old.child.pid, signal.SIGTERM)
    wait_until(lambda: state(run) == Run.State.QUEUED, of=old)
    kept = run.done
    earlier = {**run.software["1"], "lm_eval": "0.4.12"}  # as if that one had been the old release
    Run.objects.filter(pk=run.pk).update(software={"1": earlier})
    new = evaluation_worker(start, "new")
    wait_until(lambda: state(run) == Run.State.DONE, seconds=120, of=new)
    told = (
        f"Goes on with other versions than {kept} of its samples were scored with: lm_eval 0.4.12 before, 0.4.13 now."
    )
    assert run.events.filter(attempt=2, text=told).exists()
    by_attempt = run.provenance["software_by_attempt"]
    assert (by_attempt["1"]["lm_eval"], by_attempt["2"]["lm_eval"]) == ("0.4.12", "0.4.13")
