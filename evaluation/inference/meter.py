"""What a run took beside time: memory of the process and of the device, and energy, each only where it is measured."""

from __future__ import annotations

import importlib
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
RESET_PEAK = "5"  # see proc(5)


class Meter:
    """From its making to `read`; energy from `start`. device: as torch names it; None for an endpoint, whose device is
    not ours to measure.

    Memory of the process and energy of the GPU include what else they did meanwhile.
    """

    def __init__(self, device: str | None) -> None:
        self.gpu = torch.device(device) if device and device.startswith("cuda") and torch.cuda.is_available() else None
        self.has_peak = _reset_peak()
        if self.gpu is not None:
            torch.cuda.reset_peak_memory_stats(self.gpu)
        self.joules: float | None = None
        self.began = time.perf_counter()

    def start(self) -> None:
        """The model is loaded, and answers from now on."""
        self.joules = self._joules()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self.began

    def read(self) -> dict[str, Any]:
        """Bytes, joules and seconds by name; None for what could not be measured here."""
        end = self._joules()
        return {
            "seconds": self.seconds,
            "host_peak_bytes": _peak() if self.has_peak else None,
            "device_peak_bytes": None if self.gpu is None else torch.cuda.max_memory_allocated(self.gpu),
            "energy_joules": None if end is None or self.joules is None else end - self.joules,
        }

    def _joules(self) -> float | None:
        """The GPU's own counter since its driver was loaded (Volta and newer)."""
        if self.gpu is None:
            return None
        with suppress(Exception):  # NVML's errors are its own; without it nothing is known, and nothing else fails
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            uuid = f"GPU-{torch.cuda.get_device_properties(self.gpu).uuid}"  # indices differ under CUDA_VISIBLE_DEVICES
            return float(nvml.nvmlDeviceGetTotalEnergyConsumption(nvml.nvmlDeviceGetHandleByUUID(uuid))) / 1000
        return None


def _reset_peak() -> bool:
    """Let the kernel count the peak from now on (Linux); elsewhere only the peak of the whole process is known."""
    with suppress(OSError):
        CLEAR.write_text(RESET_PEAK)
        return True
    return False


def _peak() -> int | None:
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else None
    return None
