"""Half a minute of `bench.chaos`: servers and processes of its own, killed at random."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.slow]
LESS = ("--runs", "20", "--samples", "60", "--workers", "2", "--limit", "150")


def chaos(*arguments: str) -> dict[str, Any]:
    """What it found; fails with what it said unless it struck runs that were under way, and every run was done exactly
    once, as in a quiet round."""
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
    found: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert found["left"] > 0, f"the round was over before the last strike: {found}"
    assert found["holds"] is True
    assert found["states"] == {"done": 20}
    return found


def test_killed_at_random_everything_is_done_exactly_once() -> None:
    found = chaos("--seconds", "20")
    assert found["kills"]["worker"] >= 1
    assert found["lost"] >= 1, "a worker is killed while it holds a run"
    assert max(map(int, found["attempts"])) > 1, "which another attempt takes up"


def test_runs_outlast_restarts_of_the_database() -> None:
    """Workers wait while PostgreSQL is away, and go on: no run is lost, none fails inside."""
    found = chaos("--seconds", "8", "--kill", "postgres", "--lease", "30")
    assert found["kills"]["postgres"] >= 1, "it strikes only while a worker holds a run"
    assert (found["attempts"], found["lost"], found["internal_errors"]) == ({"1": 20}, 0, 0)
