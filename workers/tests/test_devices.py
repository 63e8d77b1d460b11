"""What `nvidia-smi` lists is what a worker process gets: the same card, by the same number."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from webapp.jobs.resources import served_by
from workers import devices
from workers.supervisor import Process

LISTED = """\
0, GPU-aaaa1111, NVIDIA T4, 15360
1, GPU-bbbb2222, NVIDIA H200, 143771
2, GPU-cccc3333, NVIDIA GB10, [N/A]
Unable to determine the device handle for GPU0000:07:00.0: Unknown Error
"""


def driver(folder: Path) -> str:
    """A program of this name that answers only what is asked; the PATH that finds it."""
    tool = folder / "nvidia-smi"
    asked = "--query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits"
    tool.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] && cat <<END\n{LISTED}END\n')
    tool.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture(autouse=True)
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", driver(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def facts() -> list[tuple[str, int | None]]:
    return [(devices.describe(name), devices.gpu_memory(name)) for name in devices.devices()]


T4, H200, GB10 = ("NVIDIA T4", 15360 * 2**20), ("NVIDIA H200", 143771 * 2**20), ("NVIDIA GB10", None)


def test_each_card_is_a_device() -> None:
    assert devices.devices() == ["cuda:0", "cuda:1", "cuda:2"]
    assert facts() == [T4, H200, GB10]
    assert devices.devices("cuda:1, cpu") == ["cuda:1", "cpu"]
    assert devices.gpu_memory("cpu") is None


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        ("1", [H200]),
        ("2,0", [GB10, T4]),
        ("GPU-bbbb, 0", [H200, T4]),
        ("1,-1,0", [H200]),  # CUDA stops at the first that is not there
        ("MIG-dddd4444", [("MIG-dddd4444", None)]),
    ],
)
def test_a_device_counts_among_those_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch, visible: str, seen: list[Any]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.devices() == [f"cuda:{index}" for index in range(len(seen))]
    assert facts() == seen


def test_what_the_driver_does_not_tell_the_operator_does(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Of the GB10 and of a part of a card; a card that tells what it has keeps to that."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0,MIG-dddd4444")
    for gigabytes, largest in [(8, "gpu-8"), (100, "gpu-80"), (4, "cpu")]:
        settings.GPU_BYTES = gigabytes * 10**9
        served = [served_by(name, devices.gpu_memory(name))[-1] for name in devices.devices()]
        assert served == [largest, "gpu-16", largest]


def test_without_a_card_to_see_it_is_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.devices() == ["cpu"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    assert devices.devices() == ["cpu"]
    assert (devices.describe("cuda:0"), devices.gpu_memory("cuda:0")) == ("cuda:0", None)


def test_a_worker_counts_cards_as_the_driver_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CUDA's own order has the fastest first: here it would load what needs an H200 onto the T4."""
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "FASTEST_FIRST")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    given: dict[str, str] = {}
    monkeypatch.setattr(subprocess, "Popen", lambda *_, env, **__: given.update(env))
    Process("cuda:0", 0, tmp_path / "pulse").start()
    assert (given["CUDA_DEVICE_ORDER"], given["CUDA_VISIBLE_DEVICES"]) == ("PCI_BUS_ID", "1")
    assert given["CROSSTABLE_DEVICE"] == "cuda:0"
