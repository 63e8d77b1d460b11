"""A worker refuses to start with settings that would lose or double work, and says which."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from celery import Celery
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

# A worker keeps its lease about once a second; a slow commit must not cost it.
SHORTEST_LEASE = 5
ENGINE = ("torch", "transformers", "lm_eval", "safetensors")


def problems(app: Celery, *, queues: set[str], pool: str) -> Iterator[str]:
    """Each sentence names a setting and what to do."""
    conf = app.conf
    if not conf.task_acks_late:
        yield "CELERY_TASK_ACKS_LATE is off: a busy worker would hoard doorbells of idle ones. Turn it on."
    if conf.worker_prefetch_multiplier != 1:
        yield "CELERY_WORKER_PREFETCH_MULTIPLIER is not 1: a doorbell would wait behind a long run. Set it to 1."
    if conf.result_backend:
        yield "A result backend is set: Postgres is the only state. Remove CELERY_RESULT_BACKEND."
    if settings.LEASE_SECONDS < SHORTEST_LEASE:
        yield f"CROSSTABLE_LEASE_SECONDS is below {SHORTEST_LEASE}: living runs would be taken for lost. Raise it."
    if "evaluation" in queues:
        yield from _evaluation_problems(pool)
    yield from _database_problems()


def _evaluation_problems(pool: str) -> Iterator[str]:
    if pool != "solo":
        yield f"The evaluation queue runs on the pool {pool}: torch must not be forked. Start it with -P solo."
    missing = [name for name in ENGINE if importlib.util.find_spec(name) is None]
    if missing:
        yield f"Packages are missing: {', '.join(missing)}. Install the extra `worker` (pip install '.[worker]')."


def _database_problems() -> Iterator[str]:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield f"The database cannot be used ({error}). Check DATABASE_URL."
        return
    if waiting:
        yield f"{len(waiting)} migrations are not applied. Run `python manage.py migrate`, then start the worker again."
