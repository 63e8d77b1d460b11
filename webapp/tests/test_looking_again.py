"""Who may not see a live page any more gets nothing that is drawn from then on; all others stay."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F
from django.urls import reverse

from webapp import live
from webapp.accounts import services as accounts
from webapp.accounts.models import User
from webapp.jobs.models import Worker
from webapp.leaderboards import drawing
from webapp.leaderboards import services as boards
from webapp.leaderboards.models import Leaderboard
from webapp.live import LivePage, Room, publish
from webapp.removals import work
from webapp.removals.services import remove_entry, remove_team
from webapp.tests import factories
from webapp.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
MAIN = "ws/boards/lab/main/"
Viewer = User | AnonymousUser
CLOSED: list[object] = [4404]
SENT: list[object] = ["websocket.send"]
QUIET: list[object] = []


async def knocked(user: Viewer, path: str) -> ApplicationCommunicator:
    scope = {"type": "websocket", "path": path, "headers": [], "user": user, "query_string": b""}
    socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
    await socket.send_input({"type": "websocket.connect"})
    return socket


async def accepted(user: Viewer, path: str) -> ApplicationCommunicator:
    socket = await knocked(user, path)
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    return socket


async def opened(user: Viewer, path: str) -> ApplicationCommunicator:
    socket = await accepted(user, path)
    assert (await socket.receive_output(5))["type"] == "websocket.send"
    return socket


async def first_answer(user: Viewer, path: str) -> object:
    socket = await accepted(user, path)
    answer = await heard(socket)
    await left(socket)
    return answer


async def left(socket: ApplicationCommunicator) -> None:
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(5)


async def heard(socket: ApplicationCommunicator) -> object:
    answer = await socket.receive_output(10)
    return answer.get("code", answer["type"])


def after(act: Callable[[], object], *pages: tuple[Viewer, str, list[object]]) -> list[list[object]]:
    """What each of these open pages, of which so much is awaited, is sent by something that happens."""

    async def watch() -> list[list[object]]:
        sockets = [await opened(user, path) for user, path, _ in pages]
        await database_sync_to_async(act)()
        answers = []
        for socket, (_, _, awaited) in zip(sockets, pages, strict=True):
            answers.append([await heard(socket) for _ in awaited])
            if not await socket.receive_nothing(0.3):
                answers[-1].append(await heard(socket))
        for socket in sockets:
            await left(socket)
        return answers

    return async_to_sync(watch)()


def check(act: Callable[[], object], *pages: tuple[Viewer, str, list[object]]) -> None:
    assert after(act, *pages) == [awaited for *_, awaited in pages]


@pytest.fixture
def main(alice: User, board: Leaderboard) -> Leaderboard:
    boards.refresh(board_id=board.pk)
    boards.change_leaderboard(actor=alice, board=board, visibility="public")
    boards.refresh(board_id=board.pk)
    return board


def pushed(board: Leaderboard) -> None:
    publish(f"leaderboard.{board.pk}", board=board.pk)


def test_strangers_leave_a_board_that_is_public_no_more(main, alice, bob, charlie):
    def hide() -> None:
        boards.change_leaderboard(actor=alice, board=main, visibility="team")
        pushed(main)

    nobody = AnonymousUser()
    at_order = MAIN + "tournament/"
    check(hide, (charlie, MAIN, CLOSED), (nobody, MAIN, CLOSED), (bob, MAIN, SENT), (charlie, at_order, CLOSED))


def test_who_is_removed_from_a_team_leaves_its_board_and_its_jobs(board, job, alice, bob, rita):
    def remove() -> None:
        accounts.remove_member(actor=alice, team=board.team, user=bob)
        pushed(board)
        publish(f"job.{job.pk}", job=job.pk)

    at_job = f"ws/jobs/{job.pk}/"
    check(remove, (bob, MAIN, CLOSED), (bob, at_job, CLOSED), (rita, MAIN, SENT), (rita, at_job, SENT))


def test_a_lesser_role_leaves_what_is_private(main, alice, bob):
    accounts.set_member(actor=alice, team=main.team, username="bob", role="owner")
    boards.change_leaderboard(actor=alice, board=main, visibility="private")

    def demote() -> None:
        accounts.set_member(actor=alice, team=main.team, username="bob", role="reviewer")

    check(demote, (bob, MAIN, CLOSED), (alice, MAIN, QUIET))


def test_nobody_is_left_at_a_team_that_is_deleted(main, alice, bob, charlie):
    def remove() -> None:
        remove_team(actor=alice, team=main.team, name="lab")

    check(remove, *((person, MAIN, CLOSED) for person in (alice, bob, charlie, AnonymousUser())))


def test_nobody_is_shown_the_next_board_of_that_name(main, alice, bob, suite):
    """Its room was found by a name, and finding says which board is drawn."""

    def replace() -> None:
        Leaderboard.objects.filter(pk=main.pk).update(name="old", visibility="removed")
        factories.board(alice, main.team, "main", suite)
        live.look_again(team=main.team_id)
        pushed(main)

    check(replace, (bob, MAIN, CLOSED))


def test_a_job_goes_with_its_entry(job, alice, entry, other_entry, suite):
    alone, other = (factories.job(alice, job.team, suite, [one]) for one in (entry, other_entry))
    factories.worker()
    for _ in range(4):
        factories.finish([True] * 4)

    removal = remove_entry(actor=alice, entry=entry.entry, name="small")

    def work_on_it() -> None:
        while not work.work_on(removal_id=removal.pk):
            pass

    check(work_on_it, (alice, f"ws/jobs/{alone.pk}/", CLOSED), (alice, f"ws/jobs/{other.pk}/", QUIET))


def test_what_is_deleted_before_it_is_drawn_is_gone(main, alice, caplog):
    @transaction.atomic
    def delete() -> None:
        pushed(main)
        Leaderboard.objects.filter(pk=main.pk).delete()

    check(delete, (alice, MAIN, CLOSED))
    assert not caplog.records


def test_who_is_locked_out_by_an_operator_hears_nothing_more(main, alice, bob, admin_client):
    def lock_out() -> None:
        address = reverse("admin:accounts_user_change", args=[bob.pk])
        assert admin_client.post(address, {"is_active": ""}).status_code == 302

    check(lock_out, (bob, MAIN, CLOSED), (alice, MAIN, QUIET))


def test_a_drawing_under_way_reaches_only_those_who_still_may_see_it(main, alice, bob, charlie, monkeypatch):
    draw = drawing.standings
    monkeypatch.setattr(drawing, "standings", lambda *asked: (time.sleep(0.3), draw(*asked))[1])

    @transaction.atomic
    def change() -> None:
        pushed(main)
        boards.change_leaderboard(actor=alice, board=main, visibility="team")

    check(change, (charlie, MAIN, CLOSED), (bob, MAIN, SENT))


def test_what_is_hidden_while_a_page_opens_is_not_shown(main, alice, charlie, monkeypatch):
    """Before its room is there to hear of it."""
    enter = Room.entered

    async def entered(viewer: LivePage) -> Room:
        hide = partial(boards.change_leaderboard, actor=alice, board=main, visibility="team")
        await database_sync_to_async(hide)()
        return await enter(viewer)

    monkeypatch.setattr(Room, "entered", entered)
    assert async_to_sync(first_answer)(charlie, MAIN) == 4404


def test_what_was_lost_on_its_way_is_made_up_for(main, alice, bob, charlie, monkeypatch):
    """A push of a new version, and the word that strangers may look no more."""
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.2)

    def change_in_silence() -> None:
        Leaderboard.objects.filter(pk=main.pk).update(version=F("version") + 1, visibility="team")

    check(change_in_silence, (charlie, MAIN, CLOSED), (bob, MAIN, SENT))


def test_an_open_page_of_a_job_that_waits_says_why_as_it_is_now(job, bob, monkeypatch):
    """Nothing of the job itself changes when the only worker is paused."""
    factories.worker("w1")

    async def watch() -> None:
        socket = await opened(bob, f"ws/jobs/{job.pk}/")
        for mode in ("paused", "working"):
            await Worker.objects.aupdate(mode=mode)
            async with asyncio.timeout(10):
                while ("is paused or draining" in (await socket.receive_output(10))["text"]) != (mode == "paused"):
                    pass
        await left(socket)

    monkeypatch.setattr(live, "BEAT_SECONDS", 0.2)
    async_to_sync(watch)()


def test_a_page_that_shows_all_is_left_alone(job, main, bob, monkeypatch):
    factories.worker()
    for _ in range(4):
        factories.finish([True] * 4)
    assert factories.refresh(main).report.changes
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.1)
    check(lambda: None, *((bob, path, QUIET) for path in (MAIN, MAIN + "tournament/", f"ws/jobs/{job.pk}/")))


def test_a_page_that_opens_while_the_layer_is_frozen_is_refused_and_does_not_take_itself_for_live(
    main, bob, monkeypatch
):
    class Frozen:
        async def new_channel(self) -> str:
            await asyncio.sleep(60)
            return ""

    monkeypatch.setattr(live, "OPEN_SECONDS", 0.2)

    async def answers() -> list[object]:
        socket = await knocked(bob, MAIN)
        answer = await socket.receive_output(5)
        await left(socket)
        return [answer["type"], socket.output_queue.qsize()]

    monkeypatch.setattr(live, "get_channel_layer", Frozen)
    assert async_to_sync(answers)() == ["websocket.close", 0], "nothing was accepted, so the page tries again"
    assert not Room.rooms


def test_a_page_that_is_closed_while_it_opens_is_not_accepted_after_all(main, alice, bob, monkeypatch):
    """Its room hears that it is not for them any more while they are on their way in."""
    entered = Room.entered

    async def on_the_way(viewer: LivePage) -> Room:
        room = await entered(viewer)
        await database_sync_to_async(boards.change_leaderboard)(actor=alice, board=main, visibility="private")
        await room.look()
        return room

    async def answers() -> list[object]:
        socket = await knocked(bob, MAIN)
        answer = await socket.receive_output(5)
        await left(socket)
        return [answer["type"], socket.output_queue.qsize()]

    monkeypatch.setattr(Room, "entered", on_the_way)
    assert async_to_sync(answers)() == ["websocket.close", 0]


def test_one_question_for_each_person_of_the_teams_pages_alone(main, alice, bob, charlie, monkeypatch):
    theirs = charlie.memberships.get().team
    suite = factories.suite(charlie, theirs, "sums", [factories.benchmark(charlie, theirs, "plus")])
    boards.refresh(board_id=factories.board(charlie, theirs, "other", suite).pk)
    pages = [(one, MAIN, QUIET) for one in (*[AnonymousUser()] * 4, *[bob] * 3, charlie)]
    asked: list[tuple[int, str]] = []

    def look() -> None:
        finds = LivePage.finds_again
        monkeypatch.setattr(
            LivePage, "finds_again", lambda page, user: asked.append((page.team, user.username)) or finds(page, user)
        )
        live.look_again(team=main.team_id)
        live.look_again(person=charlie.pk)

    check(look, *pages, (charlie, "ws/boards/charlie/other/", QUIET))
    of_the_team = [(main.team_id, name) for name in ("", "bob", "charlie")]
    assert sorted(asked) == sorted([*of_the_team, (main.team_id, "charlie"), (theirs.pk, "charlie")])
