"""Files that would become far larger than they are: refused by the worker as the settings say, in little memory."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable

import pytest
from pytest_django import Settings

from webapp.accounts.models import Team, User
from webapp.imports.models import ImportChunk
from webapp.imports.tests.files import as_csv, rows, upload
from webapp.imports.tests.test_work import NOTHING, counts
from webapp.imports.work import work_on

MUCH = 60_000_000
DEEP = '{"question": ' + "[" * 8 + "]" * 8 + "}"


def as_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("results_2026-01-01.json", b" " * MUCH)
    return file.getvalue()


def as_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("results_2026-01-01.json")
        member.size = MUCH
        archive.addfile(member, io.BytesIO(b" " * MUCH))
    return file.getvalue()


BOMBS: dict[str, tuple[Callable[[], bytes], str, int, str]] = {
    "scores.zip": (as_zip, "IMPORT_UNPACKED_BYTES", 1_000_000, "unpacked it has 60,000,000 bytes, more than 1,000,000"),
    "scores.tar.gz": (as_tar, "IMPORT_UNPACKED_BYTES", 1_000_000, "unpacked it is larger than 1,000,000 bytes"),
    "scores.csv": (lambda: as_csv(rows([1] * 5)), "IMPORT_ROWS", 4, "there are more than 4 rows"),
    "long.csv": (lambda: as_csv(rows(answer="x" * 600)), "IMPORT_CELL", 500, "the text has more than 500 characters"),
    "deep.csv": (lambda: as_csv(rows(document=DEEP)), "IMPORT_NESTING", 8, "it is nested deeper than 8 levels"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_leaves_nothing(bob: User, team: Team, settings: Settings, name: str) -> None:
    made, setting, limit, words = BOMBS[name]
    setattr(settings, setting, limit)
    job = upload(bob, team, made(), name)
    tracemalloc.start()
    work_on(import_id=job.pk)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    job.refresh_from_db()
    assert (job.state, words in job.reason) == ("failed", True), job.reason
    assert most < 20_000_000
    assert counts() == NOTHING
    assert not ImportChunk.objects.exists()
