"""What is pushed to the viewers of a page: drawn once, whoever looks, and packed for those who can unpack it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser

from webapp.accounts.models import Team, User
from webapp.leaderboards.models import Leaderboard
from webapp.live import publish
from webapp.metrics import DRAWINGS
from webapp.tests import factories
from webapp.urls import websocket_urlpatterns

VIEWERS = 5


@pytest.fixture
def board(transactional_db: None, tmp_path: Path) -> Leaderboard:
    owner: User = factories.person("owner")
    team = Team.objects.get(memberships__user=owner)
    suite = factories.suite(owner, team, "sums", [factories.benchmark(owner, team, "plus")], visibility="public")
    factories.job(owner, team, suite, [factories.entry(owner, team, "small", factories.checkpoint(tmp_path / "a"))])
    made = factories.public_board(owner, team, "main", suite)
    factories.finish([True, True, False, True])
    return factories.refresh(made)


async def viewer(board: Leaderboard, query: str) -> ApplicationCommunicator:
    scope = {
        "type": "websocket", "path": f"ws/boards/owner/{board.name}/", "headers": [], "user": AnonymousUser(),
        "query_string": f"version={board.version}&{query}".encode(),
    }  # fmt: skip
    socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    return socket


def pushed(board: Leaderboard, queries: list[str]) -> list[dict[str, Any]]:
    """What viewers with these queries get after one change."""

    async def watch() -> list[dict[str, Any]]:
        sockets = [await viewer(board, query) for query in queries]
        assert await sockets[0].receive_nothing(0.5)
        await database_sync_to_async(publish)(f"leaderboard.{board.pk}", board=board.pk)
        answers = [await socket.receive_output(5) for socket in sockets]
        for socket in sockets:
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await socket.wait(5)
        return answers

    return async_to_sync(watch)()


def test_a_change_is_drawn_once_however_many_look(board):
    before = DRAWINGS._value.get()

    answers = pushed(board, ["packed=1"] * VIEWERS)

    assert DRAWINGS._value.get() - before == 1
    assert len({answer["bytes"] for answer in answers}) == 1
    assert 'id="standings"' in gzip.decompress(answers[0]["bytes"]).decode()


def test_a_browser_that_cannot_unpack_gets_the_same_as_text(board):
    packed, plain = pushed(board, ["packed=1", ""])

    assert plain["text"] == gzip.decompress(packed["bytes"]).decode()


def test_each_view_is_a_drawing_of_its_own(board):
    before = DRAWINGS._value.get()

    ranks, table = pushed(board, ["view=ranks", "view=table"])

    assert DRAWINGS._value.get() - before == 2
    assert ranks["text"] != table["text"]
