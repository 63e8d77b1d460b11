"""Live pages: one fragment, drawn once per process and change, pushed to every socket that shows it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction

from webapp.clients import viewer_of
from webapp.frames import Frame
from webapp.metrics import DRAWINGS

if TYPE_CHECKING:  # it is left of accounts, whose changes it tells
    from webapp.accounts.models import User

log = logging.getLogger("crosstable.live")
SEND_SECONDS = 2.0
PAUSE_SECONDS = 10.0  # in which nothing is pushed, after a push that waited in vain
OPEN_SECONDS = 5.0
BEAT_SECONDS = 60.0
EVERY_ROOM = "rooms"
GONE = 4404  # to the page: do not try again
CROWDED = 4429  # to the page: poll, and try again later
UNHEARD = (OSError, RuntimeError)  # what uvicorn raises to who sends: nobody is there, or it closes by itself


def publish(group: str, **message: Any) -> None:
    """Tell a group after commit that something has a new version. Messages carry ids and versions only.

    A layer that is down costs liveness, never data: pages poll while their socket is away, and rooms look for
    themselves now and then.
    """
    transaction.on_commit(partial(_send, group, {"type": "changed", **message}))


def look_again(*, team: int | None = None, person: int | None = None) -> None:
    """After commit, in every process: open pages of a team, of a person, or of that person in that team are closed for
    those who may not see them any more. Call it wherever somebody may see less than before."""
    transaction.on_commit(partial(_send, EVERY_ROOM, {"type": "look", "team": team, "person": person}))


class _Pause:
    """A change may have a thousand groups to tell: it waits for a silent layer once, not once for each of them."""

    until = 0.0


def _send(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None or time.monotonic() < _Pause.until:
        return
    try:
        async_to_sync(_within_patience)(layer, group, message)
    except TimeoutError as error:
        _Pause.until = time.monotonic() + PAUSE_SECONDS
        log.warning("cannot push to %s: %r; nothing is pushed for %d s", group, error, PAUSE_SECONDS)
    except Exception as error:  # whatever the layer's client raises, the commit stands
        log.warning("cannot push to %s: %r", group, error)


async def _within_patience(layer: Any, group: str, message: dict[str, Any]) -> None:
    """A layer whose host is frozen or cut off refuses nothing and answers nothing: the writer goes on without it."""
    async with asyncio.timeout(SEND_SECONDS):
        await layer.group_send(group, message)


class LivePage(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A socket that keeps one fragment of a page up to date.

    The page connects with `?version=` of what it shows; the socket answers with the fragment at once when there is a
    newer one (so a reconnect catches up), and again after every change. A page that takes its time gets the newest one
    next, not all that it missed. With `?packed=1` it is a binary message with gzip, with `?changes=1` too without the
    rows that the page has already. It opens once no change is missed any more: before that no page is live. A page that
    the person may not see is accepted and closed with 4404: a refused handshake would look like a network fault, and
    the page would try again for ever. So is one more than a person, or a stranger's address, may have open (4429).
    """

    # It hears of changes in its room: a channel for each of a thousand sockets takes longer than all else.
    channel_layer_alias = "none"
    sockets: Counter[str] = Counter()  # that are open in this process, by whose they are
    owner = ""
    room: Room | None = None
    seen: Frame | None = None
    following: asyncio.Task[None] | None = None
    closing: asyncio.Task[None] | None = None
    pk: int
    team: int

    def find(self, user: User | AnonymousUser) -> bool:
        """Look the subject and its team up for this person; False when there is nothing that they may see."""
        raise TypeError("a live page says how it is found")

    @property
    def group(self) -> str:
        raise TypeError("a live page has a group")

    def version(self) -> int:
        raise TypeError("a live page has a version")

    def ages(self) -> bool:
        """Whether it says something that becomes wrong without a new version: it is drawn anew each minute."""
        return False

    def key(self) -> tuple[Any, ...]:
        """Pages with equal keys show the same."""
        raise TypeError("a live page has a key")

    def render(self) -> str:
        raise TypeError("a live page renders a fragment")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.owner = viewer_of(scope)
        self.sockets[self.owner] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.sockets[self.owner] -= 1
            if not self.sockets[self.owner]:
                del self.sockets[self.owner]

    async def connect(self) -> None:
        asked = self.query
        self.packed, self.partial = asked.get("packed") == "1", asked.get("changes") == "1"
        self.shown = _number(asked.get("version", ""))
        if not await database_sync_to_async(self.find)(self.scope["user"]):
            await self._turn_away(GONE)
            return
        self.news = asyncio.Event()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                self.room = await Room.entered(self)
        except TimeoutError:  # a frozen layer: the page must not take itself for live, but poll and try again
            await self.close()
            return
        except Crowded:
            await self._turn_away(CROWDED)
            return
        if self not in self.room.viewers:  # closed meanwhile
            return
        await self.accept()
        version, drawn = await database_sync_to_async(self._found_version)(), self.room.frame
        if version is None:
            self.room.part_with([self])
        if self not in self.room.viewers:
            return
        self.following = asyncio.create_task(self._follow(self.room))
        if drawn and drawn.version != version:  # its message was lost, or is still on its way
            self.room.changed.set()

    async def _turn_away(self, code: int) -> None:
        await self.accept()
        await self.close(code=code)

    def _found_version(self) -> int | None:
        """None where it was hidden after it was found: before the room could hear of it."""
        return self.version() if self.finds_again(self.scope["user"]) else None

    def finds_again(self, user: User | AnonymousUser) -> bool:
        """Whether they still see the same: by now its name may be another's. Finding sets what is shown: of a copy."""
        again = copy(self)
        return again.find(user) and again.key() == self.key()

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1")))

    async def disconnect(self, code: int) -> None:
        if self.following:
            self.following.cancel()
        if self.room:
            await self.room.left(self)

    async def _follow(self, room: Room) -> None:
        with suppress(*UNHEARD):  # who is gone is told by another message
            while True:
                await self.news.wait()
                self.news.clear()
                frame = room.frame
                if frame is None or frame is self.seen:
                    continue
                if self.seen is not None or frame.version != self.shown:
                    await self._show(frame)
                self.seen, self.shown = frame, frame.version

    async def _show(self, frame: Frame) -> None:
        if self.packed and self.partial and frame.since == self.shown:
            await self.send(bytes_data=frame.changes)
        elif self.packed:
            await self.send(bytes_data=await frame.whole())
        else:
            await self.send(text_data=frame.html)


def _number(version: str) -> int:
    return int(version) if version.isdigit() and len(version) < 10 else -1


class Crowded(Exception):
    """Who asks has as many pages open, or has opened as many views, as they may."""


class Room:
    """The sockets of this process that show one subject in one view. A change is drawn once, however many look.

    Several changes while one is being drawn become one. The first drawing is made when the room opens, so that the
    first change is known from it. A room that cannot go on closes its sockets: their pages connect again and catch up.
    Each room is a drawing at every change, so one person, or one stranger's address, may open only so many; a room that
    is open takes everybody.
    """

    rooms: dict[Hashable, Room] = {}

    def __init__(self, key: Hashable, page: LivePage) -> None:
        self.key, self.page = key, page
        self.viewers: set[LivePage] = set()
        self.frame: Frame | None = None
        self.changed, self._opening, self._looking = asyncio.Event(), asyncio.Lock(), asyncio.Lock()
        self._work: asyncio.Task[None] | None = None

    @classmethod
    async def entered(cls, viewer: LivePage) -> Room:
        """Once it returns no change is missed any more. Raises Crowded."""
        if viewer.sockets[viewer.owner] > settings.LIVE_SOCKETS:
            raise Crowded
        key = (asyncio.get_running_loop(), *viewer.key())
        room = cls.rooms.get(key) or cls._made(key, viewer)
        room.viewers.add(viewer)
        viewer.news.set()
        try:
            async with room._opening:
                if room._work is None:
                    await room._open()
        except BaseException:
            await room.left(viewer)
            raise
        return room

    @classmethod
    def _made(cls, key: Hashable, viewer: LivePage) -> Room:
        if sum(room.page.owner == viewer.owner for room in cls.rooms.values()) >= settings.LIVE_VIEWS:
            raise Crowded
        return cls.rooms.setdefault(key, cls(key, viewer))

    async def left(self, viewer: LivePage) -> None:
        self.viewers.discard(viewer)
        if self.viewers or self.rooms.get(self.key) is not self:
            return
        del self.rooms[self.key]
        if self._work:
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _open(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(self.page.group, channel)
        await layer.group_add(EVERY_ROOM, channel)
        self.changed.set()
        self._work = asyncio.create_task(self._run(layer, channel))

    async def _run(self, layer: Any, channel: str) -> None:
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(self._hear(layer, channel))
                work.create_task(self._draw())
                work.create_task(self._beat())
        except* Exception:
            log.exception("pages of %s are closed and connect again", self.page.group)
            self.rooms.pop(self.key, None)
            self.part_with(list(self.viewers), code=1011)
        finally:
            await layer.group_discard(self.page.group, channel)
            await layer.group_discard(EVERY_ROOM, channel)

    async def _hear(self, layer: Any, channel: str) -> None:
        while True:
            message = await layer.receive(channel)
            if message["type"] == "look":
                await self.look(message["team"], message["person"])
            else:
                self.changed.set()

    async def _beat(self) -> None:
        """Messages may be lost: of a change, and of who may not see it any more."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            await self.look()
            if self.viewers and self.frame and await database_sync_to_async(self._is_old)(self.frame):
                self.changed.set()

    def _is_old(self, frame: Frame) -> bool:
        return self.page.version() != frame.version or self.page.ages()

    async def look(self, team: int | None = None, person: int | None = None) -> None:
        """Part with those who may not see it any more. One question for each person, strangers being one."""
        if team not in {None, self.page.team}:
            return
        async with self._looking:
            asked = {viewer.scope["user"].pk: viewer for viewer in self.viewers}
            if person is not None:
                asked = {person: asked[person]} if person in asked else {}
            blind = await database_sync_to_async(_blind)(asked) if asked else set()
            self.part_with([one for one in self.viewers if one.scope["user"].pk in blind])

    def part_with(self, viewers: Iterable[LivePage], code: int = GONE) -> None:
        """Nothing that is drawn from now on reaches them. Each is told by itself, however long that takes: a page that
        does not read holds up what is sent to it, its close too, and hears of it when it reads again."""
        for viewer in self.viewers.intersection(viewers):
            self.viewers.discard(viewer)
            if viewer.following:
                viewer.following.cancel()
            viewer.closing = asyncio.create_task(_closed(viewer, code))

    async def _draw(self) -> None:
        while True:
            await self.changed.wait()
            self.changed.clear()
            try:
                frame = await database_sync_to_async(_drawn)(self.page, self.frame)
            except ObjectDoesNotExist:  # deleted: nobody finds it
                await self.look()
                if self.viewers:
                    raise
                continue
            async with self._looking:  # it may show what some may not see any more: they go first
                self.frame = frame
                for viewer in self.viewers:
                    viewer.news.set()


def _blind(asked: Mapping[int | None, LivePage]) -> set[int | None]:
    """Those who do not find their page any more, as who they are now: accounts may be closed."""
    active = get_user_model().objects.filter(is_active=True)
    people: dict[int | None, Any] = {None: AnonymousUser(), **active.in_bulk(asked.keys() - {None})}
    return {pk for pk, page in asked.items() if pk not in people or not page.finds_again(people[pk])}


async def _closed(viewer: LivePage, code: int) -> None:
    with suppress(*UNHEARD):
        await viewer.close(code=code)


def _drawn(page: LivePage, before: Frame | None) -> Frame:
    if before:
        DRAWINGS.inc()
    return Frame(page.render(), before)
