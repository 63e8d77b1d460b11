"""What a worker says of its memory and speed, beside what the system says of the same."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from workers.tests.test_devices import driver
from workers.usage import HOUR, SLOT, Throughput, memory, usage

MEGABYTE = 2**20
T4 = 15360 * MEGABYTE


def test_a_worker_on_the_cpu_has_the_machines_memory() -> None:
    before, (total, free), after = psutil.virtual_memory(), memory("cpu"), psutil.virtual_memory()
    assert total == before.total
    low, high = sorted([before.available, after.available])  # others are at work here, too
    assert low - 100 * MEGABYTE < free < high + 100 * MEGABYTE


def test_memory_that_the_process_takes_is_its_own() -> None:
    """Of this process, and told anew each time."""
    before = usage("cpu", Throughput()).rss
    assert before == pytest.approx(psutil.Process().memory_info().rss, rel=0.05)
    taken = b"\1" * (256 * MEGABYTE)
    after = usage("cpu", Throughput()).rss
    assert 250 * MEGABYTE < after - before < 300 * MEGABYTE
    del taken
    assert usage("cpu", Throughput()).rss - before < 50 * MEGABYTE


def test_a_gpu_is_asked_without_torch_for_what_its_driver_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Total, as listed; free is known to torch alone, which a process that is to be forked must not load."""
    monkeypatch.setenv("PATH", driver(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert [memory(f"cuda:{number}") for number in range(3)] == [(None, None), (T4, None), (None, None)]
    assert "torch" not in sys.modules


@pytest.mark.engine
def test_a_gpu_of_a_worker_at_work_is_asked_through_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the device that the worker was given; torch tells what is free before what there is."""
    import torch

    free = {"cuda:0": (3 * MEGABYTE, T4), "cuda:1": (5 * MEGABYTE, 2 * T4)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: free[str(device)])
    told = usage("cuda:1", Throughput())
    assert (told.total, told.free) == (2 * T4, 5 * MEGABYTE)


class TestThroughput:
    def test_of_a_young_worker_counts_its_whole_life(self) -> None:
        began = time.monotonic()
        speed = Throughput()
        speed.count(30)
        samples, seconds = speed.read()
        assert samples == 30
        assert 0 <= seconds <= time.monotonic() - began

    def test_of_an_old_one_the_last_hour(self) -> None:
        speed, now = Throughput(), time.monotonic()
        for minute in range(120):
            speed.count(10, now + 60 * minute)
        samples, seconds = speed.read(now + 60 * 119)
        assert (samples, seconds) == (610, HOUR)  # the one an hour ago counts
        assert speed.read(now + 60 * 119 + 30)[0] == 600
        assert speed.read(now + 60 * 119 + HOUR + 1) == (0, HOUR)

    def test_keeps_little_however_often_it_counts(self) -> None:
        speed, now = Throughput(), time.monotonic()
        for tenth in range(10_000):
            speed.count(1, now + tenth / 10)
        assert speed.read(now + 1000)[0] == 10_000
        assert len(speed._slots) <= 1000 / SLOT + 1

    def test_is_read_while_it_counts(self) -> None:
        speed, now = Throughput(), time.monotonic()
        counting = threading.Thread(target=lambda: [speed.count(1, now + slot * 2 * SLOT) for slot in range(20_000)])
        counting.start()
        read = [0]
        while counting.is_alive():
            read.append(speed.read(now)[0])
        assert read == sorted(read)
        assert speed.read(now)[0] == 20_000
