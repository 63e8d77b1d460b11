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
from webapp.frames import changes
from webapp.leaderboards import drawing
from webapp.leaderboards.models import Leaderboard
from webapp.live import CROWDED, LivePage, Room, publish
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


async def viewer(
    board: Leaderboard, query: str, address: str = "192.0.2.1", user: User | None = None
) -> ApplicationCommunicator:
    """query: may name another version than the board's."""
    scope = {
        "type": "websocket", "path": f"ws/boards/owner/{board.name}/", "headers": [], "client": (address, 5000),
        "user": user or AnonymousUser(),
        "query_string": "&".join([f"version={board.version}", query]).encode(),
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
            await leave(socket)
        return answers

    return async_to_sync(watch)()


async def leave(socket: ApplicationCommunicator) -> None:
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(5)


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


def test_a_page_is_sent_what_it_does_not_show(board):
    answers = pushed(board, ["packed=1&changes=1", "packed=1"])

    sent, whole = (gzip.decompress(answer["bytes"]).decode() for answer in answers)
    contender = board.standings.get().contender_id
    assert f'data-since="{board.version}" data-version="{board.version}"' in sent
    assert f'<tr data-key="{contender}" data-kept></tr>' in sent
    assert '<tr data-key="heads" data-kept></tr>' in sent
    assert "small@fp32" in whole
    assert "small@fp32" not in sent


def test_a_page_that_missed_a_version_gets_the_whole(board):
    async def watch() -> list[dict[str, Any]]:
        socket = await viewer(board, f"packed=1&changes=1&version={board.version - 1}")
        at_once = await socket.receive_output(5)
        await database_sync_to_async(publish)(f"leaderboard.{board.pk}", board=board.pk)
        later = await socket.receive_output(5)
        await leave(socket)
        return [at_once, later]

    at_once, later = (gzip.decompress(answer["bytes"]).decode() for answer in async_to_sync(watch)())
    assert "small@fp32" in at_once
    assert "data-since" not in at_once
    assert f'data-since="{board.version}"' in later


def test_a_room_ends_with_its_last_viewer(board):
    async def watch() -> list[int]:
        first, second = await viewer(board, ""), await viewer(board, "")
        assert await second.receive_nothing(0.5)
        open_rooms = [len(Room.rooms)]
        for socket in (first, second):
            await leave(socket)
            open_rooms.append(len(Room.rooms))
        return open_rooms

    assert async_to_sync(watch)() == [1, 1, 0]


async def turned_away(socket: ApplicationCommunicator) -> bool:
    """Accepted and closed at once: a page that is let in is sent nothing."""
    if await socket.receive_nothing(0.5):
        return False
    closed = await socket.receive_output(5)
    await leave(socket)
    assert (closed["type"], closed["code"]) == ("websocket.close", CROWDED)
    return True


def test_one_address_opens_so_many_views_and_looks_at_any(board, settings):
    """Each view is drawn at every change. A thousand people behind one proxy look at the same."""
    settings.LIVE_VIEWS = 3
    person, other = User.objects.get(username="owner"), factories.person("other")

    async def attack() -> list[bool]:
        opened = [await viewer(board, f"q={number}") for number in range(3)]
        assert not any([await turned_away(socket) for socket in opened])
        refused = [await turned_away(await viewer(board, f"q={number}")) for number in range(3, 6)]
        told = []
        for query, address, user in (
            ("q=1", "192.0.2.1", None),  # it is open
            ("q=9", "192.0.2.2", None),
            ("q=10", "192.0.2.1", person),
            ("q=11", "192.0.2.1", other),
        ):
            opened.append(await viewer(board, query, address, user))
            told.append(await turned_away(opened[-1]))
        await leave(opened.pop(0))
        opened.append(await viewer(board, "q=12"))
        told.append(await turned_away(opened[-1]))
        for socket in opened:
            await leave(socket)
        assert not LivePage.sockets
        return refused + told

    assert async_to_sync(attack)() == [True] * 3 + [False] * 5


def test_one_address_has_so_many_pages_open(board, settings):
    settings.LIVE_SOCKETS = 2

    async def attack() -> list[bool]:
        opened = [await viewer(board, "") for _ in range(2)]
        told = [await turned_away(await viewer(board, "")) for _ in range(2)]
        opened.append(await viewer(board, "", "2001:db8::1"))
        await leave(opened.pop(0))
        opened.append(await viewer(board, ""))
        told += [await turned_away(socket) for socket in opened]
        for socket in opened:
            await leave(socket)
        return told

    assert async_to_sync(attack)() == [True] * 2 + [False] * 3


def test_a_drawing_that_fails_closes_its_sockets_and_the_next_ones_open(board, monkeypatch):
    async def watch() -> list[dict[str, Any]]:
        socket = await viewer(board, "")
        assert await socket.receive_nothing(0.5)
        monkeypatch.setattr(drawing, "standings", lambda *_: 1 / 0)
        await database_sync_to_async(publish)(f"leaderboard.{board.pk}", board=board.pk)
        closed = await socket.receive_output(5)
        await leave(socket)
        monkeypatch.undo()
        again = await viewer(board, "version=0")
        caught_up = await again.receive_output(5)
        await leave(again)
        return [closed, caught_up]

    closed, caught_up = async_to_sync(watch)()
    assert (closed["type"], closed["code"]) == ("websocket.close", 1011)
    assert "small@fp32" in caught_up["text"]


def test_of_a_row_that_changes_the_cells_that_stay_are_empty():
    before = '<p data-version="4"><tr data-key="1"><td>1</td><th>a</th>\n<td>x</td></tr>'
    after = '<p data-version="5"><tr data-key="1"><td>2</td><th>a</th>\n<td>x</td></tr>'

    assert changes(before, after, 4) == (
        '<p data-since="4" data-version="5"><tr data-key="1"><td>2</td><td data-kept></td>\n<td data-kept></td></tr>'
    )
    wider = after.replace("<td>x</td>", "<td>x</td><td>y</td>")
    assert changes(before, wider, 4) == wider.replace("data-version", 'data-since="4" data-version')


def test_rows_that_stay_are_their_keys_alone():
    before = '<div data-version="4"><table><tr data-key="1">a</tr><tr data-key="2">b</tr></table></div>'
    after = '<div data-version="5"><table><tr data-key="2">b</tr><tr data-key="1">c</tr></table></div>'

    assert changes(before, after, 4) == (
        '<div data-since="4" data-version="5"><table><tr data-key="2" data-kept></tr>'
        '<tr data-key="1">c</tr></table></div>'
    )
