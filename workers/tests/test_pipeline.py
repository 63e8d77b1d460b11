"""A run through the real engine, in this process."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from pytest_django import Settings

from evaluation.records import Attempt
from webapp.catalog.services import create_benchmark, create_suite, register_entry
from webapp.catalog.sources import SourceRequest
from webapp.jobs import leases
from webapp.jobs.models import Run
from webapp.jobs.services import cancel_job
from webapp.results.models import PackedScores, Score
from webapp.results.packing import unpack
from webapp.results.services import record_scores
from webapp.tests import factories
from workers import pipeline, waiting
from workers.presence import Presence
from workers.tests.conftest import CHECKPOINTS, Lab
from workers.tests.harness import tasks_on_disk

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def this_process_is_a_worker() -> Iterator[None]:
    pipeline._me = pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here"))
    yield
    pipeline._me = None
    pipeline.stopping.clear()


def test_a_run_ends_with_every_sample_scored_once(lab: Lab) -> None:
    job = lab.job(lab.entry(), size=40)
    assert pipeline.evaluate_next()
    run = job.runs.get()
    assert (run.state, run.done, run.total) == (Run.State.DONE, 40, 40)
    scores = list(Score.objects.filter(run=run).order_by("index"))
    assert [score.index for score in scores] == list(range(40))
    assert run.mean == sum(score.score for score in scores) / 40
    packed = PackedScores.objects.get(run=run)
    assert unpack(packed.dtype, bytes(packed.values)).tolist() == [score.score for score in scores]
    assert all(len(score.log_likelihoods) == 2 and score.tokens_in for score in scores)
    assert run.low is not None
    assert run.high is not None
    assert run.low < run.mean < run.high
    assert run.tokens_in == sum(score.tokens_in or 0 for score in scores)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_as_soon_as_a_run_is_claimed_is_waited_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bell for the next run is rung before anything of this one is done: no reason to lose it."""
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    honest, away = leases.ring_next, iter([OperationalError("it is away"), None])

    def ring_next() -> None:
        if error := next(away):
            raise error
        honest()

    monkeypatch.setattr(leases, "ring_next", ring_next)
    job = lab.job(lab.entry())
    assert pipeline.evaluate_next()
    run = job.runs.get()
    assert (run.state, run.attempt) == (Run.State.DONE, 1)


class Searching:
    """An evaluation whose scheme takes a second for each step of its search."""

    total = None

    def __init__(self) -> None:
        self.search = {"step": 0}

    def __iter__(self) -> Iterator[list[Attempt]]:
        for step in (1, 2):
            time.sleep(1)
            self.search = {"step": step, "of": 2}
            yield []


@pytest.mark.django_db(transaction=True)
def test_a_restart_of_the_database_is_waited_for_while_a_search_tells_its_steps(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    run = lab.job(lab.entry()).runs.get()
    lease = factories.claim("here")
    Run.objects.filter(pk=run.pk).update(total=None)
    searched, ends = leases.searched, iter([True, False, False])

    def told(**news: Any) -> None:
        if next(ends):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        searched(**news)

    monkeypatch.setattr(leases, "searched", told)
    pipeline._store(run, lease, Searching(), pipeline._me, already=0)
    run.refresh_from_db()
    assert (run.attempt, run.provenance) == (1, {"search": {"step": 2, "of": 2}})


def test_provenance_says_what_the_numbers_depend_on(lab: Lab) -> None:
    lab.job(lab.entry())
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert run.provenance["weights_hash"] == run.contender.version.weights_hash
    assert run.provenance["environment"]["lm_eval"] == "0.4.13"
    assert run.provenance["settings"]["seed"] == 1234


def test_a_second_attempt_keeps_what_the_first_had_finished(lab: Lab) -> None:
    job = lab.job(lab.entry(), size=40)
    first = leases.claim(worker="gone", schemes=["fp32"])
    assert first is not None
    factories.score(leases.lease_of(first), [True] * 10)  # all "right": the engine would not agree
    leases.give_back(lease=leases.lease_of(first), reason="Shut down.")
    assert pipeline.evaluate_next()
    run = job.runs.get()
    assert (run.state, run.attempt, run.done) == (Run.State.DONE, 2, 40)
    assert Score.objects.filter(run=run, index__lt=10, score=1.0).count() == 10
    assert Score.objects.filter(run=run).count() == 40


def test_generation_stores_what_the_model_wrote(lab: Lab) -> None:
    lab.job(lab.entry(), size=12, kind="text")
    pipeline.evaluate_next()
    scores = Score.objects.all()
    assert len(scores) == 12
    assert all(score.choice is None and score.tokens_out for score in scores)
    assert any(score.output for score in scores)


def test_what_a_run_took_is_recorded_where_it_is_measured(lab: Lab) -> None:
    lab.job(lab.entry(), size=12, kind="text")
    pipeline.evaluate_next()
    run = Run.objects.get()
    found = run.provenance["efficiency"]
    assert 0 < found["latency_p50"] <= found["latency_p95"]
    assert 0 < found["first_token_p50"] < found["latency_p50"]
    assert found["throughput"] == pytest.approx((run.tokens_out or 0) / sum(s.seconds or 0 for s in run.scores.all()))
    assert found["tokens_per_second"] is None, "in a batch all wait for the longest"
    assert (found["watt_hours_per_1000"], found["device_peak_bytes"]) == (None, None), "there is no GPU"
    assert found["host_peak_bytes"] is None or found["host_peak_bytes"] > 50_000_000


def test_a_mixed_suite_makes_several_attempts_where_chance_plays_a_part(lab: Lab) -> None:
    versions = [factories.benchmark(lab.owner, lab.team, kind, 5, kind=kind) for kind in ("choice", "text")]
    suite = factories.suite(lab.owner, lab.team, "mixed", versions)
    settings = {"attempts": 3, "temperature": 1.0}
    job = factories.job(lab.owner, lab.team, suite, [lab.entry()], settings=settings)
    while pipeline.evaluate_next():
        pass
    made = {run.version.kind: (run.state, run.done, run.scores.count()) for run in job.runs.all()}
    assert made == {"multiple_choice": ("done", 5, 5), "generation": ("done", 5, 15)}


def test_cancelling_stops_the_run_and_keeps_its_samples(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    job = lab.job(lab.entry("tiny-m"), size=4000, settings={"batch_size": 1})
    stored = record_scores

    def record_then_cancel(**arguments: object) -> None:
        stored(**arguments)  # type: ignore[arg-type]
        cancel_job(actor=lab.owner, job=job)

    monkeypatch.setattr(pipeline, "record_scores", record_then_cancel)
    pipeline.evaluate_next()
    run = job.runs.get()
    assert run.state == Run.State.CANCELLED
    assert 0 < Score.objects.filter(run=run).count() == run.done < 4000


def test_the_time_limit_ends_a_run_with_advice(lab: Lab) -> None:
    lab.job(lab.entry("tiny-m"), size=6000, settings={"batch_size": 1}, max_seconds=1)
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert run.state == Run.State.FAILED
    assert "time limit of 1 s" in run.reason


def test_shutdown_gives_the_run_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.job(lab.entry("tiny-m"), size=4000, settings={"batch_size": 1})
    stored = record_scores

    def record_then_stop(**arguments: object) -> None:
        stored(**arguments)  # type: ignore[arg-type]
        pipeline.stopping.set()

    monkeypatch.setattr(pipeline, "record_scores", record_then_stop)
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert (run.state, run.attempt) == (Run.State.QUEUED, 1)
    assert "was shut down" in run.reason
    assert "attempt 2 of 4" in run.reason, "it was not the run's fault"
    assert run.done > 0


def test_broken_weights_fail_with_the_reason(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    settings.MODEL_ROOTS = [tmp_path]
    folder = Path(shutil.copytree(CHECKPOINTS / "tiny-xs", tmp_path / "tiny-xs"))
    entry = factories.entry(lab.owner, lab.team, "broken", folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    lab.job(entry)
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert run.state == Run.State.FAILED
    assert run.attempt == 1, "a file that is broken stays broken: no second attempt"
    assert "model.safetensors" in run.reason or "weights" in run.reason


@pytest.mark.parametrize("field", ["location", "tokenizer"])
def test_a_folder_that_became_a_way_out_is_not_read(lab: Lab, settings: Settings, tmp_path: Path, field: str) -> None:
    """Registered below an allowed root, and a link to other weights when the worker comes to it."""
    settings.MODEL_ROOTS, settings.ALLOWED_NETWORKS = [tmp_path / "models"], ["127.0.0.1"]
    outside = Path(shutil.copytree(CHECKPOINTS / "tiny-xs", tmp_path / "outside"))
    folder = Path(shutil.copytree(outside, tmp_path / "models" / "mine"))
    sources = {
        "location": SourceRequest("directory", str(folder)),
        "tokenizer": SourceRequest("endpoint", "http://127.0.0.1:9/v1", endpoint_model="m", tokenizer=str(folder)),
    }
    entry = register_entry(actor=lab.owner, team=lab.team, name="mine", source=sources[field])
    lab.job(entry, size=4)
    shutil.rmtree(folder)
    folder.symlink_to(outside)
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert (run.state, run.attempt, run.done) == (Run.State.FAILED, 1, 0)
    assert "outside the allowed roots" in run.reason


def test_an_internal_error_is_tried_again_a_bounded_number_of_times(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.job(lab.entry())

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(pipeline, "spec_of", broken)
    attempts = 0
    while pipeline.evaluate_next():
        attempts += 1
    run = Run.objects.get()
    assert (attempts, run.state) == (3, Run.State.FAILED)
    assert "Internal error" in run.reason
    assert "a bug of ours" not in run.reason


def test_one_bad_run_does_not_stop_the_queue(lab: Lab, settings: Settings, tmp_path: Path) -> None:
    settings.MODEL_ROOTS = [tmp_path, CHECKPOINTS]
    folder = Path(shutil.copytree(CHECKPOINTS / "tiny-xs", tmp_path / "gone"))
    gone = factories.entry(lab.owner, lab.team, "gone", folder)
    shutil.rmtree(folder)
    bad, good = lab.job(gone, size=4), lab.job(lab.entry(), size=5)
    while pipeline.evaluate_next():
        pass
    assert [bad.runs.get().state, good.runs.get().state] == [Run.State.FAILED, Run.State.DONE]


def test_graded_subjects_reach_the_sample_rows(lab: Lab) -> None:
    definition = {**factories.CHOICE, "subject": "topic"}
    line = {"question": "1+1", "choices": ["2", "3"], "gold": 0, "topic": "sums"}
    version = create_benchmark(
        actor=lab.owner, team=lab.team, name="topics", definition=definition, lines=[json.dumps(line).encode()] * 3
    )
    suite = create_suite(actor=lab.owner, team=lab.team, name="topics", versions=[version])
    factories.job(lab.owner, lab.team, suite, [lab.entry()])
    pipeline.evaluate_next()
    assert Run.objects.get().done == 3
    assert set(version.questions.values_list("subject", flat=True)) == {"sums"}


def test_a_task_of_the_harness_brings_its_questions(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web knows only its name; the first worker that reads it stores what was asked."""
    monkeypatch.setattr(pipeline.engine().named_tasks, "_manager", tasks_on_disk(tmp_path, 6))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    version = create_benchmark(actor=lab.owner, team=lab.team, name="sums", harness_task="sums_on_disk")
    suite = create_suite(actor=lab.owner, team=lab.team, name="sums", versions=[version])
    factories.job(lab.owner, lab.team, suite, [lab.entry()])
    pipeline.evaluate_next()
    run = Run.objects.get()
    assert (run.state, run.done) == (Run.State.DONE, 6), run.reason
    version.refresh_from_db()
    assert version.samples == 6
    question = version.questions.get(index=3)
    assert (question.prompt, question.choices, question.target) == ("Q: 3+3\nA:", ["6", "x"], "6")
