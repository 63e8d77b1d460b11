"""Which devices this host offers, without importing torch: a parent that forks must never touch it."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# CUDA counts the fastest card first unless it is told to count as the driver's tool does.
ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
FACTS = "index,uuid,name,memory.total"


@dataclass(frozen=True)
class Card:
    """A GPU as the driver lists it; memory in bytes, None where it does not say."""

    index: str
    uuid: str
    name: str
    memory: int | None


def devices(wanted: str = "auto") -> list[str]:
    """Device names, one worker process each: what `wanted` lists ("cuda:0,cuda:1"), else all GPUs, else the CPU."""
    if wanted != "auto":
        return [name.strip() for name in wanted.split(",") if name.strip()]
    return [f"cuda:{index}" for index in range(len(_cards()))] or ["cpu"]


def describe(device: str) -> str:
    """What people read: the processor's or the card's name."""
    if device.startswith("cuda"):
        card = _card(device)
        return card.name if card else device
    return f"{_cpu_name()} ({os.cpu_count()} cores)"


def gpu_memory(device: str) -> int | None:
    """Bytes of a GPU's memory; None for a device that is none, or where the driver does not say."""
    card = _card(device) if device.startswith("cuda") else None
    return card.memory if card else None


def _card(device: str) -> Card | None:
    cards, index = _cards(), int(device.partition(":")[2] or 0)
    return cards[index] if index < len(cards) else None


def _cards() -> list[Card]:
    """Those that CUDA shows to a process, in its order: "cuda:0" is the first of CUDA_VISIBLE_DEVICES."""
    there, visible = list(_ask_driver()), os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if visible is None else list(_chosen(there, [word.strip() for word in visible.split(",")]))


def _chosen(there: list[Card], words: list[str]) -> Iterator[Card]:
    """By index or the beginning of their UUID, until the first that is not there, as CUDA reads it. The driver's tool
    does not say how large a part of a card is (MIG)."""
    for word in words:
        part = [Card(word, word, word, None)] if word.startswith("MIG-") else []
        named = [one for one in there if word == one.index or (word.startswith("GPU-") and one.uuid.startswith(word))]
        if not part + named:
            return
        yield (part + named)[0]


def _ask_driver() -> Iterator[Card]:
    """None where there is no driver. Of a card that has fallen off its bus there is a complaint instead."""
    command = ["nvidia-smi", f"--query-gpu={FACTS}", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return
    for facts in (line.strip().split(", ") for line in listed.splitlines()):
        if len(facts) == len(FACTS.split(",")):
            index, uuid, name, size = facts
            yield Card(index, uuid, name, int(size) * 2**20 if size.isdigit() else None)


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
