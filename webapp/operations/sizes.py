"""How large the database is: now, as PostgreSQL's own books say, and day by day, as a worker wrote it down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from webapp.operations import shares
from webapp.operations.kinds import kinds_of_tables
from webapp.operations.models import SizeOfDay

NOTED_EVERY = timedelta(minutes=10)
DRAWN = timedelta(days=90)
WEEK, MONTH = timedelta(days=7), timedelta(days=30)
LATE = 2  # a size of twice as long ago is none of a week, or month, ago

# Tables with their indexes and long values are measured, not read. Rows are what the planner takes them to be: those of
# the last ANALYZE, scaled to the present size; before the first one, what the statistics have counted.
TABLES = """
SELECT relname, COALESCE(pg_total_relation_size(oid), 0),
    CASE WHEN reltuples >= 0 AND relpages > 0
        THEN reltuples / relpages * (pg_relation_size(oid) / current_setting('block_size')::int)
        ELSE pg_stat_get_live_tuples(oid) END
FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = current_schema()::regnamespace
"""
# The folder is told to whoever may see PostgreSQL's settings, and null to everybody else.
DATABASE = """
SELECT pg_database_size(current_database()), (SELECT setting FROM pg_settings WHERE name = 'data_directory')
"""


@dataclass(frozen=True)
class Size:
    """rows: an estimate; None: not counted."""

    bytes: int = 0
    rows: int | None = None


@dataclass(frozen=True)
class Database:
    """By the keys of `kinds.KINDS`. folder: where PostgreSQL keeps it on its machine, if it tells."""

    total: int
    kinds: Mapping[str, Size]
    folder: str | None = None

    @property
    def bytes(self) -> dict[str, int]:
        return {kind: size.bytes for kind, size in self.kinds.items()}


def database() -> Database:
    """Two queries that read no table."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        kinds = _by_kind(cursor.fetchall())
        cursor.execute(DATABASE)
        total, folder = cursor.fetchone()
    rest = total - sum(size.bytes for size in kinds.values())
    return Database(total, {**kinds, "system": Size(max(0, rest))}, folder)


def by_kind() -> dict[str, int]:
    """Bytes of our tables, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        return {kind: size.bytes for kind, size in _by_kind(cursor.fetchall()).items()}


def _by_kind(tables: Sequence[tuple[str, int, float | None]]) -> dict[str, Size]:
    kinds = kinds_of_tables()
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for table, size, rows in tables:
        of = sums[kinds.get(table, "other")]
        of[0] += size
        of[1] += round(rows or 0)
    return {kind: Size(size, rows) for kind, (size, rows) in sums.items()}


def note() -> bool:
    """From time to time: write down how large everything is, unless it was just done. The last one of a day stays."""
    now = timezone.now()
    if SizeOfDay.objects.filter(at__gt=now - NOTED_EVERY).exists():
        return False
    found, scores = database(), shares.scores_by_team()
    teams = {str(team): [size, scores.get(team, 0)] for team, size in shares.shares(found.bytes, scores).items()}
    values = {"at": now, "total": found.total, "kinds": found.bytes, "teams": teams}
    SizeOfDay.objects.update_or_create(day=now.astimezone(UTC).date(), defaults=values)
    return True


def history(now: datetime) -> list[SizeOfDay]:
    """The days that are drawn, oldest first, without their teams."""
    return list(SizeOfDay.objects.filter(at__gt=now - DRAWN).defer("teams").order_by("day"))


def latest() -> SizeOfDay | None:
    return SizeOfDay.objects.order_by("-day").first()


def as_of(days: Sequence[SizeOfDay], now: datetime, ago: timedelta) -> SizeOfDay | None:
    """The last size that is at least so old; None where none was written down about then."""
    old = [one for one in days if now - LATE * ago < one.at <= now - ago]
    return old[-1] if old else None
