"""Boards on which an entry stands follow it at once: to the team that gets it, and away when it is being deleted."""

from __future__ import annotations

import re

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.services import create_team
from webapp.catalog.models import Benchmark, EntryVersion, ModelEntry, Suite
from webapp.leaderboards.models import Leaderboard
from webapp.removals.services import hand_over, remove_entry
from webapp.tests import factories
from webapp.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def heirs(alice: User) -> Team:
    return create_team(actor=alice, name="heirs", title="Heirs")


@pytest.fixture
def theirs(alice: User, charlie: User, suite: Suite, entry: EntryVersion) -> Leaderboard:
    """Another team's board of what is public here."""
    for model in (ModelEntry, Benchmark, Suite):
        model.objects.update(visibility=Visibility.PUBLIC)
    rivals = create_team(actor=charlie, name="rivals", title="Rivals")
    factories.job(charlie, rivals, suite, [entry])
    factories.worker()
    for _ in range(2):
        factories.finish([True, False, True, True])
    return factories.refresh(factories.board(charlie, rivals, "theirs", suite))


def entries_on(client: Client, board: Leaderboard) -> set[str]:
    """Where the rows of a board lead; each of them opens."""
    page = client.get(reverse("leaderboards:leaderboard", args=[board.team.name, board.name])).content.decode()
    found = set(re.findall(r'href="(/entries/[^"]+/[^"]+/)"', page))
    assert {address: client.get(address).status_code for address in found} == dict.fromkeys(found, 200)
    return found


def test_rows_lead_to_the_team_that_got_the_entry(client, alice, charlie, team, heirs, theirs):
    client.force_login(charlie)
    assert entries_on(client, theirs) == {"/entries/lab/small/"}
    hand_over(actor=alice, team=team, to=heirs)
    assert entries_on(client, theirs) == {"/entries/heirs/small/"}


def test_open_boards_hear_of_it(alice, charlie, team, heirs, theirs):
    scope = {"type": "websocket", "path": "ws/boards/rivals/theirs/", "headers": [], "query_string": b""}

    async def heard() -> str:
        socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), {**scope, "user": charlie})
        await socket.send_input({"type": "websocket.connect"})
        assert (await socket.receive_output(5))["type"] == "websocket.accept"
        assert "/entries/lab/small/" in (await socket.receive_output(5))["text"]
        await database_sync_to_async(hand_over)(actor=alice, team=team, to=heirs)
        pushed = (await socket.receive_output(5))["text"]
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(5)
        return str(pushed)

    assert "/entries/heirs/small/" in async_to_sync(heard)()


def test_a_board_shows_no_entry_that_is_being_deleted(client, alice, entry, board, runs):
    """Its order is computed anew later; the worker that does so may be busy."""
    client.force_login(alice)
    assert entries_on(client, board) == {"/entries/lab/small/", "/entries/lab/large/"}
    remove_entry(actor=alice, entry=entry.entry, name="small")
    assert board.standings.filter(contender__version=entry).exists(), "it is not refreshed yet"
    assert entries_on(client, board) == {"/entries/lab/large/"}


def test_the_preview_leads_to_boards_that_its_reader_may_see(client, alice, team, heirs, entry, board, runs):
    """The entry was handed over; its old team, of which nobody is any more, has it on a board."""
    ModelEntry.objects.filter(pk=entry.entry_id).update(team=heirs)
    team.memberships.all().delete()
    client.force_login(alice)
    preview = client.get(reverse("removals:delete_entry", args=["heirs", "small"])).context["preview"]
    assert preview.links == ()
