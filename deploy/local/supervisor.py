"""Keeps servers and child processes running, and stops all of them in reverse order. Knows nothing of Crosstable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from deploy.local.console import Console
from deploy.local.processes import die_with_parent, stop

DEATHS = 4
WINDOW_SECONDS = 60.0


class StopRequested(Exception):
    """Ctrl-C, SIGTERM or a closed terminal, while something was being waited for."""


class GaveUpError(Exception):
    """Something that everything else needs does not stay up; the message says what."""


class Server(Protocol):
    """An embedded server that was started: servers.EmbeddedPostgres, servers.EmbeddedValkey."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] | None

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Program:
    """A command to be kept running.

    `grace`: seconds between SIGTERM and SIGKILL. `essential`: when it does not stay up, everything is stopped.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    grace: float = 10.0
    essential: bool = True


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    then: Callable[[int], None] | None = None  # a program that runs once: what follows its end
    deaths: list[float] = field(default_factory=list)


class Supervisor:
    """Start everything from the main thread: the parent-death signal belongs to the thread that forks."""

    def __init__(self, console: Console, *, deaths: int = DEATHS, window: float = WINDOW_SECONDS) -> None:
        self._console = console
        self._deaths = deaths
        self._window = window
        self._servers: list[Server] = []
        self._children: list[_Child] = []
        self._readers: list[threading.Thread] = []
        self._stopping = threading.Event()

    def handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def add_server(self, server: Server) -> None:
        self._servers.append(server)

    def keep(self, program: Program) -> None:
        """Start `program`, and start it again whenever it ends."""
        self._children.append(_Child(program, self._start(program)))

    def run_behind(self, program: Program, then: Callable[[int], None]) -> None:
        """Start `program` once; when it ends, the watching loop calls `then(exit code)`."""
        self._children.append(_Child(program, self._start(program), then))

    def run_to_end(self, program: Program) -> None:
        """Run `program` now. Raises GaveUpError when it fails, StopRequested when interrupted."""
        process = self._start(program)
        try:
            self.wait_for(lambda: process.poll() is not None)
        finally:
            stop(process, signal.SIGTERM, grace=program.grace)
        self._await_last_lines()
        if process.returncode:
            raise GaveUpError(f"{program.name} failed with code {process.returncode}; see its lines above")

    def wait_for(self, ready: Callable[[], bool], *, seconds: float = float("inf")) -> bool:
        """Wait until `ready()`, watching all children meanwhile. False after `seconds`."""
        end = time.monotonic() + seconds
        while not ready():
            if self._stopping.is_set():
                raise StopRequested
            if time.monotonic() > end:
                return False
            self.check()
            self._stopping.wait(0.05)
        return True

    def watch(self) -> None:
        """Watch until somebody stops us (returns) or something essential is lost (GaveUpError)."""
        while not self._stopping.wait(0.2):
            self.check()

    def check(self) -> None:
        """One look at everything: a lost server is the end, a lost child is started again."""
        for server in self._servers:
            if server.process is None or server.process.poll() is not None:
                raise GaveUpError(f"{server.name} ended by itself; its last words are in {server.log}")
        for child in list(self._children):
            code = child.process.poll()
            if code is None:
                continue
            stop(child.process, signal.SIGKILL, grace=0)  # what it started itself must not live beside its successor
            if child.then is not None:
                self._children.remove(child)
                child.then(code)
            else:
                self._revive(child, code)

    def stop(self) -> None:
        """Stop the children, then the servers, the last started first."""
        self._stopping.set()
        for child in reversed(self._children):
            if not stop(child.process, signal.SIGTERM, grace=child.program.grace):
                self._console.step(f"{child.program.name} did not stop within {child.program.grace:.0f} s: killed")
        self._children.clear()
        self._await_last_lines()
        for server in reversed(self._servers):
            server.stop()
        self._servers.clear()

    def _start(self, program: Program) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            program.command,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only us: children are stopped in order
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one system call, no lock is taken
        )
        reader = threading.Thread(target=self._repeat_output, args=(program.name, process.stdout), daemon=True)
        reader.start()
        self._readers = [thread for thread in self._readers if thread.is_alive()] + [reader]
        return process

    def _repeat_output(self, name: str, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._console.say(name, line.decode(errors="replace").rstrip())

    def _await_last_lines(self) -> None:
        """What a process said before it ended is the reason that people look for."""
        for reader in self._readers:
            reader.join(timeout=1)

    def _revive(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        child.deaths = [death for death in child.deaths if now - death < self._window] + [now]
        name = child.program.name
        if len(child.deaths) < self._deaths:
            self._console.step(f"{name} ended with code {code}: started again")
            child.process = self._start(child.program)
            return
        message = f"{name} ended {len(child.deaths)} times within {self._window:.0f} s; see its lines above"
        if child.program.essential:
            raise GaveUpError(message)
        self._children.remove(child)
        self._console.step(f"{message}. The rest goes on without it; `make doctor` may know why.")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():
            self._leave_at_once()
        self._stopping.set()
        self._console.step(f"{signal.Signals(number).name}: stopping (once more leaves at once)")

    def _leave_at_once(self) -> None:
        """The servers are told by the kernel (parent-death signal) and shut down cleanly without us."""
        for child in self._children:
            if child.process.poll() is None:
                os.killpg(child.process.pid, signal.SIGKILL)
        sys.stdout.flush()
        os._exit(130)
