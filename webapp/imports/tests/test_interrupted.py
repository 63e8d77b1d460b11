"""A reader that is killed, by kill -9 and at any point, leaves everything or nothing; the next one begins anew."""

from __future__ import annotations

import random
import time

import pytest
from django.db import connection, transaction

from webapp.accounts.models import Team, User
from webapp.catalog.models import Benchmark, ModelEntry, Sample
from webapp.imports import services, work
from webapp.imports.models import Import, ImportChunk, ImportProgress, ImportRun
from webapp.imports.tests.files import as_csv, rows, upload
from webapp.jobs.models import Run, RunEvent
from webapp.results.models import PackedScores, Score
from workers.tests.conftest import Process, Start, start, wait_until  # noqa: F401 - a fixture

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SAMPLES = 4000
ENTRIES = 5
KILLS = [("reading", 6000), ("loading", 0), ("loading", 6000), ("loading", 14_000)]


def data() -> bytes:
    one = rows([at % 2 for at in range(SAMPLES)])
    return as_csv([row._replace(entry=f"entry-{n}") for n in range(ENTRIES) for row in one])


def made() -> dict[str, int]:
    models = (ModelEntry, Benchmark, Sample, Run, RunEvent, Score, PackedScores, ImportRun)
    return {model.__name__: model.objects.count() for model in models}


def at_once(job: Import) -> tuple[str, dict[str, int]]:
    """One moment's state and rows: what a killed reader has sent may still be on its way into the database."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return Import.objects.get(pk=job.pk).state, made()


STEPS = ("", "reading", "loading")


def reached(job: Import, step: str, rows: int) -> bool:
    """Whether the reader has come so far, or further."""
    now = ImportProgress.objects.get(owner=job)
    return (STEPS.index(now.step), now.rows) >= (STEPS.index(step), rows)


def kill_at(job: Import, reader: Process, step: str, rows: int, chance: random.Random) -> None:
    over = ("done", "failed")
    wait_until(lambda: reached(job, step, rows) or Import.objects.get(pk=job.pk).state in over, of=reader)
    time.sleep(chance.uniform(0, 0.3))
    reader.kill()


def test_a_killed_reader_leaves_everything_or_nothing(bob: User, team: Team, start: Start) -> None:  # noqa: F811
    job, chance = upload(bob, team, data()), random.Random(8)
    nothing = dict.fromkeys(made(), 0)
    everything = {
        "ModelEntry": ENTRIES, "Benchmark": 1, "Sample": SAMPLES, "Run": ENTRIES, "RunEvent": ENTRIES,
        "Score": SAMPLES * ENTRIES, "PackedScores": ENTRIES, "ImportRun": ENTRIES,
    }  # fmt: skip
    for step, count in KILLS:
        Import.objects.filter(pk=job.pk).exclude(state="done").update(attempt=0)
        ImportProgress.objects.update(step="", rows=0)
        reader = start("webapp.imports.tests.reader", str(job.pk))
        kill_at(job, reader, step, count, chance)
        state, there = at_once(job)
        assert (state, there) in (("running", nothing), ("queued", nothing), ("done", everything)), (step, count)
        if state == "done":
            break
    work.work_on(import_id=job.pk)
    job.refresh_from_db()
    assert (job.state, made()) == ("done", everything)
    assert not ImportChunk.objects.exists()
    assert Run.objects.filter(mean=0.5, total=SAMPLES).count() == ENTRIES


def test_a_reader_that_is_cancelled_stops_and_leaves_nothing(bob: User, team: Team, start: Start) -> None:  # noqa: F811
    job = upload(bob, team, data())
    reader = start("webapp.imports.tests.reader", str(job.pk))
    wait_until(lambda: reached(job, "reading", 0), of=reader)
    asked = services.cancel_import(actor=bob, job=job)
    assert asked.state == "running", "its reader holds it, and stops by itself"
    reader.child.wait(60)
    job.refresh_from_db()
    assert (job.state, made()) == ("cancelled", dict.fromkeys(made(), 0))
    assert not ImportChunk.objects.exists()
