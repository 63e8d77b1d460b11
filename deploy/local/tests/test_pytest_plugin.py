from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deploy.local.environment import ROOT
from deploy.local.throwaway import PREFIX, STARTED

INNER = r"""
import os

def test_settings() -> None:
    names = ("DATABASE_URL", "BROKER_URL", "CHANNEL_LAYER_URL", "CROSSTABLE_DATA", "DEBUG")
    for name in names:
        print(f"\nSEEN {name}={os.environ.get(name)}")
"""


def test_a_run_takes_named_servers_never_those_of_the_shell_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_inner.py").write_text(INNER)
    database = os.environ["DATABASE_URL"]
    environment = {name: value for name, value in os.environ.items() if name != STARTED}
    environment |= {"DATABASE_URL": "postgresql://production/", "DEBUG": "1", "TEST_DATABASE_URL": database}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-s",
        "-q",
        "-c",
        "pyproject.toml",
        "-p",
        "no:cacheprovider",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = dict(re.findall(r"^SEEN (\w+)=(.*)$", done.stdout, re.MULTILINE))
    assert seen["DATABASE_URL"] == database
    folder = Path(seen["CROSSTABLE_DATA"]).parent
    assert folder.name.startswith(PREFIX)
    assert folder.parent == Path(tempfile.gettempdir())
    assert seen["BROKER_URL"].startswith(f"redis+socket://{folder}/")
    assert seen["CHANNEL_LAYER_URL"].startswith(f"unix://{folder}/")
    assert seen["DEBUG"] == "None"
    assert not folder.exists()


def test_asking_for_the_markers_starts_no_server() -> None:
    environment = {name: value for name, value in os.environ.items() if name != STARTED}
    code = f"import os, pytest; pytest.main(['--markers']); print('started:', {STARTED!r} in os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert "@pytest.mark.oracle" in done.stdout, done.stderr
    assert done.stdout.endswith("started: False\n")


def test_a_throw_away_server_takes_its_database_along(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("reuse_db") is not bool(os.environ.get("TEST_DATABASE_URL"))
