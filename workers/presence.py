"""A worker process says that it lives: to Postgres (for people) and to its supervisor (for the kill)."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from django.db import Error, connection

from webapp.jobs import leases

log = logging.getLogger("crosstable.worker")
SECONDS = 5.0
# The supervisor watches this file's time: a process that cannot touch it (frozen, GIL held for ever) is killed.
PULSE = "CROSSTABLE_PULSE"


class Presence(threading.Thread):
    """A daemon thread with a connection of its own; a database that is away makes it wait, not fail."""

    def __init__(self, name: str) -> None:
        super().__init__(name="presence", daemon=True)
        self.worker = name
        self.over = threading.Event()

    def run(self) -> None:
        while True:
            self._beat()
            if self.over.wait(SECONDS):
                return

    def _beat(self) -> None:
        pulse = os.environ.get(PULSE)
        if pulse:
            Path(pulse).touch()
        try:
            leases.worker_alive(self.worker)
        except Error as error:
            log.warning("cannot reach the database: %s", error)
            connection.close()

    def stop(self) -> None:
        self.over.set()
        try:
            leases.worker_stopped(self.worker)
        except Error as error:
            log.warning("could not say goodbye: %s", error)
