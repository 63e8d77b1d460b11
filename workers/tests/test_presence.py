"""What a worker tells of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers import presence
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
