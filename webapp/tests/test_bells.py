"""Bells that are rung at once, and those that are gathered."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from deploy.local.environment import ROOT
from webapp import bells
from webapp.bells import MOST, MOST_ARGUMENTS, Belfry, Bell, merged
from webapp.celery import app

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


def test_what_waits_is_rung_when_all_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "GATHER_SECONDS", 60)
    rung: list[Bell] = []
    belfry = Belfry(rung.append)
    belfry.settle()
    belfry.gather()
    belfry.put(WAKE)
    until = time.monotonic() + 10
    while not rung and time.monotonic() < until:
        time.sleep(0.005)
    belfry.put(changed(1))
    belfry.put(changed(2))
    assert rung == [WAKE]
    belfry.settle()
    assert rung == [WAKE, changed(1, 2)]
    belfry.put(changed(3))
    assert rung[2:] == [changed(3)], "and later ones at once"


def test_a_bell_that_is_being_rung_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bells, "LAST_SECONDS", 0.2)
    begun, answered, rung = threading.Event(), threading.Event(), list[Bell]()

    def ring(bell: Bell) -> None:
        begun.set()
        assert answered.wait(10)
        rung.append(bell)

    belfry = Belfry(ring)
    belfry.gather()
    belfry.put(WAKE)
    assert begun.wait(10)
    before = time.monotonic()
    belfry.settle()
    assert 0.2 <= time.monotonic() - before < 5
    answered.set()


def test_a_web_process_that_is_stopped_rings_what_waits(tmp_path: Path) -> None:
    """A real server, ended by the signal of an upgrade, and a real broker."""
    (tmp_path / "waiting.py").write_text(SERVED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("uvicorn", "waiting:application", "--lifespan", "on", "--port", str(port), "--log-level", "warning")
    path = f"{tmp_path}:{ROOT}"
    with subprocess.Popen([sys.executable, "-m", *words], env={**os.environ, "PYTHONPATH": path}) as web:
        try:
            told = _first_answer(port)
            assert told == "one rings, two wait"
            assert _in_the_broker() == [[1]]
            web.terminate()
            assert web.wait(20) == -signal.SIGTERM, "nothing that Python does when it exits was done"
        finally:
            web.kill()
    assert _in_the_broker() == [[2, 3]]


QUEUE = "bells-of-a-test"
SERVED = f"""
import time
from webapp import bells
from webapp.asgi import application as platform
from webapp.celery import belfry
bells.GATHER_SECONDS = 60

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        return await platform(scope, receive, send)
    for job in (1, 2, 3):
        belfry.put(bells.Bell("job_changed", (job,), queue="{QUEUE}", joined=True))
        time.sleep(0.5 if job == 1 else 0)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"one rings, two wait"}})
"""


def _first_answer(port: int) -> str:
    until = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return str(answer.read().decode())
        except URLError:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)


def _in_the_broker() -> list[list[int]]:
    """The arguments of the messages that wait there; they are taken out."""
    found: list[list[int]] = []
    with app.connection_for_read() as broker, broker.SimpleQueue(QUEUE) as queue:
        while True:
            try:
                message = queue.get(block=False)
            except queue.Empty:
                return found
            message.ack()
            found.append(message.payload[0])


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
