"""Taking away what is hidden already, in the analysis worker: batch by batch, a few seconds at a time.

Each batch is a transaction of its own that also says how far it has come, so that a worker which dies takes nothing
with it: whoever looks next finds the rows that are left, and goes on. A session's lock keeps two from the same removal.
Locks within a batch: runs, then jobs; the team was locked, and its people sent away, when it was asked for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from webapp.accounts.models import Team
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.jobs.models import Job, JobRun, Run
from webapp.jobs.quota import remember
from webapp.jobs.services import settle
from webapp.leaderboards.models import Standing
from webapp.leaderboards.services import refresh
from webapp.live import look_again
from webapp.locks import Lock, alone
from webapp.removals import parts
from webapp.removals.counting import SCORES
from webapp.removals.models import Removal
from webapp.removals.parts import Part, Rows
from webapp.results.models import Score

log = logging.getLogger("crosstable.removals")
State = Removal.State
BATCH = 5000  # rows of a transaction
WHOLE = 20  # rows whose own rows go along with them
SLICE_SECONDS = 2.0  # boards and reports wait behind it in the same worker
QUIET_SECONDS = 10


def work_on(*, removal_id: int) -> bool:
    """Go on with a removal for a moment, and ring for the rest. Returns whether it is over now."""
    with alone(Lock.REMOVING, removal_id) as mine:
        removal = Removal.objects.select_related("created_by").filter(pk=removal_id, state=State.RUNNING).first()
        if not mine or removal is None:
            return False
        try:
            over = _go_on(removal, time.monotonic() + SLICE_SECONDS)
        except IntegrityError as error:  # somebody added to it while it went: the next look begins anew
            log.warning("removal %s %s meets new rows: %s", removal.pk, removal, error)
            return False
    if not over:
        enqueue("remove", removal_id)
    return over


def ring_again() -> None:
    """From the sweep: removals whose doorbell was lost, or whose worker was."""
    late = Removal.objects.filter(state=State.RUNNING, touched_at__lt=Now() - timedelta(seconds=QUIET_SECONDS))
    for pk in late.order_by("pk").values_list("pk", flat=True):
        enqueue("remove", pk)


def _go_on(removal: Removal, until: float) -> bool:
    if removal.kind == Removal.Kind.ENTRY:
        _refresh_boards(removal)
    of = parts.of_entry if removal.kind == Removal.Kind.ENTRY else parts.of_team
    for part in of(removal.target):
        while _batch(removal, part):
            if time.monotonic() > until:
                return False
    _finish(removal)
    return True


def _refresh_boards(removal: Removal) -> None:
    """Its runs count no more: who looks at a board sees its rows go, as with any other change of the board."""
    rows = Standing.objects.filter(contender__version__entry=removal.target)
    before = rows.count()
    for pk in sorted(set(rows.exclude(leaderboard__stale_since=None).values_list("leaderboard", flat=True))):
        refresh(board_id=pk)
    _note(removal, {parts.BOARD_ROWS: before - rows.count()})


@transaction.atomic
def _batch(removal: Removal, part: Part) -> bool:
    """Take some rows of a part away. Returns whether there were any."""
    if part.clears:
        return _cleared(part)
    if part.along is None:
        return _note(removal, {part.kind: deleted(part.rows, BATCH)})
    return _whole(removal, part)


def _cleared(part: Part) -> bool:
    chosen = list(part.rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
    return bool(chosen and part.rows.model._default_manager.filter(pk__in=chosen).update(**{part.clears: None}))


def _whole(removal: Removal, part: Part) -> bool:
    """Some rows with their own. Of scores only a part, where they are many: then the rows stay for the next batch."""
    chosen = part.rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True)
    pks = list(chosen[:WHOLE])
    if not pks or part.along is None:
        return False
    touched = _jobs_that_stay(removal, part, pks)
    for rows in part.along(pks):
        scores = rows.model is Score
        count = deleted(rows, BATCH if scores else None)
        if scores and _note(removal, {SCORES: count}) and count == BATCH:
            return True
    if part.rows.model is Run:
        remember(pks)
    _note(removal, {part.kind: deleted(part.rows.model._default_manager.filter(pk__in=pks))})
    for pk in touched:
        _settle(pk)
    return True


def _jobs_that_stay(removal: Removal, part: Part, pks: Sequence[int]) -> list[int]:
    """Ids of jobs that lose some of their runs, in order; their own rows are locked after the runs."""
    if part.rows.model is not Run:
        return []
    of_runs = JobRun.objects.filter(run__in=pks).values("job")
    stay = Job.objects.filter(pk__in=of_runs).exclude(team=_team(removal))
    return list(stay.order_by("pk").values_list("pk", flat=True))


def _team(removal: Removal) -> int:
    """Whose jobs are not worth settling, because they go next; none for an entry."""
    return removal.target if removal.kind == Removal.Kind.TEAM else 0


def _settle(pk: int) -> None:
    """What the job says of its runs is of those that are left; when it ended does not change."""
    job = Job.objects.select_for_update().get(pk=pk)
    before = job.finished_at  # read under the lock: a worker may have ended the job a moment ago
    settle(job, tells=False)
    if before:
        Job.objects.filter(pk=pk, finished_at__isnull=False).update(finished_at=before)


def deleted(rows: Rows, most: int | None = None) -> int:
    """Delete these rows, or so many of them, and nothing that refers to them; returns how many."""
    table = connection.ops.quote_name(rows.model._meta.db_table)
    places = rows.order_by().annotate(place=RawSQL(f"{table}.ctid", [])).values("place")[:most]  # noqa: S611
    sql, params = places.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({sql}))", params)  # noqa: S608
        return int(cursor.rowcount)


def _note(removal: Removal, counts: Mapping[str, int]) -> bool:
    """Keep how many rows of which kind are gone. Returns whether there were any."""
    if not any(counts.values()):
        return False
    for kind, count in counts.items():
        if kind:
            removal.removed[kind] = removal.removed.get(kind, 0) + count
    Removal.objects.filter(pk=removal.pk).update(removed=removal.removed, touched_at=Now())
    return True


@transaction.atomic
def _finish(removal: Removal) -> None:
    Removal.objects.filter(pk=removal.pk).update(state=State.DONE, finished_at=Now())
    team = Team(pk=removal.team_id)  # there may be none any more; the log needs none
    record(actor=removal.created_by, team=team, verb="deleted", target=removal, after=removal.removed)
    look_again(team=removal.team_id)  # at jobs and searches that went with an entry
