"""Bells that are rung at once, and those that are gathered."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from deploy.local.environment import ROOT
from webapp import bells
from webapp.bells import MOST, MOST_ARGUMENTS, Belfry, Bell, merged

WAKE = Bell("evaluate", queue="evaluation.cpu")


def changed(*jobs: int) -> Bell:
    return Bell("job_changed", jobs, joined=True)


def test_equal_bells_ring_once_with_the_arguments_of_all() -> None:
    assert merged([changed(1), WAKE, changed(2), changed(1)]) == [WAKE, changed(1, 2)]
    assert merged([]) == []


def test_each_of_a_few_bells_may_wake_another_worker() -> None:
    large = Bell("evaluate", queue="evaluation.gpu-24")
    found = merged([WAKE, large] * (MOST + 4))
    assert found.count(WAKE) == found.count(large) == MOST


def test_a_message_does_not_grow_for_ever() -> None:
    found = merged([changed(job) for job in range(MOST_ARGUMENTS + 1)])
    assert [len(bell.args) for bell in found] == [MOST_ARGUMENTS, 1]
    assert sorted(job for bell in found for job in bell.args) == list(range(MOST_ARGUMENTS + 1))


def test_without_gathering_a_bell_rings_at_once() -> None:
    rung: list[Bell] = []
    belfry = Belfry(rung.append)
    belfry.put(changed(1))
    belfry.put(changed(1))
    assert rung == [changed(1), changed(1)]


def test_gathered_bells_ring_soon_and_from_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "GATHER_SECONDS", 0.3)
    rung: list[tuple[str, Bell]] = []
    belfry = Belfry(lambda bell: rung.append((threading.current_thread().name, bell)))
    belfry.gather()
    belfry.gather()
    belfry.put(WAKE)
    until = time.monotonic() + 10
    while not rung and time.monotonic() < until:
        time.sleep(0.005)
    assert rung == [("bells", WAKE)], "the first does not wait"
    for job in (1, 2, 3):
        belfry.put(changed(job))
    while len(rung) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert rung[1:] == [("bells", changed(1, 2, 3))]


def test_a_bell_that_cannot_be_rung_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "GATHER_SECONDS", 0)
    rung: list[Bell] = []

    def ring(bell: Bell) -> None:
        if bell == WAKE:
            raise RuntimeError("a client's own fault")
        rung.append(bell)

    belfry = Belfry(ring)
    belfry.gather()
    belfry.put(WAKE)
    belfry.put(changed(1))
    until = time.monotonic() + 10
    while not rung and time.monotonic() < until:
        time.sleep(0.02)
    assert rung == [changed(1)]


def test_what_waits_is_rung_when_the_interpreter_ends() -> None:
    code = """
import time
from webapp import bells
bells.GATHER_SECONDS = 60
belfry = bells.Belfry(lambda bell: print(bell.task))
belfry.gather()
belfry.put(bells.Bell("first"))
time.sleep(0.5)
belfry.put(bells.Bell("evaluate"))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "first\nevaluate\n"


def test_a_fork_rings_at_once() -> None:
    code = """
import os
from webapp import bells
belfry = bells.Belfry(lambda bell: print(bell.task, flush=True))
belfry.gather()
if os.fork():
    os.wait()
else:
    bells.GATHER_SECONDS = 60
    belfry.put(bells.Bell("evaluate"))
    os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "evaluate\n"
