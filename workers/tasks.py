"""Thin Celery tasks. They carry ids at most, are safe to deliver twice, and leave every decision to Postgres."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from celery import shared_task, signals
from django.db import connections
from kombu.exceptions import OperationalError

from webapp.celery import app, belfry, enqueue
from webapp.jobs.resources import doorbell
from workers import checks
from workers.supervisor import PULSE

log = logging.getLogger("crosstable.worker")
LOOK_SECONDS = 2  # between two looks at the queue while no bell can be heard


@shared_task(name="workers.evaluate")
def evaluate() -> None:
    """A doorbell: take runs, one after the other, until there is none that this worker can do.

    While the broker is away the worker looks at the queue by itself. It must not return then: the bell could not be
    acknowledged, and kombu would wait for ever with its one slot full.
    """
    from workers import pipeline

    while True:
        while pipeline.evaluate_next():
            pass
        if pipeline.stopping.is_set() or _broker_answers():
            return
        pipeline.stopping.wait(LOOK_SECONDS)


def _broker_answers() -> bool:
    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=LOOK_SECONDS)
    except (OperationalError, OSError):
        return False
    return True


@shared_task(name="workers.refresh_leaderboard")
def refresh_leaderboard(board_id: int) -> None:
    from webapp.leaderboards import services

    services.refresh(board_id=board_id)


@shared_task(name="workers.compute_report")
def compute_report(report_id: int) -> None:
    from webapp.results import reports

    reports.compute_report(report_id=report_id)


@shared_task(name="workers.send_out")
def send_out() -> None:
    """A doorbell that names nothing: send the e-mails and the messages to webhooks that are due."""
    from webapp.notices import outbox

    outbox.send_out()


@shared_task(name="workers.announce_joining")
def announce_joining(membership_id: int) -> None:
    """Accounts cannot tell: notices stand right of them."""
    from webapp.notices import services

    services.tell_of_joining(membership_id=membership_id)


@shared_task(name="workers.load_import")
def load_import(import_id: int) -> None:
    from webapp.imports import work

    work.work_on(import_id=import_id)


@shared_task(name="workers.remove")
def remove(removal_id: int) -> None:
    from webapp.removals import work

    work.work_on(removal_id=removal_id)


@shared_task(name="workers.job_changed")
def job_changed(*_: int) -> None:
    """The web cannot tell the boards: they stand right of jobs. What changed, the database says; the jobs are named for
    a worker of the version before."""
    from webapp.leaderboards import services

    services.columns_changed()


@shared_task(name="workers.advance_search")
def advance_search(job_id: int) -> None:
    """A run of a job that grows has ended, or somebody stopped it: its search decides what comes next."""
    from webapp.searches import advancing

    advancing.advance(job_id=job_id)


@shared_task(name="workers.sweep")
def sweep() -> None:
    """Ring again for what waits, and take back approvals of numbers that are no longer the latest. Lost runs, and those
    that wait for a worker, are not left to a task (`sweeping.py`)."""
    from webapp.imports import work
    from webapp.jobs import endings
    from webapp.leaderboards import services
    from webapp.notices import outbox
    from webapp.removals import work as removals
    from webapp.results import measurements, reports
    from webapp.reviews import services as reviews
    from webapp.searches import advancing

    _one_by_one(
        services.columns_changed, services.refresh_stale, reports.ring_again, work.ring_again, measurements.ring_again,
        reviews.recheck, removals.ring_again, advancing.ring_again, outbox.ring_again, endings.fold,
    )  # fmt: skip


@shared_task(name="workers.tidy")
def tidy() -> None:
    """Write down how large everything is, and throw away what has been kept for long enough: a batch of each kind, then
    the bell is rung for the next ones, so that boards and reports have their turn."""
    from webapp.operations import sizes
    from webapp.operations.housekeeping import BATCH
    from webapp.operations.rules import RULES

    taken = _one_by_one(sizes.note, *(rule.turn for rule in RULES))
    if BATCH in taken:
        enqueue("tidy")


def _one_by_one(*parts: Callable[[], object]) -> list[object]:
    """A part that fails is in the log and keeps no other part from its work; a database that is away ends it all."""
    from workers.waiting import AWAY

    found = []
    for part in parts:
        try:
            found.append(part())
        except AWAY:
            raise
        except Exception:
            log.exception("a part of the sweep failed: %s", part)
    return found


@signals.worker_init.connect
def begin(sender: Any, **_: Any) -> None:
    """What fails here ends the worker, and whoever looks after it starts another. Celery would write the error into the
    log and go on with a worker that takes nothing and shows no sign of life."""
    try:
        _begin(sender, {queue.name for queue in app.amqp.queues.consume_from.values()})
    except Exception as error:
        log.exception("this worker could not begin")
        raise SystemExit("This worker does not start (see above).") from error


def _begin(sender: Any, queues: set[str]) -> None:
    _refuse_bad_settings(sender, queues)
    if "evaluation" in queues:
        _die_with_supervisor()
        from workers import pipeline

        pipeline.begin(sender.hostname)
        for resource in pipeline.resources_of(os.environ.get("CROSSTABLE_DEVICE", "cpu")):
            app.amqp.queues.select_add(app.amqp.queues[doorbell(resource)])
    # Celery closes the file descriptors of connections that it finds open when its pool starts, also in the solo pool;
    # psycopg would then wait for ever on a number that belongs to another file.
    connections.close_all()
    if "analysis" in queues:
        from workers.sweeping import Sweeper

        belfry.gather()  # a broker that is cut off, and lets each bell wait, keeps no lost run from being found
        Sweeper().start()


def _refuse_bad_settings(sender: Any, queues: set[str]) -> None:
    """Better no worker than one that loses or doubles work."""
    found = list(checks.problems(app, queues=queues, pool=_pool_name(sender), name=sender.hostname))
    for sentence in found:
        log.error("%s", sentence)
    if found:
        raise SystemExit(f"This worker does not start: {len(found)} settings are wrong (see above).")


def _pool_name(worker: Any) -> str:
    return str(worker.pool_cls.__module__).rpartition(".")[2]


def _die_with_supervisor() -> None:
    """Under a supervisor: end when it ends, even by kill -9 (Linux; elsewhere the pulse file is enough)."""
    if os.environ.get(PULSE) and hasattr(ctypes.CDLL(None), "prctl"):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)


@signals.worker_shutting_down.connect
def stop_soon(**_: Any) -> None:
    """Asked to stop: the run in hand goes back to the queue with its finished samples."""
    if _evaluates():
        from workers import pipeline

        pipeline.stopping.set()


@signals.worker_shutdown.connect
def say_goodbye(**_: Any) -> None:
    belfry.settle()
    if _evaluates():
        from workers import pipeline

        pipeline.leave()


def _evaluates() -> bool:
    """Whether this process has the engine; the analysis worker never loads it, least of all to stop."""
    return "workers.pipeline" in sys.modules
