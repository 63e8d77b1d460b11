"""Querysets whose SQL is made once.

Building a queryset and its SQL takes Django five to twenty times as long as sending it and reading the answer, and
PostgreSQL plans for longer than it looks rows up. Where the same question is asked hundreds of times a second, by each
call of REST, that is most of the time of the call.

PostgreSQL keeps one plan of each, whatever the values (`plan_cache_mode`, see plans.py): nothing but the stand-ins is a
parameter, so that the plan can rely on the rest, and use an index of queued runs where queued runs are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import groupby
from typing import Any, Generic, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import BooleanField, DateField, F, Field, Func, Model, QuerySet, Value
from django.db.models.expressions import DatabaseDefault
from django.db.models.query import get_related_populators
from psycopg.sql import Literal

PLACES = re.compile(r"%[%s]")
M = TypeVar("M", bound=Model)


class Prepared(Generic[M]):
    """The queryset that `build(*stand_ins)` gives; called with real values in the place of the stand-ins.

    stand_ins: one value for each parameter, of the type of the real ones, that occurs nowhere else in the query: that
    is how its places in the SQL are found. All else is fixed with the first call, so `build` must not look at the clock
    (`Now()` does) or at anything else that changes. `prefetch_related` is not followed. Raises ValueError, at the first
    call, for a stand-in that is not in the SQL.
    """

    def __init__(self, build: Callable[..., QuerySet[M, Any]], *stand_ins: object) -> None:
        self._build, self._stand_ins = build, stand_ins

    def __call__(self, *values: object) -> list[M]:
        return self.ask(*values).all()

    def first(self, *values: object) -> M | None:
        """Of a queryset that is sliced to one row: building it here would be late."""
        return self.ask(*values).first()

    def rows(self, *values: object) -> list[Sequence[Any]]:
        """Each row as the SELECT has it: for querysets of values, their values in order."""
        return self.ask(*values).rows()

    def ask(self, *values: object) -> Asked[M]:
        """Sent now, to be read later: see `at_once`."""
        return Asked(self._statement, values)

    @cached_property
    def _statement(self) -> _Statement:
        return _Statement(self._build(*self._stand_ins), self._stand_ins)


class Asked(Generic[M]):
    """A question that is on its way, with its answer as soon as somebody reads it."""

    def __init__(self, statement: _Statement, values: Sequence[object]) -> None:
        self._statement, self._database = statement, _database()
        with _ready(self._database):
            made: Any = ServerBindingCursor
            self._cursor = made(self._database.connection)
            _execute(self._database, self._cursor, statement.sql, [values[slot] for slot in statement.slots])

    def all(self) -> list[M]:
        return [self._statement.instance(row) for row in self.rows()]

    def first(self) -> M | None:
        return next(iter(self.all()), None)

    def rows(self) -> list[Sequence[Any]]:
        """Once: they are not kept."""
        with self._database.wrap_database_errors, self._cursor:
            return self._statement.converted(self._cursor.fetchall(), self._database)


@contextmanager
def at_once() -> Iterator[None]:
    """One trip to the server for all that is asked and inserted inside, as long as nothing is read before its end.

    A thread that waits for an answer gives the interpreter away and must wait for it again, so each trip costs more
    than what is asked. Inside, nobody learns how many rows a statement has changed: do not `save` there.
    """
    database = _database()
    with _ready(database), database.connection.pipeline():
        yield


class PreparedInsert(Generic[M]):
    """`bulk_create`, with its SQL made once for each choice of fields that say something: what all rows leave at the
    model's default is written into it."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._sqls: dict[tuple[Field[Any, Any], ...], str] = {}

    def __call__(self, rows: Sequence[M]) -> list[M]:
        """Those that were inserted, now with their ids: what breaks a unique constraint is left out. What was left to
        the database is read from there when somebody asks for it."""
        inserted = []
        for alike in self._alike(rows):
            with _cursor() as cursor:
                self._send(cursor, alike, returning=True)
                for row in alike:
                    for (row.pk,) in cursor:
                        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
                        self._forget(row)
                        inserted.append(row)
                    cursor.nextset()
        return inserted

    def append(self, rows: Sequence[M]) -> None:
        """The same where nobody asks for the ids: the rows get none."""
        for alike in self._alike(rows):
            with _cursor() as cursor:
                self._send(cursor, alike, returning=False)

    def _alike(self, rows: Sequence[M]) -> list[Sequence[M]]:
        """In their order; apart where one leaves to the database what the next one says."""
        if not self._left:
            return [rows]
        return [list(alike) for _, alike in groupby(rows, lambda row: [_is_left(row, name) for name in self._left])]

    @cached_property
    def _left(self) -> list[str]:
        """The fields whose default is the database's alone."""
        return [field.attname for field, usual in self._usual.items() if isinstance(usual, DatabaseDefault)]

    def _forget(self, row: M) -> None:
        for name in self._left:
            if _is_left(row, name):
                delattr(row, name)

    def _send(self, cursor: Any, rows: Sequence[M], *, returning: bool) -> None:
        database, said = _database(), self._said(rows)
        values = [self._values(row, said, database) for row in rows]
        if len(values) == 1:  # without the pipeline that sends many at once
            _execute(database, cursor, self._sql(said), values[0])
        elif values:
            cursor.executemany(self._sql(said), values, returning=returning)

    @cached_property
    def _usual(self) -> dict[Field[Any, Any], Any]:
        """What each field holds when nobody has set it; _VARIES for those that make a value for each row."""
        fields = [field for field in self._model._meta.concrete_fields if not field.primary_key]
        return {field: _VARIES if _makes_values(field) else field.get_default() for field in fields}

    def _said(self, rows: Sequence[M]) -> tuple[Field[Any, Any], ...]:
        stated = [vars(row) for row in rows]
        return tuple(
            field for field, usual in self._usual.items() if any(each[field.attname] != usual for each in stated)
        )

    def _sql(self, said: tuple[Field[Any, Any], ...]) -> str:
        if said not in self._sqls:
            self._sqls[said] = self._insert(said)
        return self._sqls[said]

    def _insert(self, said: tuple[Field[Any, Any], ...]) -> str:
        quoted = _database().ops.quote_name
        columns = ", ".join(quoted(field.column) for field in self._usual)
        values = ", ".join(self._place(field) if field in said else self._literal(field) for field in self._usual)
        table, key = quoted(self._model._meta.db_table), quoted("id")
        return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING {key}"  # noqa: S608

    def _literal(self, field: Field[Any, Any]) -> str:
        if field.attname in self._left:
            return "DEFAULT"
        database = _database()
        return _written(database, field.get_db_prep_save(self._usual[field], database))

    @staticmethod
    def _place(field: Any) -> str:
        return field.get_placeholder(None, None, _database()) if hasattr(field, "get_placeholder") else "%s"

    def _values(self, row: M, said: Iterable[Field[Any, Any]], database: Any) -> list[Any]:
        return [field.get_db_prep_save(field.pre_save(row, add=True), database) for field in said]


_VARIES = object()


def _is_left(row: Model, name: str) -> bool:
    return isinstance(vars(row)[name], DatabaseDefault)


def _makes_values(field: Field[Any, Any]) -> bool:
    if isinstance(field, DateField):
        return field.has_default() or field.auto_now or field.auto_now_add
    made = field.has_default() and callable(field.default) and field.default not in (dict, list)
    return made or type(field).pre_save is not Field.pre_save


class OneOf(Func):
    """`filter(OneOf("name", values, CharField()))` for `name__in=values`, whose SQL would differ with their number."""

    template, arg_joiner = "%(expressions)s)", " = ANY("
    output_field = BooleanField()

    def __init__(self, name: str, values: Sequence[Any], of: Field[Any, Any]) -> None:
        super().__init__(F(name), Value(list(values), output_field=ArrayField(of)))


def _database() -> Any:
    """The thread's own connection, looked up once and not, as `django.db.connection` is, for each of its attributes."""
    return connections[DEFAULT_DB_ALIAS]


@contextmanager
def _ready(database: Any) -> Iterator[None]:
    database.ensure_connection()
    database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        yield


@contextmanager
def _cursor() -> Iterator[Any]:
    """Values travel beside the SQL, so that the server can keep its plan; Django's own cursors write them into it."""
    database = _database()
    made: Any = ServerBindingCursor
    with _ready(database), made(database.connection) as cursor:
        yield cursor


def _execute(database: Any, cursor: Any, sql: str, params: Sequence[Any]) -> None:
    """By way of Django's wrappers only where somebody listens to queries: they look at each call three times."""
    listened = database.queries_logged or database.execute_wrappers
    (database._prepare_cursor(cursor) if listened else cursor).execute(sql, params)


class _Statement:
    """What Django's compiler knows after it has compiled, without the compiler: that one belongs to a connection."""

    def __init__(self, queryset: QuerySet[Any, Any], stand_ins: Sequence[object]) -> None:
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        sql, params = compiler.as_sql()
        slots = [self._slot(param, stand_ins) for param in params]
        missing = set(range(len(stand_ins))) - set(slots)
        if missing:
            raise ValueError(f"The stand-in {stand_ins[min(missing)]!r} is no parameter of: {sql}")
        self.sql = _with_literals(sql, params, slots)
        self.slots = [slot for slot in slots if slot is not None]
        columns = [column for column, *_ in compiler.select[: compiler.col_count]]
        self.converters = [(at, *found) for at, found in compiler.get_converters(columns).items()]
        self.annotations = compiler.annotation_col_map or {}
        self.klass = compiler.klass_info
        if self.klass:
            first, last = self.klass["select_fields"][0], self.klass["select_fields"][-1] + 1
            self.own = slice(first, last)
            self.names = [column.target.attname for column in columns[first:last]]
            self.related = get_related_populators(self.klass, compiler.select, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]

    @staticmethod
    def _slot(param: object, stand_ins: Sequence[object]) -> int | None:
        """Which stand-in it is."""
        same = (at for at, stand_in in enumerate(stand_ins) if type(param) is type(stand_in) and param == stand_in)
        return next(same, None)

    def converted(self, rows: list[Sequence[Any]], database: Any) -> list[Sequence[Any]]:
        return [self._converted(row, database) for row in rows] if self.converters else rows

    def _converted(self, row: Sequence[Any], database: Any) -> list[Any]:
        converted = list(row)
        for at, converters, expression in self.converters:
            for convert in converters:
                converted[at] = convert(converted[at], expression, database)
        return converted

    def instance(self, row: Sequence[Any]) -> Any:
        found = self.klass["model"].from_db(DEFAULT_DB_ALIAS, self.names, row[self.own])
        for populator in self.related:
            populator.populate(row, found)
        for name, at in self.annotations.items():
            setattr(found, name, row[at])
        return found


def _with_literals(sql: str, params: Sequence[Any], slots: Sequence[int | None]) -> str:
    """The SQL with all written into it that is no stand-in."""
    database = _database()
    database.ensure_connection()
    left = iter(zip(params, slots, strict=True))

    def written(place: re.Match[str]) -> str:
        if place[0] == "%%":
            return "%%"
        param, slot = next(left)
        return "%s" if slot is not None else _written(database, param)

    return PLACES.sub(written, sql)


def _written(database: Any, value: object) -> str:
    return Literal(value).as_string(database.connection).replace("%", "%%")
