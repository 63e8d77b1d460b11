"""Speed and memory by the fixed protocol: between two runs, on request or in idle moments, and never in their way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from pytest_django import Settings

from evaluation.protocol import LOCAL, Efficiency
from webapp.accounts.models import AuditEvent
from webapp.catalog.services import contender
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs import leases
from webapp.jobs.models import Worker
from webapp.results import measurements
from webapp.results.models import Measurement
from webapp.tests import factories
from workers import devices, measuring, pipeline, waiting
from workers.presence import Presence
from workers.tests.conftest import CHECKPOINTS, Lab

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
State = Measurement.State


@pytest.fixture(autouse=True)
def this_process_is_a_worker(settings: Settings) -> Iterator[None]:
    settings.MEASURE_WHEN_IDLE = True
    pipeline._me = pipeline.Me("here", "cpu", pipeline.offered_schemes("cpu"), Presence("here"))
    yield
    pipeline._me = None
    pipeline.stopping.clear()


def found(**named: Any) -> Efficiency:
    return Efficiency.from_dict(Measurement.objects.get(state=State.DONE, **named).result)


def test_what_has_been_evaluated_is_measured_once_when_nothing_waits(lab: Lab) -> None:
    entry = lab.entry()
    lab.job(entry, size=4)
    assert pipeline.evaluate_next()
    row = Measurement.objects.get()
    assert (row.device, row.protocol, row.asked_by) == (devices.describe("cpu"), LOCAL, None)
    one = found(contender__name="tiny-xs@fp32")
    assert all(0 < pace.least <= pace.median <= pace.most for pace in (one.reading, one.writing, one.together))
    assert one.weights_bytes < one.host_peak_bytes < 200_000_000  # of the model at work, not of the whole process
    assert (one.device_peak_bytes, one.joules) == (None, None)
    assert one.load_seconds > 0
    lab.job(entry, size=5)
    assert pipeline.evaluate_next()
    assert Measurement.objects.get().pk == row.pk


def test_a_run_that_waits_goes_first(lab: Lab) -> None:
    entry = lab.entry()
    lab.job(entry, size=4)
    second = lab.job(entry, size=5)
    assert pipeline.evaluate_next()
    assert not Measurement.objects.exists()
    assert pipeline.evaluate_next()
    second.refresh_from_db()
    assert second.state == "done"
    assert Measurement.objects.get().state == State.DONE


def test_what_breaks_in_an_idle_moment_is_not_tried_after_each_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any, **__: Any) -> Efficiency:
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr(measuring, "measure", breaks)
    entry = lab.entry()
    lab.job(entry, size=4)

    assert pipeline.evaluate_next()
    assert not pipeline._me.landed
    assert caplog.text.count("RuntimeError: the driver is gone") == 1
    assert not Measurement.objects.exists()


@pytest.mark.parametrize("mode", ["paused", "draining"])
def test_a_worker_that_is_to_take_nothing_measures_nothing(lab: Lab, mode: str) -> None:
    """Neither what people ask for, which another worker serves, nor what it has just evaluated: that keeps until it is
    resumed."""
    factories.worker("here")
    entry = lab.entry()
    lab.job(entry, size=4)
    run = leases.claim(worker="here", schemes=["fp32"])
    assert run is not None
    Worker.objects.filter(name="here").update(mode=mode)
    pipeline._see_through(run, leases.lease_of(run), pipeline._me)
    pipeline._measuring(pipeline._me).idle()
    assert list(pipeline._me.landed) == [run.contender_id]
    asked = measurements.request_measurement(actor=lab.owner, contender=contender(version=entry, scheme="int8"))
    assert not pipeline.evaluate_next()
    asked.refresh_from_db()
    assert (asked.state, Measurement.objects.count()) == (State.QUEUED, 1)
    Worker.objects.filter(name="here").update(mode="working")
    pipeline.evaluate_next()
    assert sorted(Measurement.objects.values_list("contender__scheme", "state")) == [("fp32", "done"), ("int8", "done")]


def test_whoever_may_submit_asks_and_is_answered(lab: Lab) -> None:
    wanted = contender(version=lab.entry(), scheme="int8")
    asked = measurements.request_measurement(actor=lab.owner, contender=wanted)
    assert measurements.request_measurement(actor=lab.owner, contender=wanted) == asked
    assert not pipeline.evaluate_next()  # there was no run
    asked.refresh_from_db()
    assert (asked.state, asked.attempts, asked.worker) == (State.DONE, 1, "here")
    one = found()
    assert one.kernel.startswith("torchao 0.18.0 on torch")
    assert not one.emulated
    assert AuditEvent.objects.filter(verb="asked to measure").count() == 1
    again = measurements.request_measurement(actor=lab.owner, contender=wanted)
    pipeline.evaluate_next()
    assert Measurement.objects.get().pk == again.pk  # the newer one takes the place of the older


def test_who_may_not_submit_may_not_ask(lab: Lab) -> None:
    wanted = contender(version=lab.entry(), scheme="fp32")
    with pytest.raises(NotAllowed):
        measurements.request_measurement(actor=factories.person("mallory"), contender=wanted)


def test_what_is_fitted_on_texts_is_measured_after_it_was_evaluated(lab: Lab) -> None:
    wanted = contender(version=lab.entry(), scheme="gptq_int3")
    with pytest.raises(Unprocessable, match="has not been evaluated yet"):
        measurements.request_measurement(actor=lab.owner, contender=wanted)


def test_a_worker_that_stops_gives_the_request_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements.request_measurement(actor=lab.owner, contender=contender(version=lab.entry(), scheme="fp32"))
    monkeypatch.setattr(
        "evaluation.inference.efficiency.Bench.paces", lambda bench: pipeline.stopping.set() or bench.stop()
    )
    pipeline.evaluate_next()
    left = Measurement.objects.get()
    assert (left.state, left.attempts) == (State.QUEUED, 0)
    assert "was shut down" in left.reason


@pytest.mark.parametrize("call", ["claim", "keep", "store", "give_back"])
@pytest.mark.django_db(transaction=True)
def test_a_restart_of_the_database_costs_a_request_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Its session has ended when the worker is about to tell the database something."""
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    measurements.request_measurement(actor=lab.owner, contender=contender(version=lab.entry(), scheme="fp32"))
    real, ends = getattr(measurements, call), iter([True])

    def told(**asked: Any) -> Any:
        if next(ends, False):
            with suppress(OperationalError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(**asked)

    monkeypatch.setattr(measurements, call, told)
    if call == "give_back":
        monkeypatch.setattr(
            "evaluation.inference.efficiency.Bench.paces", lambda bench: pipeline.stopping.set() or bench.stop()
        )
    pipeline.evaluate_next()
    left = Measurement.objects.get()
    assert (left.state, left.attempts) == ((State.QUEUED, 0) if call == "give_back" else (State.DONE, 1))
    assert next(ends, None) is None, "it was told"


def test_weights_that_are_not_the_registered_ones_are_not_measured(
    lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    settings.MODEL_ROOTS = [tmp_path]
    folder = Path(shutil.copytree(CHECKPOINTS / "tiny-xs", tmp_path / "changed"))
    entry = factories.entry(lab.owner, lab.team, "changed", folder)
    shutil.copy(CHECKPOINTS / "tiny-s/model.safetensors", folder / "model.safetensors")
    measurements.request_measurement(actor=lab.owner, contender=contender(version=entry, scheme="fp32"))
    pipeline.evaluate_next()
    failed = Measurement.objects.get()
    assert failed.state == State.FAILED
    assert "are not the registered ones" in failed.reason


def test_a_request_that_kills_its_workers_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements.request_measurement(actor=lab.owner, contender=contender(version=lab.entry(), scheme="fp32"))
    monkeypatch.setattr(measurements, "LEASE", measurements.LEASE * 0)
    claims = [measurements.claim(worker=f"w{at}", schemes=["fp32"]) for at in range(measurements.ATTEMPTS + 1)]
    assert [claim is not None for claim in claims] == [True, True, True, False]
    assert Measurement.objects.get().reason == "Given up: 3 workers did not come back from it."


def test_a_request_that_was_lost_is_left_to_its_new_worker(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements.request_measurement(actor=lab.owner, contender=contender(version=lab.entry(), scheme="fp32"))
    real, others = measuring.measure, []

    def slow(*args: Any, **more: Any) -> Efficiency:
        """Hears nothing for so long that another worker takes the request."""
        Measurement.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        others.append(measurements.claim(worker="another", schemes=["fp32"]))
        return real(*args, **more)

    monkeypatch.setattr(measuring, "measure", slow)
    pipeline.evaluate_next()
    left = Measurement.objects.get()
    assert (left.state, left.worker, left.attempts, left.result) == (State.RUNNING, "another", 2, None)


def test_signs_of_life_keep_a_request(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements.request_measurement(actor=lab.owner, contender=contender(version=lab.entry(), scheme="fp32"))
    kept: list[bool] = []
    monkeypatch.setattr(measuring, "KEEP_SECONDS", 0.0)
    keep = measurements.keep
    monkeypatch.setattr(measurements, "keep", lambda **asked: kept.append(keep(**asked)) or kept[-1])
    pipeline.evaluate_next()
    assert len(kept) > 3
    assert all(kept)
    assert Measurement.objects.get().state == State.DONE
