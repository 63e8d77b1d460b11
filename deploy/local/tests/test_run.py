"""`python -m deploy.local` as a person uses it: started, looked at, disturbed, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.environment import ROOT
from deploy.local.folders import is_locked
from deploy.local.throwaway import STARTED

OURS = ("DATABASE_URL", "BROKER_URL", "CHANNEL_LAYER_URL", "CROSSTABLE_DATA", "ALLOWED_HOSTS", "SECRET_KEY", STARTED)


def start(data: Path, port: int) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    command = [sys.executable, "-m", "deploy.local", "--no-demo", "--data", str(data), "--port", str(port)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def refused(data: Path, port: int) -> str:
    """What a start prints that must end with code 1."""
    process = start(data, port)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 1, printed
    return printed


class Running:
    """The platform in its own process, and what it has printed so far."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.printed: list[str] = []
        self.process = start(data, port)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        if self.process.stdout:
            with self.process.stdout as output:
                self.printed.extend(output)

    def says(self, pattern: str, seconds: float = 60) -> bool:
        end = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in list(self.printed)):
            if time.monotonic() > end or self.process.poll() is not None:
                return False
            time.sleep(0.05)
        return True

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def web(self) -> int:
        """The process id of the web server: the child with our port on its command line."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children}
        return next(pid for pid, line in lines.items() if b"uvicorn" in line)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    platform = Running(tmp_path / "var", free_port())
    yield platform
    platform.process.kill()
    platform.process.wait()


@pytest.mark.process
@pytest.mark.slow
def test_the_platform_starts_heals_and_stops(running: Running) -> None:
    assert running.says(rf"ready: http://127\.0\.0\.1:{running.port}/"), "".join(running.printed)
    assert running.healthy()

    os.kill(running.web(), signal.SIGKILL)
    assert running.says(r"web ended with code -9: started again")
    end = time.monotonic() + 30
    while not running.healthy() and time.monotonic() < end:
        time.sleep(0.1)
    assert running.healthy()

    assert f"port {running.port} is in use on 127.0.0.1; choose another" in refused(running.data, running.port)
    assert f"is in use by process {running.process.pid}. Stop it first" in refused(running.data, free_port())

    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(60) == 0
    assert not running.healthy()
    assert not is_locked(running.data / "postgres")
    assert not is_locked(running.data / "valkey")
