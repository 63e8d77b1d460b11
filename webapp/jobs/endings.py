"""How many attempts at runs ended, how, and after how long: counters that only grow, whatever becomes of the runs.

An ending is a row, written in the transaction that ends the attempt; the sweep adds such rows to a few totals. Who
reads adds both up in one statement, hence in one snapshot, in which an ending is in exactly one of them: every process
says the same, nothing is counted twice, and it costs the same after ten runs and after ten million.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from math import inf

from django.db import connection

from webapp.jobs.models import Run

# Seconds: from a hundred questions on a small model to the longest run that the settings allow by default.
EDGES = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, inf)
MOST = 10_000  # endings that one sweep adds up; the next one goes on
# The least edge that is not exceeded. Totals from when there were other edges count under the next larger one.
EDGE = "(SELECT min(edge) FROM unnest(%(edges)s::float8[]) AS edge WHERE edge >= {})"
FOLD = f"""
WITH taken AS (
    DELETE FROM jobs_ending WHERE id = ANY(ARRAY(
        SELECT id FROM jobs_ending ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )) RETURNING kind, {EDGE.format("microseconds / 1e6")} AS edge, microseconds
)
INSERT INTO jobs_endingtotal AS total (kind, edge, count, microseconds)
SELECT kind, edge, count(*), sum(microseconds) FROM taken GROUP BY kind, edge ORDER BY kind, edge
ON CONFLICT (kind, edge) DO UPDATE
SET count = total.count + excluded.count, microseconds = total.microseconds + excluded.microseconds"""  # noqa: S608
LOSE = """
INSERT INTO jobs_ending (kind, microseconds)
SELECT 'lost', greatest(0, 1e6 * extract(epoch FROM statement_timestamp() - started_at))::bigint
FROM jobs_run WHERE id = %s"""
READ = f"""
SELECT kind, edge, sum(count)::bigint, sum(microseconds)::bigint
FROM (
    SELECT kind, {EDGE.format("total.edge")} AS edge, count, microseconds FROM jobs_endingtotal AS total
    UNION ALL
    SELECT kind, {EDGE.format("microseconds / 1e6")}, 1, microseconds FROM jobs_ending
) AS ending
GROUP BY kind, edge"""  # noqa: S608


@dataclass(frozen=True)
class Ended:
    """Attempts that ended in one way: how many within each of EDGES, all shorter ones included, and their seconds."""

    within: tuple[int, ...]
    seconds: float

    @property
    def count(self) -> int:
        return self.within[-1]


def note_loss(run: Run) -> None:
    """The worker of this attempt went silent. Call it in the transaction that deals with the run."""
    with connection.cursor() as cursor:
        cursor.execute(LOSE, [run.pk])


def fold() -> None:
    """From the sweep: endings become part of the totals. Safe to run anywhere, any number of times at once."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD, {"edges": list(EDGES), "most": MOST})


def endings() -> dict[str, Ended]:
    """By `Ending.Kind`, those that ever happened. One query."""
    counts: dict[str, dict[float, int]] = {}
    microseconds: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(READ, {"edges": list(EDGES)})
        for kind, edge, count, taken in cursor.fetchall():
            counts.setdefault(kind, {})[edge] = count
            microseconds[kind] = microseconds.get(kind, 0) + taken
    return {
        kind: Ended(tuple(accumulate(found.get(edge, 0) for edge in EDGES)), microseconds[kind] / 1e6)
        for kind, found in sorted(counts.items())
    }
