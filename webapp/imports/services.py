"""What people do with imports: begin one, send its bytes, have it read, load it, cancel it. Reading is in work.py."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone

from evaluation.importing import FORMATS, detect
from evaluation.importing.rows import BadRow
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import Conflict, TooLarge, Unprocessable
from webapp.imports import selectors
from webapp.imports.models import Import, ImportChunk, ImportProgress
from webapp.live import publish

State = Import.State
SHA256 = re.compile(r"[0-9a-f]{64}")
UPLOADS = 20  # that one person may have under way at a time
DROPPED = 20  # of those that are abandoned, at a time
AUTO = "auto"


class WrongOffset(Conflict):
    """Bytes that do not continue what is there. offset: where to go on."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(
            f"The upload goes on at byte {offset}.", field="Upload-Offset", remedy="Send the bytes from there."
        )


@dataclass(frozen=True)
class ImportRequest:
    """size: bytes. sha256: of all of them, where it is known. kind: a key of FORMATS, or auto: by the name.

    look: stop when the file has been read, for a look at what it would make.
    """

    name: str
    size: int
    sha256: str = ""
    kind: str = AUTO
    look: bool = False
    visibility: str = Visibility.TEAM


@transaction.atomic
def begin_import(*, actor: User, team: Team, request: ImportRequest) -> tuple[Import, bool]:
    """Returns the import and whether it is new.

    Bytes that the team has imported already answer with that import; bytes that the same person is uploading, with that
    upload, to go on from its offset.
    """
    require(actor, team, May.SUBMIT)
    name, kind = _checked(request)
    User.objects.select_for_update().get(pk=actor.pk)  # two equal requests at once: the second one waits
    earlier = _earlier(actor, team, request)
    if earlier:
        return earlier, False
    if Import.objects.filter(created_by=actor, state=State.UPLOADING).count() >= UPLOADS:
        raise Conflict(f"{UPLOADS} uploads are under way.", field="name", remedy="Finish or cancel some of them.")
    made = Import.objects.create(
        team=team,
        created_by=actor,
        visibility=request.visibility,
        name=name,
        kind=kind,
        size=request.size,
        sha256=request.sha256,
        look=request.look,
    )
    ImportProgress.objects.create(owner=made)
    record(actor=actor, team=team, verb="began import", target=made, after={"size": made.size, "kind": kind})
    return made, True


def _checked(request: ImportRequest) -> tuple[str, str]:
    """The file's name without its folders, and its kind."""
    name = re.split(r"[\\/]", request.name)[-1].strip()[:200]
    if not name.isprintable() or not name:
        raise Unprocessable("This is not a file name.", field="name", remedy="Give the name of the file.")
    if not 1 <= request.size <= settings.IMPORT_BYTES:
        problem = "The file is empty." if request.size < 1 else f"It has more than {settings.IMPORT_BYTES:,} bytes."
        raise Unprocessable(problem, field="size", remedy="Split it by runs, or ask the operator for more room.")
    if request.sha256 and not SHA256.fullmatch(request.sha256):
        raise Unprocessable("This is not a SHA-256.", field="sha256", remedy="Give 64 lower-case hex digits.")
    if request.kind not in {AUTO, *FORMATS}:
        raise Unprocessable(f"{request.kind} is not a format.", field="kind", remedy=f"Known: {', '.join(FORMATS)}.")
    try:
        return name, detect(name) if request.kind == AUTO else request.kind
    except BadRow as error:
        raise Unprocessable(error.problem, field="name", remedy=error.remedy) from error


def _earlier(actor: User, team: Team, request: ImportRequest) -> Import | None:
    if not request.sha256:
        return None
    same = Import.objects.filter(team=team, created_by=actor, sha256=request.sha256, size=request.size)
    return selectors.finished_twin(team, request.sha256) or same.filter(state__in=selectors.OPEN).last()


def _locked(job: Import) -> Import:
    return Import.objects.select_for_update(of=("self",)).select_related("team", "created_by").get(pk=job.pk)


@transaction.atomic
def append_chunk(*, actor: User, job: Import, offset: int, data: bytes) -> Import:
    """The bytes from `offset` on, which must be where the upload stands. Raises WrongOffset, which says where."""
    require(actor, job.team, May.SUBMIT)
    if len(data) > settings.IMPORT_CHUNK_BYTES:
        raise TooLarge(f"A piece may have {settings.IMPORT_CHUNK_BYTES:,} bytes.", remedy="Send smaller pieces.")
    job = _locked(job)
    if job.state != State.UPLOADING:
        raise Conflict(f"This import takes no more bytes: it is {job.get_state_display().lower()}.", field="state")
    if offset != job.received:
        raise WrongOffset(job.received)
    if job.received + len(data) > job.size:
        raise Unprocessable(f"There are more bytes than the {job.size:,} that were announced.", field="size")
    if data:
        ImportChunk.objects.create(owner=job, offset=offset, data=data)
        job.received += len(data)
        job.touched_at = timezone.now()
        job.save(update_fields=["received", "touched_at"])
    return job


def import_file(
    *, actor: User, team: Team, file: UploadedFile[bytes], look: bool = True, visibility: str = Visibility.TEAM
) -> Import:
    """A whole file from a form, by way of the same pieces."""
    request = ImportRequest(name=file.name or "", size=file.size or 0, look=look, visibility=visibility)
    with transaction.atomic():
        job, _ = begin_import(actor=actor, team=team, request=request)
        for data in file.chunks(settings.IMPORT_CHUNK_BYTES):
            job = append_chunk(actor=actor, job=job, offset=job.received, data=data)
        return finish_upload(actor=actor, job=job)


@transaction.atomic
def finish_upload(*, actor: User, job: Import) -> Import:
    """All bytes are there: have them read. Safe to call twice."""
    require(actor, job.team, May.SUBMIT)
    job = _locked(job)
    if job.state != State.UPLOADING:
        return job
    if job.received != job.size:
        raise WrongOffset(job.received)
    return _queue(job, "Waiting for the analysis worker.")


@transaction.atomic
def load_import(*, actor: User, job: Import) -> Import:
    """Somebody has looked at what the file would make, and wants it. Safe to call twice."""
    require(actor, job.team, May.SUBMIT)
    job = _locked(job)
    if job.state in {State.UPLOADING, State.CANCELLED, State.FAILED}:
        raise Conflict(f"There is nothing to load: the import is {job.get_state_display().lower()}.", field="state")
    if job.state != State.READY:
        return job
    job.look = False
    return _queue(job, "Waiting for the analysis worker to load it.")


def _queue(job: Import, reason: str) -> Import:
    job.state, job.reason, job.touched_at, job.attempt = State.QUEUED, reason, timezone.now(), 0
    changed(job)
    enqueue("load_import", job.pk)
    return job


@transaction.atomic
def cancel_import(*, actor: User, job: Import) -> Import:
    """Stop it and forget its bytes. One that is being read is told to stop, and leaves nothing. Safe to call twice."""
    require(actor, job.team, May.SUBMIT)
    # Not the import itself, which its worker holds: the worker looks here.
    ImportProgress.objects.filter(owner=job).update(stop=True)
    free = Import.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
        "team", "created_by", "progress"
    )
    found = free.filter(pk=job.pk).first()
    if found is None:
        job.refresh_from_db()
        return job
    if found.state in selectors.OPEN:
        close(found, State.CANCELLED, f"Cancelled by {actor}. Nothing of it was kept.")
        record(actor=actor, team=found.team, verb="cancelled", target=found)
    return found


def close(job: Import, state: str, reason: str) -> None:
    """End an import and forget its bytes. Call it under the import's lock."""
    job.state, job.reason, job.finished_at = state, reason, timezone.now()
    job.chunks.all().delete()
    changed(job)


def changed(job: Import) -> None:
    job.changes += 1
    job.save()
    publish(f"import.{job.pk}", version=job.changes)


@transaction.atomic
def drop_abandoned(before: datetime) -> int:
    """Uploads with which nobody has gone on since then give their room back. Returns how many: some of them."""
    days = (timezone.now() - before).days
    old = selectors.open_uploads().filter(touched_at__lt=before).order_by("touched_at")
    found = old.select_for_update(skip_locked=True, of=("self",))[:DROPPED]
    for job in found:
        close(job, State.CANCELLED, f"Nobody went on with it for {days} day{'' if days == 1 else 's'}.")
    return len(found)
