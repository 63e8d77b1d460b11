"""The order of the queue: which run a worker takes next. One statement, decided by Postgres.

Teams take turns: first the team with the fewest runs under way, then the one that was served longest ago. Of its runs
the one of the highest priority goes first, then the one that has waited longest. Priority says nothing to other teams,
for anybody may choose it. A team at its limit of runs at once is passed over. The statement looks at the head of each
lane (team, scheme, class of resources) and never walks the queue, so that 100,000 waiting runs cost what ten do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Count, Min, Q

from webapp.jobs.models import Run

# Runs of a lane that are looked at: as many workers can be claiming from it in the same instant.
DEEP = 16
LANES = """
WITH RECURSIVE lanes AS (
    (SELECT team_id, scheme, resource FROM jobs_run WHERE state = 'queued'
     ORDER BY team_id, scheme, resource LIMIT 1)
    UNION ALL
    SELECT after.team_id, after.scheme, after.resource
    FROM lanes CROSS JOIN LATERAL (
        SELECT team_id, scheme, resource FROM jobs_run
        WHERE state = 'queued' AND (team_id, scheme, resource) > (lanes.team_id, lanes.scheme, lanes.resource)
        ORDER BY team_id, scheme, resource LIMIT 1
    ) AS after
)"""
WAITING = f"{LANES} SELECT DISTINCT resource FROM lanes ORDER BY resource"  # noqa: S608 - constants of ours
NEXT = f"""{LANES}, busy AS (
    SELECT team_id, count(*) AS running FROM jobs_run WHERE state = 'running' GROUP BY team_id
), turns AS (
    SELECT lanes.*, coalesce(busy.running, 0) AS running, served.started_at AS served
    FROM lanes
    JOIN accounts_team AS team ON team.id = lanes.team_id
    LEFT JOIN busy ON busy.team_id = lanes.team_id
    LEFT JOIN LATERAL (
        SELECT started_at FROM jobs_run
        WHERE team_id = lanes.team_id AND started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1
    ) AS served ON true
    WHERE lanes.scheme = ANY(%(schemes)s) AND lanes.resource = ANY(%(resources)s)
      AND (team.running_limit IS NULL OR coalesce(busy.running, 0) < team.running_limit)
)
SELECT run.id
FROM turns CROSS JOIN LATERAL (
    SELECT id, priority, queued_at FROM jobs_run
    WHERE state = 'queued' AND team_id = turns.team_id AND scheme = turns.scheme AND resource = turns.resource
    ORDER BY priority DESC, queued_at, id LIMIT %(deep)s
) AS head
JOIN jobs_run AS run ON run.id = head.id
WHERE run.state = 'queued'
ORDER BY turns.running, turns.served NULLS FIRST, turns.team_id, head.priority DESC, head.queued_at, head.id
LIMIT 1
FOR UPDATE OF run SKIP LOCKED"""  # noqa: S608 - constants of ours


def lock_next(*, schemes: Sequence[str], resources: Sequence[str]) -> int | None:
    """The id of the run that such a worker takes next, locked for this transaction; None: there is none for it."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT, {"schemes": list(schemes), "resources": list(resources), "deep": DEEP})
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def waiting_resources() -> list[str]:
    """The classes that something waits for, without walking the queue."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return [resource for (resource,) in cursor.fetchall()]


def queue_position(run: Run) -> int:
    """1 for the run that its team is served next; teams take turns."""
    before = Q(priority__gt=run.priority) | Q(priority=run.priority, queued_at__lt=run.queued_at)
    before |= Q(priority=run.priority, queued_at=run.queued_at, pk__lt=run.pk)
    return Run.objects.filter(before, team=run.team_id, state=Run.State.QUEUED).count() + 1


@dataclass(frozen=True)
class Depth:
    """Runs that wait for a class of resources, and since when the oldest one does."""

    resource: str
    waiting: int
    oldest: datetime


def depths() -> list[Depth]:
    """One row per class that something waits for; a single query over the index of what waits."""
    rows = Run.objects.filter(state=Run.State.QUEUED).values("resource").order_by("resource")
    return [Depth(**row) for row in rows.annotate(waiting=Count("id"), oldest=Min("queued_at"))]
