"""What a run took beside time: memory of the process and of the device, and energy, each only where it is measured."""

from __future__ import annotations

import importlib
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evaluation.schemes.measuring import bytes_held

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
        return None if self.gpu is None else joules_used(str(self.gpu))


class Memory:
    """Peaks of a loaded module at work, from the making on: its weights, and what computing took beside them.

    Other models that are loaded do not count. What the process keeps for reuse does not show on the host, whose peak
    is therefore a lower bound.
    """

    def __init__(self, module: nn.Module, device: str) -> None:
        self.weights = bytes_held(module)
        self.gpu = torch.device(device) if device.startswith("cuda") else None
        self.host_before = _peak() if _reset_peak() else None
        if self.gpu is not None:
            torch.cuda.reset_peak_memory_stats(self.gpu)
            self.device_before = torch.cuda.memory_allocated(self.gpu)

    def device_peak(self) -> int | None:
        """Bytes on the GPU; None where there is none."""
        if self.gpu is None:
            return None
        return self.weights + int(torch.cuda.max_memory_allocated(self.gpu)) - int(self.device_before)

    def host_peak(self) -> int | None:
        """Bytes of the process above what it held before, with the weights where they are on the host."""
        after = _peak()
        if self.host_before is None or after is None:
            return None
        return after - self.host_before + (self.weights if self.gpu is None else 0)


def joules_used(device: str) -> float | None:
    """The GPU's own counter since its driver was loaded (Volta and newer); None where NVML is not there."""
    if not device.startswith("cuda"):
        return None
    with suppress(Exception):  # NVML's errors are its own; without it nothing is known, and nothing else fails
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"  # indices differ under CUDA_VISIBLE_DEVICES
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
