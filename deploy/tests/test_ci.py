"""What CI installs before it tests, tried with an apt-get that only notes what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.environment import ROOT

ALL = ("chromium", "rabbitmq-server", "pgbouncer")
# Its line: the names, and whether servers would be started now. Those named in $NOT_THERE cannot be had.
APT_GET = """#!/usr/bin/env bash
[ "$1" = install ] || exit 0
names=()
for word in "${@:2}"; do [[ $word == -* ]] || names+=("$word"); done
[ -x "$SBIN/policy-rc.d" ] && policy=denied || policy=allowed
echo "$policy ${names[*]}" >>"$ASKED"
for name in "${names[@]}"; do
    [[ " $NOT_THERE " == *" $name "* ]] && echo "E: Unable to locate package $name" >&2 && exit 100
done
exit 0
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """It has bash and what the script calls, and none of the programs."""
    for folder in ("bin", "sbin"):
        (tmp_path / folder).mkdir()
    for name in ("bash", "env", "rm", "chmod"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin" / name).symlink_to(found)
    executable(tmp_path / "bin/apt-get", APT_GET)
    return tmp_path


def executable(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.write_text(text)
    path.chmod(0o755)


def install(machine: Path, *, not_there: str = "") -> tuple[int, list[str], list[str]]:
    """Its exit status, the lines it says, and what apt-get was asked for."""
    asked = machine / "asked"
    environment = {"PATH": str(machine / "bin"), "SBIN": str(machine / "sbin"), "ASKED": str(asked)}
    done = subprocess.run(
        [str(ROOT / ".ci/programs")],
        env=environment | {"NOT_THERE": not_there},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.returncode, done.stdout.splitlines(), asked.read_text().splitlines() if asked.exists() else []


def test_all_that_is_missing_comes_in_one_call_and_no_server_is_started(machine: Path) -> None:
    code, _, asked = install(machine)
    assert (code, asked) == (0, [f"denied {' '.join(ALL)}"])
    assert list((machine / "sbin").iterdir()) == [], "servers may be started again"


def test_what_is_there_is_not_asked_for(machine: Path) -> None:
    executable(machine / "bin/google-chrome")
    executable(machine / "sbin/pgbouncer")
    assert install(machine)[2] == ["denied rabbitmq-server"]
    executable(machine / "sbin/rabbitmq-server")
    (machine / "asked").unlink()
    assert install(machine) == (0, [], [])


def test_servers_that_cannot_be_had_are_told_in_one_line(machine: Path) -> None:
    code, said, asked = install(machine, not_there="pgbouncer")
    assert (code, said[1:]) == (0, ["pgbouncer cannot be had: the tests that need it are skipped"])
    assert asked[1:] == ["denied chromium", "denied rabbitmq-server", "denied pgbouncer"]
    assert not list((machine / "sbin").iterdir())
    _, said, _ = install(machine, not_there="rabbitmq-server pgbouncer")
    assert said[1:] == ["rabbitmq-server pgbouncer cannot be had: the tests that need it are skipped"]


def test_a_browser_that_cannot_be_had_is_an_error(machine: Path) -> None:
    assert install(machine, not_there="chromium")[0] != 0
    assert not list((machine / "sbin").iterdir())


def test_a_machines_own_policy_stays(machine: Path) -> None:
    executable(machine / "sbin/policy-rc.d", "#!/bin/sh\nexit 0\n")
    assert install(machine)[0] == 0
    assert (machine / "sbin/policy-rc.d").read_text().endswith("exit 0\n")


def test_ci_installs_them_first() -> None:
    words = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert words.index(".ci/programs") < words.index("make check")
    assert os.access(ROOT / ".ci/programs", os.X_OK)
