"""A worker refuses to start with settings that would lose or double work, and says which."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from webapp import locks
from webapp.jobs.selectors import alive_workers
from workers import hosts, presence
from workers.disk import unwritable

# A worker keeps its lease about once a second; a slow commit must not cost it.
SHORTEST_LEASE = 5
# So soon after its last sign of life a worker that was killed is known to be lost.
SEEN_SECONDS = 60
# The database's clock decides everything; what differs from it by more makes logs and diaries unreadable.
CLOCK_SECONDS = 300.0
ENGINE = ("torch", "transformers", "lm_eval", "safetensors")


def problems(app: Celery, *, queues: set[str], pool: str, name: str = "") -> Iterator[str]:
    """Each sentence names a setting and what to do. name: the worker's, which must be nobody else's."""
    yield from _delivery_problems(app)
    if settings.LEASE_SECONDS < SHORTEST_LEASE:
        yield f"CROSSTABLE_LEASE_SECONDS is below {SHORTEST_LEASE}: living runs would be taken for lost. Raise it."
    if settings.LEASE_SECONDS + settings.SWEEP_SECONDS > SEEN_SECONDS:
        yield (
            f"CROSSTABLE_LEASE_SECONDS is above {SEEN_SECONDS - settings.SWEEP_SECONDS}: a worker that is killed would "
            f"not be seen within {SEEN_SECONDS} s. Lower it."
        )
    yield from _broker_problems(app)
    trouble = unwritable()
    if trouble:
        yield f"{trouble}: runs would fail on it. Make room, or set TMPDIR to a folder that has some."
    if "evaluation" in queues:
        yield from _evaluation_problems(pool)
        yield from hosts.root_problems()
    yield from _database_problems(name if "evaluation" in queues else "")


def _delivery_problems(app: Celery) -> Iterator[str]:
    conf = app.conf
    if not conf.task_acks_late:
        yield "CELERY_TASK_ACKS_LATE is off: a busy worker would hoard doorbells of idle ones. Turn it on."
    if conf.worker_prefetch_multiplier != 1:
        yield "CELERY_WORKER_PREFETCH_MULTIPLIER is not 1: a doorbell would wait behind a long run. Set it to 1."
    if conf.result_backend:
        yield "A result backend is set: Postgres is the only state. Remove CELERY_RESULT_BACKEND."
    if conf.task_reject_on_worker_lost:
        yield "CELERY_TASK_REJECT_ON_WORKER_LOST is on: what kills a worker would kill them all. Turn it off."
    seconds = conf.broker_transport_options.get("visibility_timeout")
    if str(conf.broker_url).startswith("redis") and (seconds or 3600) < settings.RUN_MAX_SECONDS:
        yield (
            f"The broker hands a message out again after {seconds or 3600} s and a run may take "
            f"{settings.RUN_MAX_SECONDS} s. Raise visibility_timeout, or lower CROSSTABLE_RUN_MAX_SECONDS."
        )


def _broker_problems(app: Celery) -> Iterator[str]:
    """A Redis that throws keys away loses doorbells. One that is not there is waited for, and one that does not tell
    (managed ones forbid the question) is believed."""
    if not str(app.conf.broker_url).startswith("redis"):
        return
    try:
        with app.connection_for_read() as broker:
            channel: Any = broker.default_channel
            found = channel.client.config_get("maxmemory-policy")
    except (OperationalError, OSError, RedisError):
        return
    policy = str(found.get("maxmemory-policy", ""))
    if policy.startswith("allkeys"):
        yield f"The broker's maxmemory-policy is {policy}: it would throw doorbells away. Set it to noeviction."


def _evaluation_problems(pool: str) -> Iterator[str]:
    if pool != "solo":
        yield f"The evaluation queue runs on the pool {pool}: torch must not be forked. Start it with -P solo."
    missing = [name for name in ENGINE if importlib.util.find_spec(name) is None]
    if missing:
        yield f"Packages are missing: {', '.join(missing)}. Install the extra `worker` (pip install '.[worker]')."


def _database_problems(name: str) -> Iterator[str]:
    try:
        if not locks.are_kept():
            yield locks.NOT_KEPT
            return
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not waiting:
            yield from _clock_problems()
            yield from hosts.key_problems()
            yield from _namesake_problems(name)
    except DatabaseError as error:
        yield f"The database cannot be used ({error}). Check DATABASE_URL."
        return
    if waiting:
        yield f"{len(waiting)} migrations are not applied. Run `python manage.py migrate`, then start the worker again."


def _clock_problems() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        skew = time.time() - float(cursor.fetchone()[0])
    if abs(skew) > CLOCK_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        yield f"This host's clock is {abs(skew):,.0f} s {way} the database's. Set it right (NTP), then start again."


def _namesake_problems(name: str) -> Iterator[str]:
    """Leases are held by name: two workers with one would write to each other's runs. Whoever has it is dead when its
    process is gone from this host, or when it says nothing while we wait."""
    other = alive_workers().filter(name=name).first()
    if other is None or (other.host == name.partition("@")[2] and _is_gone(other.environment.get("pid"))):
        return
    heard = other.seen_at
    end = time.monotonic() + presence.SECONDS + 2
    while time.monotonic() < end:
        time.sleep(0.5)
        other.refresh_from_db(fields=["seen_at", "stopped_at"])
        if other.stopped_at is not None:
            return
        if other.seen_at > heard:
            yield f"A worker called {name} is at work on {other.host}. Give this one another name (-n)."
            return


def _is_gone(pid: object) -> bool:
    """Whether no process of this host has the number, or one that is no worker."""
    if not isinstance(pid, int) or not Path("/proc").is_dir():
        return False
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return pid == os.getpid() or b"celery" not in command
