"""How much goes: rows by kind, and about how many bytes they take. Two queries, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import F, IntegerField, Sum, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from webapp.jobs.models import Run
from webapp.removals.parts import Part, Rows
from webapp.results.models import Score

SCORES = "sample scores"
# With indexes and what is stored out of line; rows that were never counted by ANALYZE say nothing.
WEIGHT = """SELECT relname, pg_total_relation_size(oid) / greatest(reltuples, 1) FROM pg_class
    WHERE relkind = 'r' AND reltuples > 0 AND relname = ANY(%s) AND relnamespace = current_schema()::regnamespace"""


def counted(parts: Sequence[Part]) -> tuple[dict[str, int], int]:
    """Rows by kind, the whole before what it consists of; and bytes on disk, by the average of each table.

    Scores are counted as their runs say: there can be millions.
    """
    told = [part for part in reversed(parts) if part.kind]
    runs = next(part.rows for part in told if part.rows.model is Run)
    numbers = counts([part.rows for part in told])
    found: dict[str, int] = {}
    by_table: dict[str, int] = {}
    for part, count in zip(told, numbers, strict=True):
        found[part.kind] = found.get(part.kind, 0) + count
        table = part.rows.model._meta.db_table
        by_table[table] = by_table.get(table, 0) + count
        if part.rows.model is Run:
            found[SCORES] = by_table[Score._meta.db_table] = _scores(runs) if count else 0
    return {kind: count for kind, count in found.items() if count}, _bytes(by_table)


def counts(many: Sequence[Rows]) -> list[int]:
    """Of each of these querysets, in one statement."""
    asked, values = list[str](), list[Any]()
    for rows in many:
        sql, params = rows.order_by().annotate(one=Value(1)).values("one").query.sql_with_params()
        asked.append(f"(SELECT count(*) FROM ({sql}) AS one)")  # noqa: S608
        values += params
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(asked)}", values)
        return list(cursor.fetchone())


def _scores(runs: Rows) -> int:
    attempts = Coalesce(Cast(KT("settings__attempts"), IntegerField()), 1)
    return runs.order_by().aggregate(stored=Sum(F("done") * attempts))["stored"] or 0


def _bytes(by_table: Mapping[str, int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(WEIGHT, [list(by_table)])
        return round(sum(by_table[table] * float(each) for table, each in cursor.fetchall()))
