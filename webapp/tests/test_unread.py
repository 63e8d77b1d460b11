"""A page that does not read, such as that of a laptop that sleeps, holds up nobody: over uvicorn, as in production."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from django.test import Client
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from webapp.accounts.models import User
from webapp.leaderboards import drawing
from webapp.leaderboards import services as boards
from webapp.leaderboards.models import Leaderboard
from webapp.live import publish

pytestmark = pytest.mark.django_db(transaction=True)
DRAW = drawing.standings
SMALL = 4096  # bytes of a socket's buffers
# Of fragments: more than the server keeps for one who does not read (64 KiB), and no more than that.
LONG, SHORT = 300_000, 40_000
ASKS = (
    "GET {path} HTTP/1.1\r\nHost: testserver\r\nOrigin: http://testserver\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)


class Site:
    """The web in a thread, and those who look at one board of it."""

    path = "/ws/boards/lab/main/"

    def __init__(self, left: contextlib.ExitStack, ping_seconds: float) -> None:
        from webapp.asgi import application  # with the settings of the test

        self.left = left
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.listening.bind(("127.0.0.1", 0))
        asked = {"ws_ping_interval": ping_seconds, "ws_ping_timeout": ping_seconds}
        self.server = uvicorn.Server(
            uvicorn.Config(
                application, log_level="error", lifespan="off", ws_per_message_deflate=False, **asked  # type: ignore[arg-type]
            )
        )  # fmt: skip
        serving = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listening]})
        serving.start()
        left.callback(serving.join, 30)
        left.callback(self._stop)
        left.callback(until, lambda: not self.server.server_state.connections)
        until(lambda: self.server.started)

    def _stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True

    def reader(self, user: User) -> ClientConnection:
        """It answers pings by itself."""
        asks = connect(
            f"ws://testserver{self.path}",
            sock=socket.create_connection(self.listening.getsockname()),
            origin="http://testserver",  # type: ignore[arg-type]
            additional_headers={"Cookie": cookie(user)},
            max_size=None,
            compression=None,
            close_timeout=1,
        )
        peer: ClientConnection = self.left.enter_context(asks)
        peer.recv(10)
        return peer

    def silent(self, user: User) -> socket.socket:
        """It asks, and never reads what it is answered."""
        peer = self.left.enter_context(socket.socket())
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        peer.connect(self.listening.getsockname())
        key = base64.b64encode(os.urandom(16)).decode()
        peer.sendall(ASKS.format(path=self.path, cookie=cookie(user), key=key).encode())
        return peer

    def waits_for(self, peer: socket.socket) -> bool:
        """Whether there is something that the server cannot send to it."""
        return bool(self.of(peer).transport.get_write_buffer_size())

    def of(self, peer: socket.socket) -> Any:
        """The server's side of it."""
        there: Any = [one for one in self.server.server_state.connections if one.client == peer.getsockname()]
        return there[0]


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    with contextlib.ExitStack() as left:
        yield lambda ping_seconds=20.0: Site(left, ping_seconds)


@pytest.fixture
def main(alice: User, board: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> Leaderboard:
    boards.refresh(board_id=board.pk)
    boards.change_leaderboard(actor=alice, board=board, visibility="public")
    monkeypatch.setattr(drawing, "standings", lambda *asked: DRAW(*asked) + "x" * LONG)
    return board


def cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"sessionid={client.cookies['sessionid'].value}"


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def closed(peer: ClientConnection) -> int | None:
    """With which code it is closed, whatever it is sent before."""
    try:
        while True:
            peer.recv(10)
    except ConnectionClosed as why:
        return why.rcvd.code if why.rcvd else None


def pushed(board: Leaderboard) -> None:
    publish(f"leaderboard.{board.pk}", board=board.pk)


def test_a_change_reaches_those_who_may_see_it_past_one_who_may_not_any_more(main, site, alice, bob, charlie):
    there = site()
    silent, member, stranger = there.silent(charlie), there.reader(bob), there.reader(charlie)
    until(lambda: there.waits_for(silent))

    boards.change_leaderboard(actor=alice, board=main, visibility="team")
    pushed(main)

    assert 'id="standings"' in str(member.recv(10))
    assert closed(stranger) == 4404
    assert there.waits_for(silent)
    assert ends_with_code(silent) == 4404, "as soon as it reads again: it must not take itself for live"


def ends_with_code(peer: socket.socket) -> int:
    """Of a page that wakes up and reads to the end of what it was sent."""
    peer.settimeout(10)
    read = b""
    while b"\x88\x02" not in read[-4:]:
        more = peer.recv(65536)
        assert more, "it ended without a word"
        read += more
    return int.from_bytes(read[-2:], "big")


def test_of_a_room_that_fails_all_connect_again(main, site, bob, charlie, monkeypatch):
    there = site()
    silent = [there.silent(charlie) for _ in range(3)]
    readers = [there.reader(bob) for _ in range(5)]
    until(lambda: all(there.waits_for(peer) for peer in silent))

    monkeypatch.setattr(drawing, "standings", lambda *_: 1 / 0)
    pushed(main)

    assert [closed(peer) for peer in readers] == [1011] * len(readers)
    assert [ends_with_code(peer) for peer in silent] == [1011] * len(silent)


def test_pages_that_the_server_has_given_up_keep_none_from_connecting_again(main, site, bob, charlie, monkeypatch):
    """Their pings were in vain, so that they are closed already, and what was sent before is still on its way."""
    monkeypatch.setattr(drawing, "standings", lambda *asked: DRAW(*asked) + "x" * SHORT)
    there = site(ping_seconds=0.5)
    silent = [there.silent(charlie) for _ in range(3)]
    readers = [there.reader(bob) for _ in range(5)]
    until(lambda: all(there.waits_for(peer) and there.of(peer).close_sent for peer in silent))

    monkeypatch.setattr(drawing, "standings", lambda *_: 1 / 0)
    pushed(main)

    assert [closed(peer) for peer in readers] == [1011] * len(readers)
    tasks = [one for one in gc.get_objects() if type(one) is asyncio.Task and one.done() and not one.cancelled()]
    assert [task.exception() for task in tasks if isinstance(task.exception(), RuntimeError)] == []
