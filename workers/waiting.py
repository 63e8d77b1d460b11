"""What a worker does while the database is away: it waits, and goes on where it was."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from workers.presence import Presence

log = logging.getLogger("crosstable.worker")
T = TypeVar("T")
AWAY = (OperationalError, InterfaceError)
PAUSE = 0.5  # seconds between two attempts
PATIENCE = 900.0  # seconds after which the work in hand is given up to the sweep


def patiently(call: Callable[[], T], *, presence: Presence, stopping: Event) -> T:
    """The result of a call that may be made twice, made again until the database answers.

    A commit whose answer was lost may have happened: the call must find out, or be refused by the lease. Raises the
    database's error after `PATIENCE`. A worker that is to stop makes a call once more, for it may be its connection
    alone that is old.
    """
    began, again = time.monotonic(), False
    while True:
        try:
            return call()
        except AWAY as error:
            hurry = again and stopping.is_set()
            if connection.in_atomic_block or hurry or time.monotonic() - began > PATIENCE:
                raise
            again = True
            log.warning("the database is away (%s): waiting", str(error).partition("\n")[0])
            connection.close()
            presence.busy()
            stopping.wait(PAUSE)
