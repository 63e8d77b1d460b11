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
from django.http import StreamingHttpResponse

from webapp.handler import ThreadHandler
from webapp.streaming import in_thread

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
