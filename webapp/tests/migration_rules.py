"""What a migration may not do while the version before it still runs, with the way that is safe (deploy/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.contrib.postgres import operations as postgres
from django.db import connection, models
from django.db.migrations import operations as ops
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.expressions import Value
from django.db.models.fields import NOT_PROVIDED
from django.db.models.functions import Now

# All others grow with the work: whatever locks or rewrites one of them stops the platform for minutes.
SMALL = {
    "accounts.user", "accounts.team", "accounts.membership", "accounts.token", "accounts.invitation",
    "notices.preference", "notices.webhook",
    "catalog.modelentry", "catalog.entryversion", "catalog.contender", "catalog.price", "catalog.benchmark",
    "catalog.benchmarkversion", "catalog.suite", "catalog.suiteitem", "catalog.calibrationset",
    "jobs.endingtotal", "jobs.spendingtotal", "jobs.worker", "results.featureupload",
    "leaderboards.leaderboard", "leaderboards.savedview", "releases.release",
    "reviews.review", "reviews.reviewer", "reviews.verdict", "reviews.comment", "reviews.samplecomment",
    "imports.import", "imports.importprogress", "removals.removal", "pages.firststeps", "operations.sizeofday",
}  # fmt: skip
GONE = {
    ops.RemoveField: "the version before still uses it: stop using it in one release, remove it in the next",
    ops.DeleteModel: "the version before still uses its table: stop using it in one release, delete it in the next",
    ops.RenameField: "the version before knows only the old name: add, write both, copy, and remove a release later",
    ops.RenameModel: "the version before knows only the old name: keep db_table",
    ops.AlterModelTable: "the version before knows only the old name",
}
CONCURRENT = "AddIndexConcurrently, in a migration with atomic = False"
# What is not atomic waits for its locks without an end (operations/management/commands/migrate.py).
ALONE = (postgres.AddIndexConcurrently, postgres.RemoveIndexConcurrently, ops.RunPython)
# In SQL by hand, without its comments and the bodies of its functions.
BODIES = re.compile(r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$", re.DOTALL)
TARGET = re.compile(r'\b(?:TABLE|ON|UPDATE|FROM|TRUNCATE)\s+(?:IF EXISTS\s+|ONLY\s+)*"?(\w+)', re.IGNORECASE)
WORDS = {
    r"\b(DROP TABLE|TRUNCATE)\b|\bALTER TABLE\b.*\bDROP (?!CONSTRAINT|DEFAULT|NOT NULL)": (
        "the version before still uses it: stop using it in one release, drop it in the next"
    ),
    r"\bALTER .*\bRENAME\b": "the version before knows only the old name",
    r"\bSET NOT NULL\b": "the version before still writes null",
    r"\bDROP DEFAULT\b": "the version before leaves it to the database",
    r"\bADD (?!CONSTRAINT|CHECK)(?!.*\bDEFAULT\b).*\bNOT NULL\b": "the version before inserts rows without it",
    r"\bALTER (COLUMN )?\S+ (SET DATA )?TYPE\b": "it rewrites the table: add another column instead",
}
WORDS_ON_LARGE = {
    r"\bCREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "writing stops while it is built: CREATE INDEX CONCURRENTLY",
    r"\bDROP INDEX (?!CONCURRENTLY)": "it waits for every query and holds up those behind it: DROP INDEX CONCURRENTLY",
    r"\bADD (CONSTRAINT|CHECK|FOREIGN|UNIQUE)\b(?!.*\bNOT VALID\b)": "every row is read under a lock: NOT VALID",
    r"^\s*(UPDATE|DELETE)\b": "it holds its rows until all is through: in batches, with RunPython",
}


def faults(migration: Migration, state: ProjectState) -> Iterator[str]:
    """A sentence per dangerous operation; `state` is the project's before the migration, and is left after it."""
    made = {f"{migration.app_label}.{op.name_lower}" for op in migration.operations if isinstance(op, ops.CreateModel)}
    for operation in migration.operations:
        for said in (*_beside(operation, migration), *_of(operation, migration.app_label, state, made)):
            yield f"{migration.app_label}.{migration.name}: {operation.describe()}: {said}"
        operation.state_forwards(migration.app_label, state)


def _beside(operation: Operation, migration: Migration) -> Iterator[str]:
    """What depends on the others in its migration."""
    others = [other for other in migration.operations if other is not operation]
    if isinstance(operation, ops.RunPython) and others:
        yield "what the others lock stays locked while it copies: a migration of its own"
    if isinstance(operation, postgres.ValidateConstraint) and others:
        yield "every row is read under the lock of the others: a migration of its own"
    if not migration.atomic and not isinstance(operation, ALONE) and "CONCURRENTLY" not in _sql(operation):
        yield "what is not atomic waits for its locks without an end: a migration of its own, which is atomic"


def _of(operation: Operation, app: str, state: ProjectState, made: set[str]) -> Iterator[str]:
    if isinstance(operation, ops.SeparateDatabaseAndState):
        yield from (said for inner in operation.database_operations for said in _of(inner, app, state, made))
        yield from (said for inner in operation.state_operations for said in _unwritten(inner, app, state))
        return
    table = f"{app}.{getattr(operation, 'model_name_lower', getattr(operation, 'name_lower', ''))}"
    if table in made:
        return
    if isinstance(operation, ops.RunSQL):
        yield from _written(operation, made)
    else:
        yield from _harming(operation, app, state)
        yield from () if table in SMALL else _locking(operation, app, state)


def _harming(operation: Operation, app: str, state: ProjectState) -> Iterator[str]:
    """A table of any size."""
    if type(operation) in GONE:
        yield GONE[type(operation)]
    if isinstance(operation, ops.AddField):
        yield from _added(operation.field)
    if isinstance(operation, ops.AlterField):
        yield from _altered(operation, app, state)
    if isinstance(operation, ops.RemoveConstraint) and _is_unique(operation, app, state):
        yield "the version before may name it in ON CONFLICT: stop that in one release, remove it in the next"


def _unwritten(operation: Operation, app: str, state: ProjectState) -> Iterator[str]:
    """A column that the code forgets and the database keeps."""
    if not isinstance(operation, ops.RemoveField):
        return
    field = state.models[app, operation.model_name_lower].fields[operation.name_lower]
    if not _may_be_left_out(field):
        yield "this version inserts rows without it: give it a db_default, or let it be null, in the same migration"


def _added(field: models.Field) -> Iterator[str]:
    if not _may_be_left_out(field):
        yield "the version before inserts rows without it: give it a db_default, or let it be null"


def _may_be_left_out(field: models.Field) -> bool:
    return bool(field.many_to_many or field.null or field.generated or field.db_default is not NOT_PROVIDED)


def _altered(operation: ops.AlterField, app: str, state: ProjectState) -> Iterator[str]:
    before, after = _field(operation, app, state), operation.field
    if before.null and not after.null:
        yield "the version before still writes null: fill it, add a check that is not valid yet, validate it later"
    if _may_be_left_out(before) and not _may_be_left_out(after) and not before.null:
        yield "the version before leaves it to the database: keep its db_default for a release"
    old, new = (_column(operation.name, field) for field in (before, after))
    if old != new:
        yield GONE[ops.RenameField]
    old, new = (_type(field) for field in (before, after))
    if old != new and not (new or "").startswith("text"):
        yield f"the column changes from {old} to {new}, which rewrites the table: add another column instead"


def _field(operation: ops.AlterField, app: str, state: ProjectState) -> models.Field:
    return state.models[app, operation.model_name_lower].fields[operation.name_lower]


def _column(name: str, field: models.Field) -> str | None:
    named = field.clone()
    named.set_attributes_from_name(name)
    return named.column


def _type(field: models.Field) -> str | None:
    """varchar(20); relations name the type of what they point to only in a whole project, and do not change here."""
    return None if field.is_relation else field.db_type(connection)


def _is_unique(operation: ops.RemoveConstraint, app: str, state: ProjectState) -> bool:
    there = state.models[app, operation.model_name_lower].options.get("constraints", [])
    return any(isinstance(one, models.UniqueConstraint) for one in there if one.name == operation.name)


def _locking(operation: Operation, app: str, state: ProjectState) -> Iterator[str]:
    if isinstance(operation, ops.AddIndex) and not isinstance(operation, postgres.AddIndexConcurrently):
        yield f"writing stops while it is built: {CONCURRENT}"
    if isinstance(operation, ops.RemoveIndex) and not isinstance(operation, postgres.RemoveIndexConcurrently):
        yield "it waits for every query and holds up those behind it: RemoveIndexConcurrently"
    if isinstance(operation, ops.AddConstraint) and not isinstance(operation, postgres.AddConstraintNotValid):
        yield "every row is read under a lock: AddConstraintNotValid, and ValidateConstraint in the next migration"
    if isinstance(operation, ops.AlterUniqueTogether | ops.AlterIndexTogether):
        yield f"writing stops while an index is built: {CONCURRENT}"
    if isinstance(operation, ops.AddField | ops.AlterField):
        before = _field(operation, app, state) if isinstance(operation, ops.AlterField) else None
        yield from _built(operation.field, before)


def _built(field: models.Field, before: models.Field | None) -> Iterator[str]:
    """What comes with a column of a table that is large; of one that is new, its values, too."""
    if _is_indexed(field) and not (before and _is_indexed(before)):
        yield f"writing stops while its index is built: db_index=False, and {CONCURRENT}"
    fixed = field.db_default is NOT_PROVIDED or not hasattr(field.db_default, "resolve_expression")
    if before is None and (field.generated or not (fixed or isinstance(field.db_default, Value | Now))):
        yield "each row gets a value of its own, which rewrites the table: let it be null, and fill it in batches"


def _is_indexed(field: models.Field) -> bool:
    return bool(not field.many_to_many and (field.db_index or field.unique))


def _sql(operation: Operation) -> str:
    """What is written by hand, also inside of SeparateDatabaseAndState."""
    if isinstance(operation, ops.SeparateDatabaseAndState):
        return ";".join(map(_sql, operation.database_operations))
    if not isinstance(operation, ops.RunSQL):
        return ""
    lines = [operation.sql] if isinstance(operation.sql, str) else operation.sql
    return BODIES.sub("", ";".join(line if isinstance(line, str) else line[0] for line in lines))


def _written(operation: ops.RunSQL, made: set[str]) -> Iterator[str]:
    for statement in _sql(operation).split(";"):
        found = TARGET.search(statement)
        table = found[1] if found else ""
        words = {} if table in _tables(made) else WORDS if table in _tables(SMALL) else WORDS | WORDS_ON_LARGE
        yield from (said for pattern, said in words.items() if re.search(pattern, statement, re.IGNORECASE | re.DOTALL))


def _tables(names: set[str]) -> set[str]:
    return {name.replace(".", "_") for name in names}
