"""PostgreSQL's advisory locks: what only one process at a time may do, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from django.db import connection


class Lock(IntEnum):
    """What it is about; a second number says which one. A number stays: other versions are at work meanwhile."""

    CLAIMING = 7461
    LANDING = 7462
    ORDERING = 7463
    REMOVING = 7464


@contextmanager
def alone(lock: Lock, key: int) -> Iterator[bool]:
    """Whether no other session is at it. It is held across transactions, until the end or the session's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, key])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, key])
