"""What a worker says of itself while it lives: memory of its device and of its process, and how fast it scores."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from pathlib import Path

from webapp.jobs.leases import Usage
from workers import devices

HOUR = 3600.0
SLOT = 10.0  # seconds that share a counter


class Throughput:
    """Samples scored in the last hour. Two threads use it: one counts, the other reads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._slots: deque[list[float]] = deque()  # [start, samples]
        self._lock = threading.Lock()

    def count(self, samples: int, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        with self._lock:
            if not self._slots or now - self._slots[-1][0] > SLOT:
                self._slots.append([now, 0])
            self._slots[-1][1] += samples

    def read(self, now: float | None = None) -> tuple[int, float]:
        """Samples, and the seconds in which they were scored: an hour, or less for a worker that is younger."""
        now = time.monotonic() if now is None else now
        with self._lock:
            while self._slots and now - self._slots[0][0] > HOUR:
                self._slots.popleft()
            return int(sum(samples for _, samples in self._slots)), min(HOUR, now - self._began)


def usage(device: str, throughput: Throughput) -> Usage:
    total, free = memory(device)
    samples, seconds = throughput.read()
    return Usage(total=total, free=free, rss=_rss(), samples=samples, seconds=seconds)


def memory(device: str) -> tuple[int | None, int | None]:
    """(total, free) bytes of the device; None where it does not say. A GPU is asked through torch once that is there,
    for a process that is to be forked must not load it."""
    if device.startswith("cuda"):
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_available():
            return devices.gpu_memory(device), None
        free, total = torch.cuda.mem_get_info(torch.device(device))
        return int(total), int(free)
    return _meminfo("MemTotal"), _meminfo("MemAvailable")


def _meminfo(name: str) -> int | None:
    return _kilobytes(Path("/proc/meminfo"), name)


def _rss() -> int | None:
    return _kilobytes(Path("/proc/self/status"), "VmRSS")


def _kilobytes(path: Path, name: str) -> int | None:
    """A line such as `MemTotal:  16384 kB` in bytes; None where the system has no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith(f"{name}:")), None)
    return None if found is None else int(found) * 1024
