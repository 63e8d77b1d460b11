"""One process per device, restarted when it dies and killed when it freezes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from workers.devices import ORDER

# The environment variable that names the file a worker touches every few seconds (presence.py).
PULSE = "CROSSTABLE_PULSE"
log = logging.getLogger("crosstable.supervisor")
START_SECONDS = 180.0  # the first pulse comes after torch is imported, which a cold disk makes slow
GRACE_SECONDS = 20.0
DRAINED = 71  # exit status of a worker that was drained: it is not started again


@dataclass
class Process:
    """A worker process on one device."""

    device: str
    number: int
    pulse: Path
    child: subprocess.Popen[bytes] | None = None
    drained: bool = False
    started: float = 0.0
    deaths: list[float] = field(default_factory=list)

    def start(self) -> None:
        self.pulse.unlink(missing_ok=True)
        self.started = time.monotonic()
        environment = {**os.environ, **ORDER, PULSE: str(self.pulse), "CROSSTABLE_DEVICE": self.device}
        self.child = subprocess.Popen(self.command(), env=environment, start_new_session=True)

    def command(self) -> list[str]:
        name = f"evaluation-{self.number}@%h"
        options = ["-P", "solo", "-c", "1", "-Q", "evaluation", "-n", name, "-l", "WARNING"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [sys.executable, "-m", "celery", "--quiet", "-A", "webapp.celery", "worker", *options, *quiet]

    def frozen(self) -> bool:
        """Alive for the kernel, but without a pulse."""
        try:
            silent = time.time() - self.pulse.stat().st_mtime
        except FileNotFoundError:
            return time.monotonic() - self.started > START_SECONDS
        return silent > settings.FROZEN_SECONDS

    def kill(self) -> None:
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    def stop(self) -> None:
        if self.child is None or self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning(
                "%s did not stop in %.0f s: killed; its run is requeued by the sweep", self.device, GRACE_SECONDS
            )
            self.kill()

    def wait_before_restart(self) -> float:
        """Seconds: nothing the first time, longer for a process that keeps dying, at most a minute."""
        now = time.monotonic()
        self.deaths = [at for at in self.deaths if now - at < 300] + [now]
        return float(min(60, 2 ** (len(self.deaths) - 1) - 1))


def supervise(devices: list[str], over: threading.Event) -> None:
    """Keep one worker per device until `over` is set or all were drained. Each is stopped with time to give its run
    back."""
    with tempfile.TemporaryDirectory(prefix="crosstable-workers-") as folder:
        processes = [Process(device, i, Path(folder) / f"pulse-{i}") for i, device in enumerate(devices)]
        due = dict.fromkeys(range(len(processes)), 0.0)
        while not over.is_set() and not all(process.drained for process in processes):
            for number, process in enumerate(processes):
                _look_after(process, number, due)
            over.wait(0.5)
        for process in processes:
            process.stop()


def _look_after(process: Process, number: int, due: dict[int, float]) -> None:
    if process.drained:
        return
    if process.child is None:
        if time.monotonic() >= due[number]:
            process.start()
        return
    if process.child.poll() is None and process.frozen():
        log.error("the worker on %s has no pulse: killed", process.device)
        process.kill()
    if process.child.poll() == DRAINED:
        log.info("the worker on %s is drained", process.device)
        process.drained = True
    elif process.child.poll() is not None:
        pause = process.wait_before_restart()
        log.warning(
            "the worker on %s ended with %s; starting again in %.0f s", process.device, process.child.returncode, pause
        )
        process.child, due[number] = None, time.monotonic() + pause
