"""What is sent to a real server: no more of it is taken than its address and its sender allow."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import repeat
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import uvicorn
from django.test import Client

from webapp import bodies, handler
from webapp.accounts.authentication import is_known
from webapp.accounts.models import User
from webapp.accounts.services import create_token
from webapp.handler import ThreadHandler
from workers.tests.conftest import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
MANY, PIECE = 3 * 2**20, 2**16
UPLOAD = "/api/v1/benchmarks/"


class Server:
    def __init__(self) -> None:
        self.handler = ThreadHandler(is_known)
        self._server = uvicorn.Server(uvicorn.Config(self.handler, port=0, lifespan="off", log_level="error"))

    @contextmanager
    def serving(self) -> Iterator[None]:
        thread = Thread(target=self._server.run)
        thread.start()
        try:
            wait_until(lambda: self._server.started)
            self.port = self._server.servers[0].sockets[0].getsockname()[1]
            yield
        finally:
            self._server.should_exit = True
            thread.join()

    @property
    def held(self) -> int:
        return self.handler._bodies._held

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, str]:
        """Status, headers and text. The body is sent whole before the answer is read; an iterable goes in chunks."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def begun(self, path: str, length: int, **headers: str) -> socket.socket:
        """A connection that has claimed how much it will send, and has sent nothing of it."""
        lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        peer.sendall("\r\n".join([*lines, "", ""]).encode())
        return peer


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with made.serving():
        yield made


@pytest.fixture
def token(alice: User) -> dict[str, str]:
    secret = create_token(actor=alice, name="ci", scopes=["read", "submit", "admin"], days=1)[1]
    return {"Authorization": f"Bearer {secret}"}


def in_chunks(size: int) -> Iterator[bytes]:
    return repeat(b" " * PIECE, size // PIECE)


def is_cut_off(peer: socket.socket, piece: bytes) -> bool:
    try:
        for _ in range(10_000):
            peer.sendall(piece)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("path", ["/sign-in/", UPLOAD, "/api/v1/teams/", "/nowhere/"])
def test_a_stranger_is_refused_before_the_body_is_sent(server: Server, path: str) -> None:
    with server.begun(path, 1_500_000_000) as peer:
        assert peer.recv(PIECE).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_counted(server: Server) -> None:
    status, _, text = server.post("/sign-in/", in_chunks(MANY))
    assert (status, "at most 2 MiB" in text) == (413, True)


def test_a_body_without_an_end_is_cut_off(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "LINGER", 0.2)
    piece = b"%x\r\n%s\r\n" % (PIECE, b" " * PIECE)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
        peer.sendall(b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while not select.select([peer], [], [], 0)[0]:
            sent += peer.send(piece)
            assert sent < 100_000_000
        assert peer.recv(12) == b"HTTP/1.1 413"
        assert is_cut_off(peer, piece)


def test_a_page_and_a_resource_say_it_in_their_own_way(server: Server, token: dict[str, str]) -> None:
    status, headers, page = server.post("/sign-in/", b" " * MANY)
    assert (status, headers["Connection"], "</html>" in page) == (413, "close", True)
    status, headers, text = server.post("/api/v1/teams/", b" " * MANY, **token)
    assert (status, headers["Content-Type"]) == (413, "application/problem+json")
    assert json.loads(text)["detail"] == "The body is too large: at most 2 MiB are taken here."


def test_who_reads_only_after_all_is_sent_learns_why(server: Server) -> None:
    """More than the kernel keeps between them."""
    assert server.post("/sign-in/", b" " * 40_000_000)[0] == 413


@pytest.mark.parametrize("body", [b" " * MANY, None], ids=["length", "chunks"])
def test_large_bodies_are_for_those_who_are_signed_in(server: Server, token: dict[str, str], body: Any) -> None:
    def status(**headers: str) -> int:
        return server.post(UPLOAD, body or in_chunks(MANY), **headers)[0]

    assert status(**token) == 400  # it was read: it holds no JSON
    assert status() == 413
    assert status(Authorization="Bearer ct_wrong") == 413
    assert status(Cookie="sessionid=wrong") == 413
    assert server.held == 0


def test_a_session_is_known_as_well(server: Server, client: Client, alice: User) -> None:
    client.force_login(alice)
    session = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    assert server.post("/imports/new/", b" " * MANY, **session)[0] == 403  # it was read: no form of ours
    assert server.post("/jobs/new/", b" " * MANY, **session)[0] == 413


def test_an_upload_has_a_limit_too(server: Server, token: dict[str, str]) -> None:
    with server.begun(UPLOAD, 65 * 2**20, **token) as peer:
        assert b"at most 64 MiB" in peer.recv(PIECE)
    assert server.post("/api/v1/imports/1/", b" " * (4 * 2**20 + 1), **token)[0] == 413


def test_chunks_are_read_like_any_body(server: Server, token: dict[str, str]) -> None:
    status, _, text = server.post("/api/v1/teams/", iter([b'{"name": ', b'"new", "title": "New"}']), **token)
    assert (status, json.loads(text)["name"]) == (201, "new")


def test_a_client_that_hangs_up_gives_its_room_back(server: Server, token: dict[str, str]) -> None:
    with server.begun(UPLOAD, MANY, **token) as peer:
        peer.sendall(b" " * (MANY // 2))
        wait_until(lambda: server.held == MANY)
    wait_until(lambda: server.held == 0)


def test_only_so_much_is_held_at_once(server: Server, token: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_HELD", MANY)
    with server.begun(UPLOAD, MANY, **token):
        wait_until(lambda: server.held == MANY)
        status, headers, _ = server.post(UPLOAD, b" " * MANY, **token)
        assert (status, headers["Retry-After"]) == (503, "30")
        assert server.post("/api/v1/teams/", b'{"name": "new", "title": "New"}', **token)[0] == 201
    wait_until(lambda: server.held == 0)
    assert server.post(UPLOAD, b" " * MANY, **token)[0] == 400


def test_a_full_disk_is_told(server: Server, token: dict[str, str], settings: Any, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "gone")
    assert server.post(UPLOAD, b" " * MANY, **token)[0] == 503
