"""What only one process at a time may do, wherever it runs (PostgreSQL's advisory locks), and what begins again after
two have waited for each other."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import IntEnum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")
DEADLOCKS = 2  # in a row, after each of which a transaction begins again
END_SECONDS = 10.0  # that a session may take to end
CONNECT_SECONDS = 5
HELD = "FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
NOT_KEPT = (
    "DATABASE_URL leads to a pooler that hands sessions on with their locks (PgBouncer: pool_mode is transaction or "
    "statement, or server_reset_query is empty): work would be done twice, or by nobody. Set pool_mode=session and "
    "server_reset_query=DISCARD ALL there, or take the address of PostgreSQL itself."
)


class Lock(IntEnum):
    """What it is about; a second number says which one. A number stays: other versions are at work meanwhile."""

    CLAIMING = 7461
    LANDING = 7462
    ORDERING = 7463
    REMOVING = 7464
    TRYING = 7465


@contextmanager
def alone(lock: Lock, key: int) -> Iterator[bool]:
    """Whether no other session is at it. It is held across transactions, until the end or the session's: see `are_kept`
    for what must not stand in between."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, key])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, key])


def are_kept() -> bool:
    """Whether a connection keeps its locks while it lasts, and no longer. A pooler that hands sessions from client to
    client takes the lock away at once, or leaves it behind: one of these is seen, whichever session it gives to whom.
    With a session of PostgreSQL for each connection neither can be."""
    key = secrets.randbelow(2**31)
    with _session() as first:
        first.execute("SELECT pg_try_advisory_lock(%s, %s)", [Lock.TRYING, key])
        if not _is_mine(first, key):
            return False
    end = time.monotonic() + END_SECONDS
    with _session() as second:
        while (found := _let_go(second, key)) is False and time.monotonic() < end:
            time.sleep(0.05)
    return found is None


@contextmanager
def _session() -> Iterator[Any]:
    """Not one of the pool's, for those do not end."""
    own = connection.copy()
    options = {**own.settings_dict["OPTIONS"], "connect_timeout": CONNECT_SECONDS}
    options.pop("pool", None)
    own.settings_dict["OPTIONS"] = options
    with closing(own), own.cursor() as cursor:
        yield cursor


def _is_mine(cursor: Any, key: int) -> bool:
    cursor.execute(f"SELECT pid = pg_backend_pid() {HELD}", [Lock.TRYING, key])
    return bool(cursor.fetchone() == (True,))


def _let_go(cursor: Any, key: int) -> bool | None:
    """Whether the lock was this session's own, which lets go of it then; None when no session has it."""
    cursor.execute(f"SELECT pid = pg_backend_pid() AND pg_advisory_unlock(%s, %s) {HELD}", [Lock.TRYING, key] * 2)
    row = cursor.fetchone()
    return row and bool(row[0])


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
