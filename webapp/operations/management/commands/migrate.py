"""`manage.py migrate`, beside a version that goes on meanwhile.

A statement that waits for a table holds up all that come after it for as long as it waits: one long export or backup
would stop the platform. So each migration waits for a moment only, lets the others through, and tries again.
"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.models import Index, Model
from psycopg.errors import DeadlockDetected, LockNotAvailable

WAIT_SECONDS = 2  # for a lock; less than the shortest lease
PAUSE_SECONDS = 3  # in which the others go through
PATIENCE = 900.0  # seconds, for all tries


class Briefly(DatabaseSchemaEditor):
    """Waits briefly for locks, and can repeat what was interrupted."""

    def __enter__(self) -> Briefly:
        super().__enter__()
        if self.atomic_migration:  # what is built concurrently waits for others, and they do not wait for it
            self.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
        return self

    def add_index(self, model: type[Model], index: Index, concurrently: bool = False) -> None:
        """A try that was interrupted leaves an index that is not valid, or one that nobody has noted."""
        if concurrently:
            self.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.quote_name(index.name)}")
        super().add_index(model, index, concurrently)


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connection: Any = connections[options["database"]]
        usual, connection.SchemaEditorClass = connection.SchemaEditorClass, Briefly
        until = time.monotonic() + PATIENCE
        try:
            while not self._applied(*args, **options, last=time.monotonic() > until):
                time.sleep(PAUSE_SECONDS)
        finally:
            connection.SchemaEditorClass = usual

    def _applied(self, *args: Any, last: bool, **options: Any) -> bool:
        """What is applied stays so: another try goes on from there."""
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if last or not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise
            self.stderr.write(f"Somebody else uses a table that changes, so the migration tries again soon: {error}")
            return False
        return True
