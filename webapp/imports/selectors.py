"""What is read of imports, for the person who asks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from evaluation.importing.limits import Limits
from webapp.accounts.models import Team
from webapp.accounts.selectors import Viewer, teams_where, visible
from webapp.imports.models import SAME_AS, Import, ImportRun
from webapp.jobs.selectors import runs

State = Import.State
OPEN = (State.UPLOADING, State.QUEUED, State.RUNNING, State.READY)
RUNS_SHOWN = 50


def limits() -> Limits:
    """How large a file of results may be, from the settings."""
    return Limits(
        bytes=settings.IMPORT_UNPACKED_BYTES,
        rows=settings.IMPORT_ROWS,
        cell=settings.IMPORT_CELL,
        nesting=settings.IMPORT_NESTING,
    )


def imports(user: Viewer, *, state: str = "") -> QuerySet[Import]:
    """Imports of the person's teams, newest first: a file says more than the public runs that came from it."""
    rows = visible(Import.objects.filter(team__in=teams_where(user)), user)
    if state:
        rows = rows.filter(state=state)
    return rows.select_related("team", "created_by", "progress").order_by("-pk")


def finished_twin(team: Team, sha256: str) -> Import | None:
    """The finished import of the same bytes, while all its runs are there."""
    for done in Import.objects.filter(team=team, sha256=sha256, state=State.DONE).order_by("-pk"):
        if done.parts.count() == done.summary.get("runs"):
            return done
    return None


def waiting(limit: int) -> list[int]:
    """The ids of imports that a worker should read, oldest first."""
    rows = Import.objects.filter(state__in=[State.QUEUED, State.RUNNING])
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def open_uploads() -> QuerySet[Import]:
    """Uploads, and files that somebody wanted to look at: they wait for a person."""
    return Import.objects.filter(state__in=[State.UPLOADING, State.READY])


def import_context(found: Import, user: Viewer) -> dict[str, Any]:
    """What `imports/_import_state.html` draws."""
    readable = runs(user).filter(import_parts__owner=found)
    parts = ImportRun.objects.filter(owner=found, run__in=readable).select_related("run__contender", "run__version")
    listed = (
        parts.select_related("run__version__benchmark").order_by("pk")[:RUNS_SHOWN] if found.state == State.DONE else []
    )
    copied = {part.run.provenance.get(SAME_AS) for part in listed}
    share = found.received / found.size if found.state == State.UPLOADING else None
    return {
        "import": found,
        "parts": listed,
        "originals": set(runs(user).filter(pk__in=copied - {None}).values_list("pk", flat=True)),
        "open": found.state in OPEN,
        "working": found.state in (State.QUEUED, State.RUNNING),
        "share": share,
    }
