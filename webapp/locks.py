"""What only one process at a time may do, wherever it runs (PostgreSQL's advisory locks), and what begins again after
two have waited for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")
DEADLOCKS = 2  # in a row, after each of which a transaction begins again


class Lock(IntEnum):
    """What it is about; a second number says which one. A number stays: other versions are at work meanwhile."""

    CLAIMING = 7461
    LANDING = 7462
    ORDERING = 7463
    REMOVING = 7464


@contextmanager
def alone(lock: Lock, key: int) -> Iterator[bool]:
    """Whether no other session is at it. It is held across transactions, until the end or the session's: a pooler in
    between must not give the session to others (PgBouncer: pool_mode=session)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, key])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, key])


def in_peace(work: Callable[P, T]) -> Callable[P, T]:
    """For a transaction that may meet another one in a circle of locks: it begins again, and the other one goes on."""

    @wraps(work)
    def tried(*args: P.args, **given: P.kwargs) -> T:
        for _ in range(DEADLOCKS):
            try:
                return work(*args, **given)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return work(*args, **given)

    return tried
