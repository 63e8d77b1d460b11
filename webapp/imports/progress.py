"""How far an import is, written beside its own transaction: nobody could see it otherwise before the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from webapp.imports.models import ImportProgress

SECONDS = 0.5


class Stopped(Exception):
    """Somebody cancelled the import while it was being read."""


class Teller:
    """Called with the number of rows so far; writes it now and then, on a connection of its own."""

    def __init__(self, pk: int, connection: BaseDatabaseWrapper) -> None:
        self.pk, self.connection, self.step, self.told = pk, connection, "reading", 0.0

    def begin(self, step: str) -> None:
        self.step = step
        self.told = 0.0
        self(0)

    def __call__(self, rows: int) -> None:
        """Raises Stopped once somebody has cancelled."""
        now = time.monotonic()
        if now - self.told < SECONDS:
            return
        self.told = now
        table = ImportProgress._meta.db_table
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET rows = %s, step = %s WHERE owner_id = %s RETURNING stop",  # noqa: S608 - our name
                [rows, self.step, self.pk],
            )
            answer = cursor.fetchone()
        if answer and answer[0]:
            raise Stopped


@contextmanager
def telling(pk: int) -> Iterator[Teller]:
    connection = connections.create_connection("default")
    try:
        yield Teller(pk, connection)
    finally:
        connection.close()
