"""The whole report, once with nothing running and once with addresses that nobody answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import doctor
from deploy.local.environment import ROOT
from deploy.local.settings import Servers, needed_servers

SETTINGS = ("DATABASE_URL", "BROKER_URL", "CHANNEL_LAYER_URL")


def report(data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    command = [sys.executable, "-m", "deploy.local", "doctor", "--data", str(data)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_unreachable_servers_fail_with_a_remedy_each(tmp_path: Path) -> None:
    done = report(
        tmp_path,
        DATABASE_URL=f"postgresql://postgres@/x?host={tmp_path}",
        BROKER_URL=f"redis+socket://{tmp_path}/none?virtual_host=0",
        CHANNEL_LAYER_URL=f"unix://{tmp_path}/none",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    for line in ("the database does not answer", "the broker does not answer", "the channel layer does not answer"):
        assert f"FAIL  {line}" in done.stdout
    for remedy in ("check DATABASE_URL", "check BROKER_URL", "check CHANNEL_LAYER_URL"):
        assert f"-> {remedy}" in done.stdout
    assert "3 of " in done.stdout
    assert list(tmp_path.iterdir()) == []  # looking changes nothing


def test_running_servers_are_asked(tmp_path: Path) -> None:
    """The test run's own servers, by the addresses in the environment; its database has no tables."""
    machine = doctor.Machine(tmp_path, needed_servers(tmp_path))
    found = [(finding.level, finding.text) for finding in (*doctor.database(machine), *doctor.broker(machine))]
    assert found[0][0] == "ok"
    assert "answers" in found[0][1]
    assert found[1][0] == "warn"
    assert found[1][1].startswith("migrations")
    assert ("ok", "the channel layer answers") in found


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in {"Django", "torch"} else "1.0")
    found = {finding.text: finding for finding in doctor.packages(doctor.Machine(tmp_path, Servers(None, None)))}
    assert found["packages of `base` missing: Django"].level == "fail"
    assert found["packages of `worker` missing: torch"].level == "warn"
    assert found["packages of `base` missing: Django"].remedy == "`make run`"
    assert any("pytest 1.0 instead of 9." in text for text in found)


def test_a_check_that_breaks_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_machine: doctor.Machine) -> Iterator[doctor.Finding]:
        yield doctor.Finding("ok", "so far")
        raise OSError("disk on fire")

    findings = list(doctor._guarded(broken, doctor.Machine(tmp_path, Servers(None, None))))
    assert [finding.level for finding in findings] == ["ok", "fail"]
    assert "the check `broken` broke: OSError('disk on fire')" in capsys.readouterr().out
