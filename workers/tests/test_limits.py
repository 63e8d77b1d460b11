"""Memory that does not do and disks that are full, through the engine's real path in this process."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.models.huggingface import HFLM

from webapp.catalog.services import create_benchmark, create_suite
from webapp.jobs import leases
from webapp.jobs.models import Run, Worker
from webapp.results.models import Score
from webapp.tests import factories
from workers import disk, pipeline
from workers.presence import Presence
from workers.tests.conftest import Lab
from workers.tests.harness import tasks_on_disk

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def this_process_is_a_worker() -> Iterator[None]:
    pipeline._me = pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here"))
    factories.worker("here")
    yield
    pipeline._me = None


def device_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A device that holds so many rows of a batch: more raise what torch raises. Returns the sizes that were tried."""
    honest, tried = HFLM._model_call, []

    def call(self: Any, inputs: Any, *more: Any, **named: Any) -> Any:
        tried.append(len(inputs))
        if len(inputs) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return honest(self, inputs, *more, **named)

    monkeypatch.setattr(HFLM, "_model_call", call)
    return tried


def test_once_more_with_half_the_batch(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = device_of(4, monkeypatch)
    job = lab.job(lab.entry(), size=40, settings={"batch_size": 8})
    assert pipeline.evaluate_next()
    run = job.runs.get()
    assert (run.state, run.done, run.attempt) == (Run.State.DONE, 40, 1)
    assert max(tried) > 4 >= tried[-1]
    told = "ran out of memory (CUDA out of memory). Once more, with a batch size of 4 instead of 8."
    assert run.events.filter(text__endswith=told).exists()
    assert (run.settings["batch_size"], run.provenance["batch_size"]) == (8, 4)


def test_what_half_the_batch_does_not_help_fails_with_advice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = device_of(0, monkeypatch)
    job = lab.job(lab.entry(), size=40, settings={"batch_size": 8})
    assert pipeline.evaluate_next()
    run = job.runs.get()
    assert (run.state, run.attempt, len(tried)) == (Run.State.FAILED, 1, 2)
    assert "this time it was 4." in run.reason
    assert run.reason.endswith(pipeline.ADVICE)
    assert not pipeline.evaluate_next(), "it is not tried again"


def test_a_batch_of_one_cannot_be_halved(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = device_of(0, monkeypatch)
    job = lab.job(lab.entry(), settings={"batch_size": 1})
    assert pipeline.evaluate_next()
    assert (job.runs.get().state, len(tried)) == (Run.State.FAILED, 1)


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes; the kernel refuses the rest (EFBIG)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_the_workers_trouble(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task of the harness writes its cache. The run waits for another worker, and this one takes nothing more."""
    monkeypatch.setattr(pipeline.engine().named_tasks, "_manager", tasks_on_disk(tmp_path, 200))
    version = create_benchmark(actor=lab.owner, team=lab.team, name="sums", harness_task="sums_on_disk")
    suite = create_suite(actor=lab.owner, team=lab.team, name="sums", versions=[version])
    run = factories.job(lab.owner, lab.team, suite, [lab.entry()]).runs.get()
    with full_disk(1024):
        assert pipeline.evaluate_next()
    run.refresh_from_db()
    assert (run.state, run.attempt) == (Run.State.QUEUED, 1), run.reason
    assert run.reason.startswith("The disk of worker here is full.")
    worker = Worker.objects.get(name="here")
    assert (worker.mode, worker.mode_reason[:15]) == ("paused", "Paused itself: ")
    assert not pipeline.evaluate_next(), "it would fail everything it took"
    Worker.objects.update(mode="working")
    assert pipeline.evaluate_next()
    run.refresh_from_db()
    assert (run.state, run.done, Score.objects.count()) == (Run.State.DONE, 200, 200)


def test_a_worker_that_cannot_write_does_not_start() -> None:
    assert disk.unwritable() == ""
    with full_disk(0):
        assert "cannot be written (File too large)" in disk.unwritable()
    assert "No such file" in disk.unwritable(Path("/nowhere"))


def test_a_run_says_when_other_versions_go_on_with_it(lab: Lab) -> None:
    lab.job(lab.entry(), size=40)
    first = leases.claim(worker="gone", schemes=["fp32"])
    assert first is not None
    lease = leases.lease_of(first)
    leases.computed_with(lease=lease, software={"lm_eval": "0.4.12"})
    factories.score(lease, [True] * 10)
    leases.give_back(lease=lease, reason="Shut down.")
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert run.events.filter(text__contains="lm_eval 0.4.12 before, 0.4.13 now").exists()
    assert set(run.provenance["software_by_attempt"]) == {"1", "2"}
