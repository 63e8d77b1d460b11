"""The thread that looks for lost runs: in a real analysis worker that has no hand free, or no broker; and by itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from deploy.local.servers import EmbeddedValkey
from webapp.celery import app
from webapp.jobs import leases
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import Score
from webapp.tests import factories
from workers import sweeping
from workers.tests.conftest import (
    Lab,
    Process,
    Start,
    analysis_worker,
    evaluation_worker,
    kill,
    living,
    state,
    wait_until,
)

T = TypeVar("T")
SEEN = 30  # seconds, with the short lease of the tests, on a busy machine
SILENT = 5  # runs whose worker says nothing from the start


def begun(lab: Lab, worker: Process) -> Run:
    """A run of which the worker has scored some."""
    wait_until(lambda: living("evaluation"), of=worker, seconds=120)
    run = lab.job(lab.entry("tiny-m"), size=3000, settings={"batch_size": 2}).runs.get()
    wait_until(lambda: Score.objects.filter(run=run).exists(), of=worker)
    return run


@contextmanager
def no_hand_free(analysis: Process) -> Iterator[None]:
    """Both of its hands are at imports, which take as long as their table is ours."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'imports_import'::regclass AND NOT granted"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE imports_import IN ACCESS EXCLUSIVE MODE")
        for number in (1, 2):
            app.send_task("workers.load_import", args=[number])
        wait_until(lambda: cursor.execute(waiting).fetchone() == (2,), of=analysis)
        yield


def silent(lab: Lab, run: Run) -> list[Run]:
    """More runs like it, each taken by a worker that is never heard of again."""
    assert lab.suite is not None
    for repeat in range(1, SILENT + 1):
        again = {"batch_size": 2, "repeat": repeat}
        factories.job(lab.owner, lab.team, lab.suite, [run.contender.version], settings=again)
    return [Run.objects.get(pk=factories.claim(f"silent-{number}").run_id) for number in range(SILENT)]


@pytest.mark.engine
@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_seen_while_the_analysis_worker_has_no_hand_free(lab: Lab, start: Start) -> None:
    analysis, worker = analysis_worker(start), evaluation_worker(start)
    run = begun(lab, worker)
    with no_hand_free(analysis):
        worker.kill()
        wait_until(lambda: state(run) == Run.State.QUEUED, seconds=SEEN, of=analysis)
    assert "evaluation@test was lost" in run.reason


@pytest.mark.engine
@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_killed_workers_are_seen_while_the_broker_is_away(lab: Lab, start: Start, broker: EmbeddedValkey) -> None:
    """It hangs, so that each bell waits for seconds; then it is gone, also for an analysis worker that starts."""
    more = {"BROKER_URL": broker.url(), "CHANNEL_LAYER_URL": broker.channel_layer_url()}
    analysis, worker = analysis_worker(start, **more), evaluation_worker(start, **more)
    run = begun(lab, worker)
    assert broker.process is not None
    os.kill(broker.process.pid, signal.SIGSTOP)
    worker.kill()
    runs = [run, *silent(lab, run)]
    wait_until(lambda: {state(one) for one in runs} == {Run.State.QUEUED}, seconds=SEEN, of=analysis)
    assert "evaluation@test was lost" in run.reason

    kill(broker)
    analysis.kill()
    again = Run.objects.get(pk=factories.claim("second").run_id)
    analysis = analysis_worker(start, **more)
    wait_until(lambda: state(again) == Run.State.QUEUED, seconds=2 * SEEN, of=analysis)
    assert "second was lost" in again.reason


def test_a_board_hears_of_a_run_that_is_given_up(lab: Lab, settings: Settings) -> None:
    settings.RUN_ATTEMPTS = 1
    run = lab.job(lab.entry()).runs.get()
    assert lab.suite is not None
    board = factories.refresh(factories.board(lab.owner, lab.team, "main", lab.suite))
    factories.claim()
    Run.objects.update(leased_until=timezone.now() - timedelta(seconds=1), last_attempt=1)

    sweeping.deal_with_lost_runs()

    assert state(run) == Run.State.FAILED
    assert Leaderboard.objects.get(pk=board.pk).stale_since is not None


@contextmanager
def refused(run: Run, how: str) -> Iterator[None]:
    """PostgreSQL refuses to change the state of this run."""
    with connection.cursor() as cursor:
        body = f"BEGIN IF NEW.state <> 'running' THEN {how}; END IF; RETURN NEW; END"
        cursor.execute(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        cursor.execute(
            f"CREATE TRIGGER refused BEFORE UPDATE ON jobs_run FOR EACH ROW WHEN (OLD.id = {run.pk}) "
            "EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER refused ON jobs_run; DROP FUNCTION refuse()")


@pytest.mark.parametrize(
    "how",
    ["RAISE EXCEPTION 'an odd row'", "PERFORM pg_terminate_backend(pg_backend_pid())"],
    ids=["the row is odd", "the session ends"],
)
@pytest.mark.django_db(transaction=True)
def test_a_run_that_cannot_be_dealt_with_holds_up_nothing_else(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Neither the other lost runs, nor the boards that show them, nor whoever waits for a bell."""
    jobs = [lab.job(lab.entry(name), size=size) for name, size in (("tiny-xs", 4), ("tiny-s", 5), ("tiny-m", 6))]
    runs = [job.runs.get() for job in jobs]
    boards = [
        factories.refresh(factories.board(lab.owner, lab.team, f"of-{run.pk}", job.suite))
        for run, job in zip(runs, jobs, strict=True)
    ]
    for _ in runs:
        factories.claim()
    Run.objects.update(leased_until=timezone.now() - timedelta(seconds=1), last_attempt=1)
    rung: list[None] = []
    ring = leases.ring_idle_workers
    monkeypatch.setattr(leases, "ring_idle_workers", lambda: rung.append(ring()))
    with refused(runs[1], how):
        in_thread(sweeping.Sweeper().look)
        assert [state(run) for run in runs] == ["failed", "running", "failed"]
        stale = [Leaderboard.objects.get(pk=board.pk).stale_since is not None for board in boards]
        assert (stale, len(rung)) == ([True, False, True], 1)
    assert f"run {runs[1].pk} was lost, and could not be dealt with" in caplog.text
    in_thread(sweeping.Sweeper().look)
    assert state(runs[1]) == "failed"


def test_a_database_that_is_away_is_told_of_once_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [OperationalError("it is away"), OperationalError("it is away"), RuntimeError("an odd row"), None]

    def asked() -> None:
        answer = answers.pop(0)
        if answer:
            raise answer

    monkeypatch.setattr(sweeping, "deal_with_lost_runs", asked)
    monkeypatch.setattr(leases, "ring_idle_workers", asked)
    sweeper = sweeping.Sweeper()
    for _ in range(4):
        in_thread(sweeper.look)
    assert answers == []
    assert (caplog.text.count("it is away"), caplog.text.count("RuntimeError: an odd row")) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_lives_keeps_its_run_when_the_database_comes_back(lab: Lab, settings: Settings) -> None:
    """It was away for longer than a lease, and the sweeper is the first to notice that it is back."""
    alive, dead = (lab.job(lab.entry(name), size=size).runs.get() for name, size in (("tiny-xs", 4), ("tiny-s", 5)))
    lease = factories.claim()
    factories.claim("dead")
    sweeper = sweeping.Sweeper()

    def look() -> None:
        sweeping.leave_the_pool()
        sweeper.look()

    with no_connections():
        in_thread(look)
    assert sweeper.away
    Run.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

    in_thread(look)
    assert (sweeper.away, state(alive)) == (False, "running")
    in_thread(look)
    assert state(alive) == "running", "a lease has not passed since"
    leases.keep(lease)
    assert settings.LEASE_SECONDS - 1 < sweeper.rests_until - time.monotonic() <= settings.LEASE_SECONDS
    sweeper.rests_until = time.monotonic()
    in_thread(look)
    assert (state(alive), state(dead)) == ("running", "queued")


@contextmanager
def no_connections() -> Iterator[None]:
    """PostgreSQL takes nobody in, as while it starts. Whoever is there already stays."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@pytest.mark.django_db(transaction=True)
def test_it_connects_by_itself_and_lets_go_after_each_look(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool waits ever longer for a database that is away, up to minutes."""
    settings.SWEEP_SECONDS = 0
    used: list[Any] = []

    def looked() -> None:
        leases.sweep()
        assert connection.pool is None
        used.append(connection.connection)
        if len(used) == 2:
            raise SystemExit

    monkeypatch.setattr(sweeping, "deal_with_lost_runs", looked)
    with pytest.raises(SystemExit):
        in_thread(sweeping.Sweeper().run)
    assert [one.closed for one in used] == [True, True]


def in_thread(call: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()
