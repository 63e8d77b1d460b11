"""Bells: short messages for workers that something is to be done. What it is stands in Postgres.

A web process that answers many requests at once rings for much the same again and again, and a ring takes longer than
a row. There a thread of their own rings: the first at once, and what comes in the moment after it together, equal bells
once. Requests do not wait for a broker that is slow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger("crosstable.doorbell")
GATHER_SECONDS = 0.05
LAST_SECONDS = 3  # that a process which ends gives to its last bells: as long as uvicorn gives to its last requests
# Each worker that took a run rings for the next one, so a few bells wake every worker.
MOST = 16
MOST_ARGUMENTS = 500


@dataclass(frozen=True)
class Bell:
    """A task and its arguments. queue: where; None: where its route leads. joined: two of them may be one with the
    arguments of both, and one that rings twice need ring only once."""

    task: str
    args: tuple[Any, ...] = ()
    queue: str | None = None
    joined: bool = False


class Belfry:
    """Rings at once, with `ring`, before `gather` is called and after `settle`."""

    def __init__(self, ring: Callable[[Bell], None]) -> None:
        self._ring = ring
        self._waiting: SimpleQueue[Bell | None] = SimpleQueue()
        self._ringer: threading.Thread | None = None
        self._last = threading.Event()

    def gather(self) -> None:
        """From now on, in this process: whoever calls it calls `settle` before the process ends."""
        if self._ringer is None:
            self._last.clear()
            self._ringer = threading.Thread(target=self._ring_on, name="bells", daemon=True)
            self._ringer.start()

    def settle(self) -> None:
        """Ring what waits. A broker that does not answer keeps the process for a moment only: the sweep rings again."""
        ringer, self._ringer = self._ringer, None
        if ringer is not None:
            self._last.set()
            self._waiting.put(None)
            ringer.join(LAST_SECONDS)

    def put(self, bell: Bell) -> None:
        if self._ringer is None or not self._ringer.is_alive():  # threads do not live on in a fork
            self._ring(bell)
        else:
            self._waiting.put(bell)

    def _ring_on(self) -> None:
        while not self._last.is_set():
            self._ring_all(self._waiting.get())
            self._last.wait(GATHER_SECONDS)
        self._ring_all()

    def _ring_all(self, *first: Bell | None) -> None:
        gathered = list(first)
        while True:
            try:
                gathered.append(self._waiting.get_nowait())
            except Empty:
                break
        for bell in merged([bell for bell in gathered if bell]):
            try:
                self._ring(bell)
            except Exception:  # the thread must outlive whatever one bell brings about
                log.exception("a bell could not be rung: %s", bell)


def merged(bells: Sequence[Bell]) -> list[Bell]:
    """What is enough, in the order of the first of each."""
    kept: list[Bell] = []
    arguments: dict[Bell, dict[Any, None]] = {}
    for bell in bells:
        if bell.joined:
            arguments.setdefault(replace(bell, args=()), {}).update(dict.fromkeys(bell.args))
        elif kept.count(bell) < MOST:
            kept.append(bell)
    return [*kept, *(part for bell, found in arguments.items() for part in _parts(bell, list(found)))]


def _parts(bell: Bell, args: Sequence[Any]) -> list[Bell]:
    """So many arguments at a time that one message, and the work that it asks for, stays short."""
    return [replace(bell, args=tuple(args[at : at + MOST_ARGUMENTS])) for at in range(0, len(args), MOST_ARGUMENTS)]
