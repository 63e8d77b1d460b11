"""Many bare WebSockets in a process of their own, for bench.sockets: what came to each of them, and when.

`python -m bench.viewers PORT PATH COUNT` prints a line when all are open; when its input ends it prints one object:
{"arrivals": for each viewer [[time, digest], ...], "bodies": {digest: base64 of the message}}.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import struct
import sys
import time
from functools import partial

BINARY, TEXT, PING, PONG = 2, 1, 9, 10
OPENING = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)
AT_ONCE = 50


class Viewer(asyncio.Protocol):
    """Reads frames of a server, which are neither masked nor, here, in parts."""

    bodies: dict[str, bytes] = {}

    def __init__(self, opening: str) -> None:
        self.opening, self.data = opening.encode(), bytearray()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.arrivals: list[tuple[float, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        transport.write(self.opening)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError(f"closed before it opened: {bytes(self.data[:200])!r}"))

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.opened.done():
            self._open()
        while self.opened.done() and (frame := self._frame()):
            self._take(*frame)

    def _open(self) -> None:
        head, ended, rest = self.data.partition(b"\r\n\r\n")
        if ended:
            assert head.startswith(b"HTTP/1.1 101"), bytes(head)
            self.data = rest
            self.opened.set_result(None)

    def _frame(self) -> tuple[int, bytes] | None:
        if len(self.data) < 2:
            return None
        size, start = self.data[1] & 127, 2
        if size > 125:
            form, start = (">H", 4) if size == 126 else (">Q", 10)
            if len(self.data) < start:
                return None
            size = struct.unpack(form, self.data[2:start])[0]
        if len(self.data) < start + size:
            return None
        kind, body = self.data[0] & 15, bytes(self.data[start : start + size])
        del self.data[: start + size]
        return kind, body

    def _take(self, kind: int, body: bytes) -> None:
        if kind in {BINARY, TEXT}:
            at, digest = time.time(), hashlib.md5(body, usedforsecurity=False).hexdigest()
            self.arrivals.append((at, digest))
            self.bodies.setdefault(digest, body)
        elif kind == PING:
            self.transport.write(bytes([128 | PONG, 128 | len(body), 0, 0, 0, 0]) + body)


async def look(port: int, path: str, count: int) -> None:
    loop = asyncio.get_running_loop()
    viewers: list[Viewer] = []
    for _ in range(0, count, AT_ONCE):
        key = base64.b64encode(os.urandom(16)).decode()
        opening = OPENING.format(path=path, port=port, key=key)
        made = [
            loop.create_connection(partial(Viewer, opening), "127.0.0.1", port)
            for _ in range(min(AT_ONCE, count - len(viewers)))
        ]
        some = [viewer for _, viewer in await asyncio.gather(*made)]
        await asyncio.gather(*(viewer.opened for viewer in some))
        viewers += some
    print("open", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    bodies = {digest: base64.b64encode(body).decode() for digest, body in Viewer.bodies.items()}
    print(json.dumps({"arrivals": [viewer.arrivals for viewer in viewers], "bodies": bodies}), flush=True)
    os._exit(0)  # a thousand polite farewells are not measured


if __name__ == "__main__":
    asyncio.run(look(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
