"""Requests over ASGI are answered in their thread, in one visit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.http import StreamingHttpResponse

from webapp.accounts.models import Team
from webapp.handler import MOST_IDLE, ThreadHandler
from webapp.streaming import in_thread
from workers.tests.conftest import wait_until

pytestmark = pytest.mark.django_db


def scope_of(path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
    }  # fmt: skip


async def answer(path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> tuple[int, bytes]:
    client: Any = ApplicationCommunicator(ThreadHandler(), scope_of(path, method, headers))  # type: ignore[no-untyped-call]
    await client.send_input({"type": "http.request"})
    start, body, more = await client.receive_output(20), b"", True
    while more:
        piece = await client.receive_output(20)
        body, more = body + piece["body"], piece.get("more_body", False)
    await client.wait()
    return start["status"], body


def test_pages_rest_and_errors_answer() -> None:
    assert async_to_sync(answer)("/healthz")[0] == 200
    status, body = async_to_sync(answer)("/api/v1/jobs/")
    assert (status, b"results" in body) == (200, True)
    status, body = async_to_sync(answer)("/accounts/sign-in/nowhere/")
    assert (status, b"</html>" in body) == (404, True)
    assert async_to_sync(answer)("/api/v1/jobs/", "POST")[0] in {401, 403}


def test_a_request_visits_its_thread_once(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = []
    hop = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        visits.append(getattr(self.func, "__qualname__", repr(self.func)))
        return await hop(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    assert async_to_sync(answer)("/api/v1/jobs/")[0] == 200
    assert visits == ["ThreadHandler._response"]


def test_nobody_is_sent_what_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download whose reader has gone away ends, and so does what makes it."""
    response = StreamingHttpResponse(in_thread(repeat(b"x" * 1000)))
    ended: list[object] = []
    monkeypatch.setattr(response, "close", lambda: ended.append(threading.current_thread().name))

    async def leave() -> int:
        handler = ThreadHandler()
        monkeypatch.setattr(handler, "get_response", lambda request: response)
        client: Any = ApplicationCommunicator(handler, scope_of("/endless/"))  # type: ignore[no-untyped-call]
        await client.send_input({"type": "http.request"})
        assert (await client.receive_output(20))["status"] == 200
        assert (await client.receive_output(20))["body"] == b"x" * 1000
        await client.send_input({"type": "http.disconnect"})
        await client.wait(20)
        left: int = client.output_queue.qsize()
        await asyncio.sleep(0.2)
        return int(client.output_queue.qsize()) - left

    assert async_to_sync(leave)() == 0
    assert len(ended) == 1
    assert str(ended[0]).startswith("request")


def test_an_answer_that_breaks_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError("the disk is gone")

    async def end(path: str) -> None:
        client: Any = ApplicationCommunicator(ThreadHandler(), scope_of(path))  # type: ignore[no-untyped-call]
        await client.send_input({"type": "http.request"})
        await client.wait(20)

    monkeypatch.setattr(ThreadHandler, "get_response", lambda self, request: StreamingHttpResponse(in_thread(pieces())))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        async_to_sync(end)("/broken/")


def test_a_download_that_is_read_slowly_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a few of them would keep all of the pool, and everybody else would wait for one."""

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            yield b"%d teams" % Team.objects.count()

    async def read() -> list[int]:
        asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await asked.put({"type": "http.request"})
        lent = []

        async def send(message: Any) -> None:
            stats = connection.pool.get_stats()  # type: ignore[attr-defined]
            lent.append(stats["pool_size"] - stats["pool_available"])

        await ThreadHandler()(scope_of("/slow/"), asked.get, send)
        return lent

    monkeypatch.setattr(ThreadHandler, "get_response", lambda self, request: StreamingHttpResponse(in_thread(pieces())))
    assert async_to_sync(read)() == [1] * 5, "that of this test: at the head, after each piece, and at the end"


def test_threads_of_a_burst_are_given_back() -> None:
    handler, burst = ThreadHandler(), MOST_IDLE + 8

    async def ask() -> None:
        together = asyncio.Barrier(burst)

        async def receive() -> dict[str, Any]:
            await together.wait()
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            """Nobody reads it."""

        await asyncio.gather(*(handler(scope_of("/healthz"), receive, send) for _ in range(burst)))

    others = set(threading.enumerate())
    async_to_sync(ask)()
    wait_until(lambda: sum(one.name.startswith("request") for one in {*threading.enumerate()} - others) <= MOST_IDLE)
