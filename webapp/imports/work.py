"""Reading and loading a file, in the analysis worker.

As with reports, the row's lock is the lease: a second ring finds nothing to do, and a worker that dies lets go of it,
so that the sweep's next ring starts anew. Everything that a file makes is written in one transaction.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
import uuid
from typing import Any, BinaryIO

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from evaluation.errors import EvaluationError
from evaluation.importing import read
from evaluation.importing.rows import BadRow
from evaluation.importing.survey import Survey, survey
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import Conflict, DomainError
from webapp.imports import loading, planning, selectors
from webapp.imports.models import SAME_AS, Import
from webapp.imports.progress import Stopped, Teller, telling
from webapp.imports.services import changed, close
from webapp.imports.spool import Spool
from webapp.leaderboards.services import runs_landed
from webapp.locks import Lock, in_peace

log = logging.getLogger("crosstable.imports")
State = Import.State
UNDONE = "Nothing of it was kept."
WAIT_SECONDS = 0.2  # between two looks at whether another import of the team is over
PLANS = 3
RINGS = 2  # of a sweep: imports take their time, and the next sweep rings for the rest


def work_on(*, import_id: int) -> bool:
    """Read an import that waits, and load it unless somebody wants to look first. False: there was nothing to do."""
    if not _begin(import_id):
        return False
    with transaction.atomic():
        job = _locked(import_id)
        if job is None or job.state != State.RUNNING:
            return False
        with telling(job.pk) as tell:
            _finish(job, tell)
    return True


def _begin(import_id: int) -> bool:
    """Say on screen that work begins; give up on a file that took too many workers with it."""
    with transaction.atomic():
        job = _locked(import_id)
        if job is None:
            return False
        if job.attempt >= settings.IMPORT_ATTEMPTS:
            close(job, State.FAILED, f"Its worker was lost {job.attempt} times. {UNDONE}")
            return False
        job.attempt += 1
        job.state, job.reason = State.RUNNING, "The file is being read." if job.look else "The file is being loaded."
        changed(job)
        return True


def _locked(import_id: int) -> Import | None:
    """The import under its lock, if it waits and nobody else is at it."""
    free = Import.objects.select_for_update(skip_locked=True, of=("self",)).select_related("team", "created_by")
    return free.filter(pk=import_id, state__in=[State.QUEUED, State.RUNNING]).first()


def _finish(job: Import, tell: Teller) -> None:
    """Bring it to its end. What goes wrong is told: the file's fault by line, ours by a reference that the log has."""
    try:
        with transaction.atomic():
            _read(job, tell)
    except Stopped:
        close(job, State.CANCELLED, f"Cancelled while it was being read. {UNDONE}")
    except (EvaluationError, DomainError) as error:
        job.problem = _told(error)
        close(job, State.FAILED, " ".join(filter(None, [_sentence(error.message), error.remedy, UNDONE])))
    except Exception:
        reference = uuid.uuid4().hex[:12]
        log.exception("import %s failed, reference %s", job.pk, reference)
        close(job, State.FAILED, f"Internal error. Tell the operator this reference: {reference}")


def _told(error: EvaluationError | DomainError) -> dict[str, Any]:
    """What is wrong with a file, and where."""
    return {
        "file": getattr(error, "file", ""),
        "line": getattr(error, "line", 0),
        "field": error.field,
        "message": _sentence(_capital(getattr(error, "problem", error.message))),
        "remedy": error.remedy,
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _read(job: Import, tell: Teller) -> None:
    with tempfile.TemporaryFile() as file:
        digest = _gather(job, file)
        if job.sha256 and job.sha256 != digest:
            raise BadRow(
                "the bytes are not those that were announced: their SHA-256 differs",
                file=job.name,
                remedy="Upload the file again.",
            )
        job.sha256 = digest
        if (twin := selectors.finished_twin(job.team, digest)) is not None:
            close(job, State.CANCELLED, f"The team imported these bytes already: import {twin.pk}.")
            return
        tell.begin("reading")
        limits = selectors.limits()
        sources = read(file, name=job.name, kind=job.kind, limits=limits)
        with Spool() as spool:
            found = survey(sources, limits, every=tell, keeper=None if job.look else spool)
            if job.look:
                _show(job, planning.plan(job.team, found))
            else:
                _land(job, found, spool, tell)


def _gather(job: Import, file: BinaryIO) -> str:
    """The uploaded pieces in one file, which can be read anywhere. Returns its SHA-256."""
    digest, at = hashlib.sha256(), 0
    while at < job.size:
        data = bytes(job.chunks.get(offset=at).data)
        digest.update(data)
        file.write(data)
        at += len(data)
    return digest.hexdigest()


def _show(job: Import, found: planning.Plan) -> None:
    job.rows, job.summary = found.rows, found.to_json()
    job.state, job.reason = State.READY, "The file is sound. Load it, or cancel the import."
    changed(job)


def _land(job: Import, found: Survey, spool: Spool, tell: Teller) -> None:
    """Plan and load, alone among the team's imports, so that equal runs of two files join.

    What people register meanwhile can take a name that was free: then it is planned once more.
    """
    tell.begin("loading")
    _wait_for_others(job, tell)
    for plans_left in reversed(range(PLANS)):
        try:
            return _load(job, found, spool, tell)
        except (Conflict, IntegrityError):
            if not plans_left:
                raise
    return None


def _wait_for_others(job: Import, tell: Teller) -> None:
    """Until no other import of the team is being loaded; it can be cancelled meanwhile."""
    while not _is_alone(job):
        tell(0)
        time.sleep(WAIT_SECONDS)


def _is_alone(job: Import) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [Lock.LANDING, job.team_id])
        return bool(cursor.fetchone()[0])


@in_peace
@transaction.atomic
def _load(job: Import, surveyed: Survey, spool: Spool, tell: Teller) -> None:
    found = planning.plan(job.team, surveyed)
    job.rows, job.summary = found.rows, found.to_json()
    runs = loading.load(job, found, spool, every=tell)
    runs_landed(runs=runs)
    there = len(found.runs) - len(runs)
    copies = sum(SAME_AS in run.provenance for run in runs)
    said = f"{len(runs)} runs with {found.rows:,} rows." + (f" {there} were there already." if there else "")
    said += f" {copies} {'has' if copies == 1 else 'have'} the scores of a run that was made here." if copies else ""
    close(job, State.DONE, said)
    record(
        actor=job.created_by,
        team=job.team,
        verb="imported",
        target=job,
        after={"runs": len(runs), "sha256": job.sha256},
    )


def ring_again() -> None:
    """From the sweep: imports whose doorbell was lost, or whose worker was."""
    with transaction.atomic():
        for pk in selectors.waiting(RINGS):
            enqueue("load_import", pk)
