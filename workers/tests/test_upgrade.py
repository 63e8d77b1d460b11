"""Two versions at work on one database: this one, and a next one with code and migrations of its own."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.test import Client

from webapp.accounts.models import Scope
from webapp.accounts.services import create_token
from webapp.celery import app
from webapp.jobs.models import Run
from webapp.leaderboards.models import Standing
from webapp.results.models import Score
from webapp.tests import factories
from webapp.tests.migration_rules import faults
from workers import checks
from workers.tests.conftest import (
    Lab,
    Process,
    Start,
    analysis_worker,
    answers,
    environment,
    evaluation_worker,
    free_port,
    living,
    state,
    wait_until,
)  # fmt: skip
from workers.tests.next_version import NUMBER, next_version, taken_back
from workers.tests.sabotage import SLOW, sabotage

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]
WAITS, CRAWLS, RUNS = 13, 7, 32  # batch sizes, of which SLOW knows the first two
BEAT = ("-B", "--scheduler", "celery.beat:Scheduler")
MIGRATE = ("manage", "migrate", "--noinput")


@dataclass
class Site:
    """The web of a version, and somebody who uses it."""

    process: Process
    address: str
    token: str
    session: str

    def ask(self, path: str, status: int = 200, **body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        method = "POST" if body else "GET"
        answer = httpx.request(method, self.address + path, json=body or None, headers=headers, timeout=30)
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def submit(self, size: int, batch_size: int) -> Run:
        asked = {"team": "lab", "entries": ["lab/tiny-xs"], "schemes": ["fp32"], "suite": f"lab/choice-{size}"}
        job = self.ask("/api/v1/jobs/", 202, **asked, settings={"batch_size": batch_size})
        return Run.objects.get(jobs=job["id"])

    def pages(self, run: Run, times: int = 1) -> set[int]:
        paths = f"/jobs/{run.jobs.get().pk}/", f"/runs/{run.pk}/", "/boards/lab/main/"
        with httpx.Client(base_url=self.address, cookies={"sessionid": self.session}, timeout=30) as browser:
            return {browser.get(path).status_code for path in paths * times}

    def migrations(self, status: int) -> str:
        return str(self.ask("/readyz", status)["parts"]["migrations"])


@pytest.fixture
def tree(transactional_db: None, tmp_path: Path) -> Iterator[str]:
    """The next version's; the database is this one's again afterwards."""
    with taken_back():
        yield str(next_version(tmp_path / "next"))


@pytest.fixture
def sites(lab: Lab, tree: str, start: Start, static_files: dict[str, str]) -> tuple[Site, Site]:
    """The old one and the new one, with benchmarks to ask for and a board of the last of them."""
    lab.entry("tiny-xs")
    suites = [lab.sums(size) for size in (20, 40, 400, 60)]
    factories.board(lab.owner, lab.team, "main", suites[-1])
    token = create_token(actor=lab.owner, name="ci", scopes=[Scope.READ, Scope.SUBMIT], days=1)[1]
    client = Client()
    client.force_login(lab.owner)

    def site(**more: str) -> Site:
        port = free_port()
        quiet = ("--lifespan", "on", "--log-level", "warning")
        process = start("uvicorn", "webapp.asgi:application", "--port", str(port), *quiet, **static_files, **more)
        return Site(process, f"http://127.0.0.1:{port}", token, client.cookies["sessionid"].value)

    old, new = site(), site(tree=tree)
    for one in (old, new):
        wait_until(lambda one=one: answers(f"{one.address}/healthz"), of=one.process)
    return old, new


def scored(run: Run) -> bool:
    return Score.objects.filter(run=run).exists()


def told(run: Run, new: Site) -> tuple[object, ...]:
    """How it went, and what only the new version's columns say: which version planned it, and which one computed it."""
    assert state(run) == Run.State.DONE
    indexes = list(Score.objects.filter(run=run).order_by("index").values_list("index", flat=True))
    assert indexes == list(range(run.version.samples)), "each sample once"
    assert run.events.filter(state=Run.State.DONE).count() == 1
    found = new.ask(f"/api/v1/runs/{run.pk}/")
    return run.attempt, run.last_attempt, run.worker, found["planned_by"], found["release"]


def test_a_new_version_comes_while_runs_are_in_flight(
    lab: Lab, tree: str, start: Start, sites: tuple[Site, Site], tmp_path: Path
) -> None:
    """Its migrations, its web and its worker, beside those of the old one; then the old one is stopped."""
    old, new = sites
    gate = tmp_path / "gate"
    analysis = analysis_worker(start, *BEAT)
    first = evaluation_worker(start, "old", GATE=str(gate), **sabotage(tmp_path / "site", SLOW))
    assert (old.migrations(200), new.migrations(503)) == ("ready", "not applied: 2")
    wait_until(lambda: living("old"), of=first, seconds=120)
    waits = old.submit(40, WAITS)
    wait_until(lambda: scored(waits), of=first)
    assert old.pages(waits, times=6) == {200}, "PostgreSQL keeps its plans now"

    assert start(*MIGRATE, tree=tree).child.wait(120) == 0
    assert (old.migrations(200), new.migrations(200)) == ("ready", "ready")
    assert list(checks.problems(app, queues={"analysis"}, pool="threads")) == [], "an old worker may start again"
    assert old.pages(waits) == new.pages(waits) == {200}
    mixed, crawls = new.submit(20, RUNS), old.submit(400, CRAWLS)
    gate.touch()
    wait_until(lambda: scored(crawls), of=first)
    second = evaluation_worker(start, "new", tree=tree)
    wait_until(lambda: living("new"), of=second, seconds=120)
    runs = new.submit(60, RUNS)
    wait_until(lambda: state(runs) == Run.State.DONE, of=second)

    first.child.terminate()
    wait_until(lambda: state(crawls) == Run.State.DONE, of=second)
    assert first.child.wait(30) == 0
    assert [told(run, new) for run in (waits, mixed, runs, crawls)] == [
        (1, 3, "old@test", None, ""),
        (1, 3, "old@test", NUMBER, ""),
        (1, 3, "new@test", NUMBER, NUMBER),
        (2, 4, "new@test", None, NUMBER),
    ]
    assert crawls.events.filter(text__startswith="Goes on with other versions than", attempt=2).count() == 1
    wait_until(lambda: Standing.objects.filter(position=1).exists(), of=analysis)
    old.process.stop()
    assert new.pages(runs) == {200}


def test_its_migrations_keep_the_rules(tmp_path: Path) -> None:
    state = MigrationLoader(None, ignore_no_migrations=True).project_state()
    files = sorted((next_version(tmp_path / "next") / "webapp/jobs/migrations").glob("0*.py"))[-2:]
    made = [runpy.run_path(str(file))["Migration"](file.stem, "jobs") for file in files]
    assert [fault for migration in made for fault in faults(migration, state)] == []


@contextmanager
def reading(table: str) -> Iterator[None]:
    """Somebody reads for long, as an export and a backup do."""
    with psycopg.connect(environment()["DATABASE_URL"]) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        yield


def test_a_migration_that_waits_for_a_table_holds_up_nobody(tree: str, start: Start) -> None:
    with reading("jobs_run"):
        migrating = start(*MIGRATE, tree=tree)
        while "tries again soon" not in migrating.log.read_text():
            assert migrating.child.poll() is None, migrating.log.read_text()
            with psycopg.connect(environment()["DATABASE_URL"], options="-c statement_timeout=10s") as somebody:
                somebody.execute("SELECT count(*) FROM jobs_run")
    assert migrating.child.wait(120) == 0


def test_a_migration_that_was_interrupted_is_made_again(tree: str, start: Start) -> None:
    """What is built beside the work of others is no transaction: half of an index is left."""

    def asked(sql: str) -> object:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('run_by_release')"
    with reading("accounts_user"):  # whose end an index waits for, and a column does not
        migrating = start(*MIGRATE, tree=tree)
        wait_until(lambda: asked(valid) == (False,), of=migrating)
        asked("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%'")
    assert migrating.child.wait(120) != 0
    assert asked(valid) == (False,)
    assert start(*MIGRATE, tree=tree).child.wait(120) == 0
    assert asked(valid) == (True,)
