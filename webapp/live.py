"""Live pages: one fragment, rendered once per process and version, pushed to every socket that shows it."""

from __future__ import annotations

import asyncio
import gzip
import logging
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from webapp.accounts.models import User
from webapp.metrics import DRAWINGS

log = logging.getLogger("crosstable.live")
REMEMBERED = 256


def publish(group: str, **message: Any) -> None:
    """Tell a group after commit that something has a new version. Messages carry ids and versions only.

    A layer that is down costs liveness, never data: pages also poll while their socket is away.
    """
    transaction.on_commit(partial(_send, group, {"type": "changed", "token": uuid.uuid4().hex, **message}))


def _send(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, message)
    except Exception as error:  # whatever the layer's client raises, the commit stands
        log.warning("cannot push to %s: %s", group, error)


def _packed(render: Callable[[], str]) -> bytes:
    """A fragment with gzip: a thousand viewers of a large board get bytes that were made once."""
    html = render()
    DRAWINGS.inc()
    return gzip.compress(html.encode(), mtime=0)


class RenderOnce:
    """Remembers the future of each rendering, so that a thousand sockets wait for one."""

    def __init__(self) -> None:
        self._futures: OrderedDict[Hashable, asyncio.Future[bytes]] = OrderedDict()

    async def get(self, key: Hashable, render: Callable[[], Awaitable[bytes]]) -> bytes:
        future = self._futures.get(key)
        if future is None or future.get_loop() is not asyncio.get_running_loop():
            future = self._futures[key] = asyncio.ensure_future(render())
            while len(self._futures) > REMEMBERED:
                self._futures.popitem(last=False)
        try:
            return await asyncio.shield(future)
        except Exception:
            self._futures.pop(key, None)
            raise


class LivePage(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A socket that keeps one fragment of a page up to date.

    The page connects with `?version=` of what it shows; the socket answers with the fragment at once when there is a
    newer one (so a reconnect catches up), and again after every change. Several changes while one is being rendered
    become one push. With `?packed=1` it is a binary message with gzip. A page that the person may not see is accepted
    and closed with 4404: a refused handshake would look like a network fault, and the page would try again for ever.
    """

    rendered = RenderOnce()
    packed = False
    pk: int

    def find(self, user: User | AnonymousUser) -> bool:
        """Look the subject up for this person; False when there is nothing that they may see."""
        raise TypeError("a live page says how it is found")

    @property
    def group(self) -> str:
        raise TypeError("a live page has a group")

    def version(self) -> int:
        raise TypeError("a live page has a version")

    def key(self) -> tuple[Any, ...]:
        raise TypeError("a live page has a key")

    def render(self) -> str:
        raise TypeError("a live page renders a fragment")

    async def connect(self) -> None:
        await self.accept()
        self.packed = self.query.get("packed") == "1"
        if not await database_sync_to_async(self.find)(self.scope["user"]):
            await self.close(code=4404)
            return
        await self.channel_layer.group_add(self.group, self.channel_name)
        version = await database_sync_to_async(self.version)()
        if version != self._claimed_version():
            await self._push(version)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.scope["query_string"].decode("latin-1")))

    def _claimed_version(self) -> int:
        value = self.query.get("version", "")
        return int(value) if value.isdigit() and len(value) < 10 else -1

    async def disconnect(self, code: int) -> None:
        if hasattr(self, "pk"):
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def changed(self, message: dict[str, Any]) -> None:
        await self._push(message["token"])

    async def _push(self, token: Hashable) -> None:
        """All sockets that show this subject and were told of the same change share one rendering."""
        packed = await self.rendered.get((*self.key(), token), database_sync_to_async(partial(_packed, self.render)))
        if self.packed:
            await self.send(bytes_data=packed)
        else:
            await self.send(text_data=gzip.decompress(packed).decode())
