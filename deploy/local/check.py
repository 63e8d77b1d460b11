"""`python -m deploy.local check`: every static check, with throw-away servers for those that load Django."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.local import throwaway
from deploy.local.environment import ROOT

BIN = Path(sys.executable).parent
CHECKS: tuple[tuple[str, ...], ...] = (
    (str(BIN / "ruff"), "check", "."),
    (str(BIN / "ruff"), "format", "--check", "."),
    (str(BIN / "lint-imports"),),
    (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"),
    (sys.executable, "manage.py", "check", "--fail-level", "WARNING"),
    (sys.executable, "-m", "deploy.lint"),
    (sys.executable, "-m", "mypy", "."),
)


def main(_arguments: Sequence[str] | None = None) -> int:
    """Run all of them, also after one has failed; 1 when any did."""
    throwaway.start()
    failed = [command for command in CHECKS if not _passes(command)]
    for command in failed:
        print(f"FAILED: {_title(command)}", flush=True)
    return 1 if failed else 0


def _passes(command: tuple[str, ...]) -> bool:
    began = time.monotonic()
    print(f"--- {_title(command)}", flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(f"    {'ok' if code == 0 else 'FAILED'} in {time.monotonic() - began:.1f} s", flush=True)
    return code == 0


def _title(command: tuple[str, ...]) -> str:
    return " ".join([Path(command[0]).name, *command[1:]])
