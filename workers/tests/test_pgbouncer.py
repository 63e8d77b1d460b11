"""Behind a real PgBouncer: with sessions of their own all parts work, and outlast it; with shared ones none begins."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from webapp.accounts.models import Scope
from webapp.accounts.services import create_token
from webapp.jobs.models import Run
from webapp.leaderboards.models import Standing
from webapp.results.models import Score
from webapp.tests import factories
from webapp.tests.pgbouncer import PgBouncer, needed, pgbouncer
from workers.tests.conftest import (
    Lab,
    Process,
    Start,
    Web,
    analysis_worker,
    evaluation_worker,
    free_port,
    living,
    state,
    wait_until,
)
from workers.tests.test_outages import BEAT, submit

pytestmark = [needed, pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bouncer(transactional_db: None) -> Iterator[PgBouncer]:
    with pgbouncer(pool_mode="session", default_pool_size=40) as server:
        yield server


def test_all_parts_work_with_sessions_of_their_own_and_outlast_the_pooler(
    lab: Lab, bouncer: PgBouncer, start: Start, static_files: dict[str, str]
) -> None:
    more = {**static_files, "DATABASE_URL": bouncer.url(), "CROSSTABLE_HTTPS": "0"}
    site, analysis = Web(start, more, free_port()), analysis_worker(start, *BEAT, **more)
    worker = evaluation_worker(start, **more)
    site.up()
    token = create_token(actor=lab.owner, name="ci", scopes=[Scope.READ, Scope.SUBMIT], days=1)[1]
    wait_until(lambda: living("evaluation"), of=worker, seconds=120)
    whole = lab.job(lab.entry("tiny-m"), size=1500, settings={"batch_size": 2}).runs.get()
    assert lab.suite is not None
    board = factories.board(lab.owner, lab.team, "main", lab.suite)
    wait_until(lambda: Score.objects.filter(run=whole).exists(), of=worker)
    bouncer.kill()
    wait_until(lambda: b"the database is away" in worker.log.read_bytes(), of=worker)
    bouncer.start()
    wait_until(lambda: state(whole) == Run.State.DONE, of=worker, seconds=120)
    assert (whole.attempt, Score.objects.filter(run=whole).count()) == (1, 1500), "the worker waited and went on"

    for repeat in range(1, 8):  # PostgreSQL keeps the plan of what was asked so often
        run = submit(lab, site.port, token, repeat, limit=2)
    wait_until(lambda: state(run) == Run.State.DONE, of=worker)
    # Its order is computed under a lock of the session.
    wait_until(lambda: Standing.objects.filter(leaderboard=board, position=1).exists(), of=analysis)
    assert ready(site) == {"database": "ready", "migrations": "ready", "broker": "ready", "channels": "ready"}


def ready(site: Web) -> dict[str, str]:
    parts: dict[str, str] = httpx.get(f"{site.address}/readyz", timeout=30).json()["parts"]
    return parts


@pytest.mark.parametrize("queues", ["evaluation", "analysis"])
def test_no_worker_starts_with_sessions_that_are_handed_on(start: Start, queues: str) -> None:
    begin = evaluation_worker if queues == "evaluation" else analysis_worker
    with pgbouncer(pool_mode="transaction") as server:
        worker: Process = begin(start, DATABASE_URL=server.url())
        assert worker.child.wait(60) != 0
    said = worker.log.read_text()
    assert "DATABASE_URL leads to a pooler" in said
    assert "Set pool_mode=session" in said
