"""The least that a push can be, for bench.sockets to compare with: a consumer that sends bytes when it is told to."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter

GROUP = "echo"


@lru_cache(maxsize=4)
def body(number: int, size: int) -> bytes:
    """The number, and zeros up to so many bytes."""
    return number.to_bytes(8, "big").ljust(size, b"\0")


class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        await self.accept()
        await self.channel_layer.group_add(GROUP, self.channel_name)

    async def told(self, message: dict[str, Any]) -> None:
        await self.send(bytes_data=body(message["number"], message["size"]))


async def ready(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


application = ProtocolTypeRouter({"http": ready, "websocket": Echo.as_asgi()})
