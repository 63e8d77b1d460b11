"""Tiny real processes; the supervisor itself runs in one of its own where it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.console import Console
from deploy.local.environment import ROOT
from deploy.local.processes import alive
from deploy.local.supervisor import GaveUpError, Program, StopRequested, Supervisor


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    supervisor = Supervisor(Console(), deaths=4, window=60)
    yield supervisor
    supervisor.stop()


def shell(name: str, script: str, folder: Path, *, grace: float = 2, essential: bool = True) -> Program:
    return Program(name, ("/bin/sh", "-c", script), dict(os.environ), folder, grace, essential)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_a_dead_child_is_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.keep(shell("once", "echo $$ >> pids; sleep 60", tmp_path))
    assert wait_until(lambda: len(lines(tmp_path / "pids")) == 1)
    os.kill(int(lines(tmp_path / "pids")[0]), signal.SIGKILL)
    assert supervisor.wait_for(lambda: len(lines(tmp_path / "pids")) == 2, seconds=10)
    assert alive(int(lines(tmp_path / "pids")[1]))


def test_four_deaths_within_the_window_are_the_end(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.keep(shell("web", "echo $$ >> pids; exit 3", tmp_path))
    with pytest.raises(GaveUpError, match="web ended 4 times within 60 s"):
        supervisor.wait_for(lambda: False, seconds=10)
    assert len(lines(tmp_path / "pids")) == 4


def test_deaths_far_apart_are_forgiven(tmp_path: Path) -> None:
    patient = Supervisor(Console(), deaths=2, window=0.3)
    patient.keep(shell("web", "echo $$ >> pids; sleep 0.5", tmp_path))
    assert patient.wait_for(lambda: len(lines(tmp_path / "pids")) == 4, seconds=10)
    patient.stop()


def test_what_is_not_essential_may_go(
    supervisor: Supervisor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor.keep(shell("web", "sleep 60", tmp_path))
    supervisor.keep(shell("extra", "echo $$ >> pids; exit 1", tmp_path, essential=False))
    assert supervisor.wait_for(lambda: len(lines(tmp_path / "pids")) == 4, seconds=10)
    assert not supervisor.wait_for(lambda: len(lines(tmp_path / "pids")) > 4, seconds=0.5)
    assert "The rest goes on without it" in capsys.readouterr().out


def test_a_failed_step_stops_the_start(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(GaveUpError, match="setup failed with code 7"):
        supervisor.run_to_end(shell("setup", "exit 7", tmp_path))


def test_what_follows_a_program_behind_is_told_its_code(supervisor: Supervisor, tmp_path: Path) -> None:
    codes: list[int] = []
    supervisor.run_behind(shell("install", "exit 5", tmp_path), codes.append)
    assert supervisor.wait_for(lambda: codes == [5], seconds=10)


def test_children_stop_in_reverse_and_the_stubborn_are_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = Supervisor(Console())
    supervisor.keep(
        shell("first", "trap 'echo first >> end; exit' TERM; echo 1 >> up; while :; do sleep 0.05; done", tmp_path)
    )
    supervisor.keep(
        shell("second", "trap 'echo second >> end; exit' TERM; echo 2 >> up; while :; do sleep 0.05; done", tmp_path)
    )
    supervisor.keep(shell("stubborn", "trap '' TERM; echo 3 >> up; while :; do sleep 0.05; done", tmp_path, grace=0.3))
    assert wait_until(lambda: len(lines(tmp_path / "up")) == 3)
    supervisor.stop()
    assert lines(tmp_path / "end") == ["second", "first"]
    assert "stubborn did not stop within 0 s: killed" in capsys.readouterr().out


def test_grandchildren_go_with_their_parent(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.keep(shell("parent", "sleep 600 & echo $! > grandchild; wait", tmp_path))
    assert wait_until(lambda: bool(lines(tmp_path / "grandchild")))
    grandchild = int(lines(tmp_path / "grandchild")[0])
    assert alive(grandchild)
    supervisor.stop()
    assert wait_until(lambda: not alive(grandchild))


class _Server:
    """A server's process that a test may end at will."""

    name = "PostgreSQL"
    log = Path("postgres.log")

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = subprocess.Popen(["sleep", "600"])

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


def test_a_lost_database_is_the_end(supervisor: Supervisor, tmp_path: Path) -> None:
    server = _Server()
    supervisor.add_server(server)
    supervisor.keep(shell("web", "sleep 60", tmp_path))
    supervisor.check()
    server.stop()
    with pytest.raises(GaveUpError, match=r"PostgreSQL ended by itself; .* postgres\.log"):
        supervisor.check()


KEEPER = """
import os, sys
from pathlib import Path
from deploy.local.console import Console
from deploy.local.supervisor import Program, StopRequested, Supervisor
supervisor = Supervisor(Console())
supervisor.handle_signals()
script = sys.argv[2]
supervisor.keep(Program("web", ("/bin/sh", "-c", script), dict(os.environ), Path(sys.argv[1]), 30.0))
try:
    supervisor.watch()
finally:
    supervisor.stop()
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[bytes], int]]]:
    """Starts a supervisor in its own process; answers with it and its child's process id."""
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> tuple[subprocess.Popen[bytes], int]:
        command = [sys.executable, "-c", KEEPER, str(tmp_path), f"echo $$ >> pids; {script}"]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        assert wait_until(lambda: bool(lines(tmp_path / "pids")))
        return started[-1], int(lines(tmp_path / "pids")[0])

    yield start
    for process in started:
        process.kill()
        process.wait()


Keeper = Callable[[str], tuple[subprocess.Popen[bytes], int]]


def test_kill_9_of_the_supervisor_takes_the_children_along(keeper: Keeper) -> None:
    process, child = keeper("exec sleep 600")
    process.kill()
    assert wait_until(lambda: not alive(child))


def test_ctrl_c_stops_in_order_with_code_0(keeper: Keeper) -> None:
    process, child = keeper("exec sleep 600")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert not alive(child)


def test_a_second_ctrl_c_leaves_at_once(keeper: Keeper) -> None:
    process, child = keeper("trap '' TERM; while :; do sleep 0.05; done")
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # waits for the child, up to its 30 s
    process.send_signal(signal.SIGINT)
    assert process.wait(3) == 130
    assert wait_until(lambda: not alive(child))


def test_a_stop_interrupts_a_step(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.stop()
    with pytest.raises(StopRequested):
        supervisor.run_to_end(shell("setup", "sleep 60", tmp_path))
