"""Which devices this host offers, without importing torch: a parent that forks must never touch it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def devices(wanted: str = "auto") -> list[str]:
    """Device names, one worker process each: what `wanted` lists ("cuda:0,cuda:1"), else all GPUs, else the CPU."""
    if wanted != "auto":
        return [name.strip() for name in wanted.split(",") if name.strip()]
    gpus = _gpu_names()
    return [f"cuda:{index}" for index in range(len(gpus))] or ["cpu"]


def describe(device: str) -> str:
    """What people read: the processor's or the card's name."""
    if device.startswith("cuda"):
        names = _gpu_names()
        index = int(device.partition(":")[2] or 0)
        return names[index] if index < len(names) else device
    return f"{_cpu_name()} ({os.cpu_count()} cores)"


def gpu_memory(device: str) -> int | None:
    """Bytes of a GPU's memory; None for a device that is none, or where the driver does not say."""
    if not device.startswith("cuda"):
        return None
    sizes = _ask_driver("memory.total", "--format=csv,noheader,nounits")
    index = int(device.partition(":")[2] or 0)
    return int(sizes[index]) * 2**20 if index < len(sizes) and sizes[index].isdigit() else None


def _gpu_names() -> list[str]:
    return _ask_driver("name", "--format=csv,noheader")


def _ask_driver(what: str, how: str) -> list[str]:
    """One line per GPU; none where there is no driver."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", f"--query-gpu={what}", how], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
