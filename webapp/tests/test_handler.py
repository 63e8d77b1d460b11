"""Requests over ASGI are answered in their thread, in one visit."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync
from asgiref.testing import ApplicationCommunicator

from webapp.handler import ThreadHandler

pytestmark = pytest.mark.django_db


async def answer(path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> tuple[int, bytes]:
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"",
        "headers": [(b"host", b"testserver"), *headers],
    }  # fmt: skip
    client: Any = ApplicationCommunicator(ThreadHandler(), scope)  # type: ignore[no-untyped-call]
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
    """Beside the answer itself there are the signals at its beginning and its end."""
    visits = []
    hop = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        visits.append(getattr(self.func, "__qualname__", repr(self.func)))
        return await hop(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    assert async_to_sync(answer)("/api/v1/jobs/")[0] == 200
    assert [visit for visit in visits if visit.endswith("get_response")] == ["BaseHandler.get_response"]
    assert len(visits) <= 4, visits
