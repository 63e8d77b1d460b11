"""Who is answered first where many ask at once.

Threads of one process take turns with the interpreter. A request gives it away with each question to the database and
must win it back, so the more of them are at work, the longer each takes and the more processor time it costs: with
eight at once a fifth more than with three (`bench.submissions`). So a few are at work, and the others wait in order.
Who has waited for long goes in any case: those at work may be waiting themselves, for a lock or for another server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 3
PATIENCE = 0.25  # seconds


class Turns:
    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._free, self._patience = asyncio.Semaphore(at_once), patience

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        mine = await self._won()
        try:
            yield
        finally:
            if mine:
                self._free.release()

    async def _won(self) -> bool:
        """Whether a place became free in time."""
        if not self._free.locked():
            return await self._free.acquire()
        try:
            async with asyncio.timeout(self._patience):
                return await self._free.acquire()
        except TimeoutError:
            return False
