"""Live pages: one fragment, rendered once per process and version, pushed to every socket that shows it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

log = logging.getLogger("crosstable.live")
REMEMBERED = 256


def publish(group: str, **message: Any) -> None:
    """Tell a group after commit that something has a new version. Messages carry ids and versions only.

    A layer that is down costs liveness, never data: pages also poll while their socket is away.
    """
    transaction.on_commit(partial(_send, group, {"type": "changed", **message}))


def _send(group: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, message)
    except Exception as error:  # noqa: BLE001 - whatever the layer's client raises, the commit stands
        log.warning("cannot push to %s: %s", group, error)


class RenderOnce:
    """Remembers the future of each rendering, so that a thousand sockets wait for one."""

    def __init__(self) -> None:
        self._futures: OrderedDict[Hashable, asyncio.Future[str]] = OrderedDict()

    async def get(self, key: Hashable, render: Callable[[], Awaitable[str]]) -> str:
        future = self._futures.get(key)
        if future is None or future.get_loop() is not asyncio.get_running_loop():
            future = self._futures[key] = asyncio.ensure_future(render())  # type: ignore[arg-type]
            while len(self._futures) > REMEMBERED:
                self._futures.popitem(last=False)
        try:
            return await asyncio.shield(future)
        except Exception:
            self._futures.pop(key, None)
            raise
