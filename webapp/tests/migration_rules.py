"""What a migration may not do while the version before it still runs, with the way that is safe (deploy/README.md)."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, RemoveIndexConcurrently
from django.db import connection, models
from django.db.migrations import operations as ops
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.fields import NOT_PROVIDED

# Tables that grow with the work: whatever locks or rewrites one of them stops the platform for minutes.
LARGE = {
    "results.score", "jobs.run", "jobs.runevent", "jobs.jobrun", "catalog.sample", "accounts.auditevent",
    "notices.notice", "notices.delivery",
}  # fmt: skip
GONE = {
    ops.RemoveField: "the version before still uses it: stop using it in one release, remove it in the next",
    ops.DeleteModel: "the version before still uses its table: stop using it in one release, delete it in the next",
    ops.RenameField: "the version before knows only the old name: add, write both, copy, and remove a release later",
    ops.RenameModel: "the version before knows only the old name: keep db_table",
    ops.AlterModelTable: "the version before knows only the old name",
}


def faults(migration: Migration, state: ProjectState) -> Iterator[str]:
    """A sentence per dangerous operation; `state` is the project's before the migration, and is left after it."""
    made = {f"{migration.app_label}.{op.name_lower}" for op in migration.operations if isinstance(op, ops.CreateModel)}
    for operation in migration.operations:
        for said in _of(operation, migration.app_label, state, made):
            yield f"{migration.app_label}.{migration.name}: {operation.describe()}: {said}"
        operation.state_forwards(migration.app_label, state)


def _of(operation: Operation, app: str, state: ProjectState, made: set[str]) -> Iterator[str]:
    if isinstance(operation, ops.SeparateDatabaseAndState):
        yield from (said for inner in operation.database_operations for said in _of(inner, app, state, made))
        return
    table = f"{app}.{getattr(operation, 'model_name_lower', getattr(operation, 'name_lower', ''))}"
    if table in made:
        return
    if type(operation) in GONE:
        yield GONE[type(operation)]
    if isinstance(operation, ops.AddField):
        yield from _added(operation.field)
    if isinstance(operation, ops.AlterField):
        yield from _altered(operation, app, state)
    if table in LARGE:
        yield from _locking(operation)


def _added(field: models.Field) -> Iterator[str]:
    if field.many_to_many or field.null or field.db_default is not NOT_PROVIDED:
        return
    yield "the version before inserts rows without it: give it a db_default, or let it be null"


def _altered(operation: ops.AlterField, app: str, state: ProjectState) -> Iterator[str]:
    before = state.models[app, operation.model_name_lower].fields[operation.name_lower]
    after = operation.field
    if before.null and not after.null:
        yield "the version before still writes null: fill it, add a check that is not valid yet, validate it later"
    old, new = (_type(field) for field in (before, after))
    if old != new and not (new or "").startswith("text"):
        yield f"the column changes from {old} to {new}, which rewrites the table: add another column instead"


def _type(field: models.Field) -> str | None:
    """varchar(20); relations name the type of what they point to only in a whole project, and do not change here."""
    return None if field.is_relation else field.db_type(connection)


def _locking(operation: Operation) -> Iterator[str]:
    if isinstance(operation, ops.AddIndex) and not isinstance(operation, AddIndexConcurrently):
        yield "writing stops while it is built: AddIndexConcurrently, in a migration with atomic = False"
    if isinstance(operation, ops.RemoveIndex) and not isinstance(operation, RemoveIndexConcurrently):
        yield "it waits for every query and holds up those behind it: RemoveIndexConcurrently"
    if isinstance(operation, ops.AddConstraint) and not isinstance(operation, AddConstraintNotValid):
        yield "every row is read under a lock: AddConstraintNotValid, and ValidateConstraint in the next migration"
