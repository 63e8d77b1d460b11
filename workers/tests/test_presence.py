"""What a worker tells of itself."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.utils import timezone

from webapp import logs
from webapp.jobs import leases
from webapp.jobs.models import Worker
from webapp.tests import factories
from workers import pipeline, presence, usage
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


def test_a_worker_that_gets_idle_while_it_is_looked_at_does_not_hang(monkeypatch: pytest.MonkeyPatch):
    worker = Presence("w")
    worker.busy()
    monkeypatch.setattr(presence, "time", SimpleNamespace(monotonic=lambda: worker.idle() or time.monotonic()))
    assert not worker.hangs


def test_a_device_that_cannot_be_asked_silences_nobody(pulse: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(_: str) -> tuple[int, int]:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(usage, "memory", broken)
    silent = timezone.now() - timedelta(days=1)
    Worker.objects.filter(name=factories.worker("w")).update(mode="paused", seen_at=silent)
    worker = Presence("w", "cuda")
    worker._beat()
    assert pulse.exists()
    assert (worker.mode, leases.alive_workers().get().name) == ("paused", "w")


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


def test_the_shortest_silence_leaves_room_for_a_database_that_is_away() -> None:
    """The sign of life comes every 5 s, and only after the worker has waited for a connection."""
    waits = settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"]
    assert presence.SECONDS + waits < 25 <= settings.FROZEN_SECONDS
