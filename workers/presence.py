"""A worker process says that it lives: to Postgres (for people) and to its supervisor (for the kill)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.db import Error, connection

from webapp.jobs import leases
from webapp.jobs.leases import Usage
from webapp.jobs.models import Worker
from workers.supervisor import DRAINED, PULSE
from workers.usage import Throughput, usage

log = logging.getLogger("crosstable.worker")
SECONDS = 5.0
# A worker at work tells of progress several times a second; one that has not for so long hangs outside the model
# (inside, its own time limit ends it) and is left to its supervisor.
SILENT_SECONDS = 120.0


class Presence(threading.Thread):
    """A daemon thread with a connection of its own; a database that is away makes it wait, not fail.

    introduce: tells the database who this worker is, where it is not known any more.
    """

    def __init__(self, name: str, device: str = "cpu", introduce: Callable[[], object] | None = None) -> None:
        super().__init__(name="presence", daemon=True)
        self.worker, self.device, self.introduce = name, device, introduce
        self.throughput = Throughput()
        self.mode: str = Worker.Mode.WORKING
        self.started_drained = False  # whoever starts a drained worker again finds it waiting, not ending for ever
        self.over = threading.Event()
        self._moved: float | None = None

    def busy(self) -> None:
        """The process has work in hand, and has just got on with it."""
        self._moved = time.monotonic()

    def idle(self) -> None:
        self._moved = None

    @property
    def hangs(self) -> bool:
        moved = self._moved  # the worker may be idle the next moment
        return moved is not None and time.monotonic() - moved > SILENT_SECONDS

    def run(self) -> None:
        while True:
            self._beat()
            if self._drained():
                log.warning("drained: this worker ends")
                self.stop()
                os._exit(DRAINED)
            if self.over.wait(SECONDS):
                return

    def _beat(self) -> None:
        if self.hangs:
            log.error("no progress for %.0f s: this worker keeps silent until it is killed", SILENT_SECONDS)
            return
        # A process that cannot touch this file (frozen, GIL held for ever) is killed by its supervisor.
        pulse = os.environ.get(PULSE)
        if pulse:
            Path(pulse).touch()
        try:
            mode = leases.worker_alive(self.worker, self._usage())
            if mode is None and self.introduce:
                self.introduce()
            self.mode = mode or Worker.Mode.WORKING
        except Error as error:
            log.warning("cannot reach the database: %s", error)
            connection.close()
        if self.mode == Worker.Mode.WORKING:
            self.started_drained = False

    def _usage(self) -> Usage | None:
        """None where its device cannot be asked (a driver that failed): that is no reason to be taken for dead."""
        try:
            return usage(self.device, self.throughput)
        except Exception as error:
            log.warning("cannot tell what is used of %s: %s", self.device, error)
            return None

    def _drained(self) -> bool:
        """Whether people asked it to end, and it has nothing in hand. What the database said is older than this look:
        a run that was claimed meanwhile was claimed before, and shows."""
        return self.mode == Worker.Mode.DRAINING and not self.started_drained and self._moved is None

    def stop(self) -> None:
        self.over.set()
        try:
            leases.worker_stopped(self.worker)
        except Error as error:
            log.warning("could not say goodbye: %s", error)
