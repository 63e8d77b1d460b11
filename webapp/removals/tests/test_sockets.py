"""Whoever deletes their account stops hearing: their open pages are closed, those of others are not."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter

from webapp.accounts.models import User
from webapp.jobs.models import Job
from webapp.removals.leaving import remove_account
from webapp.tests import factories
from webapp.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)


async def opened(job: Job, user: User) -> ApplicationCommunicator:
    scope = {"type": "websocket", "path": f"ws/jobs/{job.pk}/", "headers": [], "user": user, "query_string": b""}
    socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    assert (await socket.receive_output(5))["type"] == "websocket.send"
    return socket


def test_open_pages_of_the_person_are_closed(job, alice, bob):
    async def watch() -> tuple[object, bool]:
        theirs, others = await opened(job, bob), await opened(job, alice)
        await database_sync_to_async(remove_account)(actor=bob, name="bob", password=factories.PASSWORD)
        closed = await theirs.receive_output(5)
        quiet = await others.receive_nothing(0.3)
        for socket in (theirs, others):
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await socket.wait(5)
        return closed, quiet

    closed, quiet = async_to_sync(watch)()
    assert closed["type"] == "websocket.close"
    assert closed["code"] == 4404, "the page does not try again"
    assert quiet
