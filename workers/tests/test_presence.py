"""What a worker tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp import logs
from webapp.jobs import leases
from webapp.jobs.models import Worker
from workers import pipeline, presence
from workers.presence import Presence
from workers.supervisor import PULSE

pytestmark = pytest.mark.django_db


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PULSE, str(tmp_path / "pulse"))
    return tmp_path / "pulse"


def test_a_worker_without_work_has_a_pulse(pulse: Path):
    Presence("w")._beat()
    assert pulse.exists()


def test_a_worker_that_gets_on_has_a_pulse(pulse: Path):
    worker = Presence("w")
    worker.busy()
    worker._beat()
    assert pulse.exists()


def test_a_worker_that_hangs_falls_silent(pulse: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(presence, "SILENT_SECONDS", -1.0)
    worker = Presence("w")
    worker.busy()
    worker._beat()
    assert not pulse.exists()
    worker.idle()
    worker._beat()
    assert pulse.exists()


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Presence:
    """A worker that has told who it is; its thread does not run, so that the test says when it beats."""
    monkeypatch.setattr(Presence, "start", lambda _: None)
    monkeypatch.setattr(pipeline, "_me", None)
    monkeypatch.setattr(logs, "_process", {})
    pipeline.begin("w@here")
    return pipeline._me.presence


@pytest.mark.engine
def test_a_worker_whose_row_was_thrown_away_tells_again_who_it_is(begun: Presence):
    before = Worker.objects.get(name="w@here")
    Worker.objects.all().delete()
    assert leases.worker_alive("w@here") is None

    begun._beat()

    again = Worker.objects.get(name="w@here")
    assert (again.host, again.device, again.schemes) == (before.host, before.device, before.schemes)
    assert (again.environment, again.resources) == (before.environment, before.resources)
    assert (begun.mode, again.mode, again.stopped_at) == ("working", "working", None)


@pytest.mark.engine
def test_a_worker_that_is_known_does_not_begin_anew(begun: Presence):
    before = Worker.objects.get(name="w@here").started_at
    begun._beat()
    assert Worker.objects.get(name="w@here").started_at == before
