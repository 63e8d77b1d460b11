"""Half a minute of `bench.chaos`: servers and processes of its own, killed at random."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.slow]
LESS = ("--runs", "20", "--samples", "24", "--workers", "2", "--limit", "240")


def chaos(*arguments: str) -> dict[str, object]:
    """What it found; fails with what it said unless every run was done exactly once, as in a quiet round."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEST_", "DATABASE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "bench.chaos", *LESS, *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return found


def test_killed_at_random_everything_is_done_exactly_once() -> None:
    found = chaos("--seconds", "25")
    assert found["holds"] is True
    assert found["states"] == {"done": 20}


def test_runs_outlast_restarts_of_the_database() -> None:
    """Workers wait while PostgreSQL is away, and go on: no run is lost, none fails inside."""
    found = chaos("--seconds", "8", "--kill", "postgres")
    assert found["kills"]["postgres"] >= 1  # type: ignore[index]
    assert found["internal_errors"] == 0
