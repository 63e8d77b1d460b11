"""Whether this process can do its work: each part that it needs, with a sentence that gives nothing away.

The pages' connection pool is left out of it: it waits long for a database that is away, and the question is asked
every few seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp import env, locks
from webapp.celery import app

log = logging.getLogger("crosstable.readiness")
PATIENCE = 2  # seconds for each part
# Anybody may ask: the answer of a moment ago is given again, so that asking often costs nothing.
KEPT_SECONDS = 1.0


@dataclass(frozen=True)
class Part:
    name: str
    reason: str = ""

    @property
    def ready(self) -> bool:
        return not self.reason


def _database() -> str:
    with _connected() as direct:
        direct.execute("SELECT 1")
    return "" if sessions_are_kept() else "is behind a pooler that keeps no sessions"


@cache
def sessions_are_kept() -> bool:
    """Asked once by each process, for whoever changes the pooler can start it again."""
    kept = locks.are_kept()
    if not kept:
        log.error("%s", locks.NOT_KEPT)
    return kept


def _migrations() -> str:
    with _connected() as direct:
        known = direct.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
        rows = direct.execute("SELECT app, name FROM django_migrations").fetchall() if known and known[0] else []
    missing = _migrations_of_the_code() - {(str(label), str(name)) for label, name in rows}
    return f"not applied: {len(missing)}" if missing else ""


@cache
def _migrations_of_the_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


@contextmanager
def _connected() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """In a transaction. Its patience is no startup parameter, for poolers refuse those that they do not know."""
    known = connection.settings_dict
    given = {"host": known["HOST"], "port": known["PORT"], "user": known["USER"], "password": known["PASSWORD"]}
    options = {name: value for name, value in known["OPTIONS"].items() if name.startswith("ssl")}
    with psycopg.connect(
        dbname=known["NAME"], connect_timeout=PATIENCE,
        **{name: value for name, value in given.items() if value}, **options,
    ) as direct:  # fmt: skip
        direct.execute(f"SET LOCAL statement_timeout = {PATIENCE * 1000}")
        yield direct


def _broker() -> str:
    if settings.BROKER_URL.startswith("redis"):
        return _ping(env.redis_address(settings.BROKER_URL))
    with app.connection_for_write(connect_timeout=PATIENCE) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=PATIENCE)
    return ""


def _channels() -> str:
    layer: Any = settings.CHANNEL_LAYERS["default"]
    return _ping(layer["CONFIG"]["hosts"][0]["address"])


def _ping(address: str) -> str:
    """Once: a client that tries again multiplies the patience, and whoever asks has 5 s."""
    once = Retry(NoBackoff(), 0)
    client = redis.Redis.from_url(address, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=once)
    with closing(client):
        client.ping()
    return ""


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "channels": _channels,
}


def check(name: str) -> Part:
    """Never raises: what went wrong is in the log, for its text may name hosts and users."""
    try:
        return Part(name, CHECKS[name]())
    except Exception as error:  # whatever a client raises, the part is not ready
        log.warning("%s is not ready: %s", name, error)
        return Part(name, "does not answer")


class Readiness:
    """The state of all parts, asked for at most once a second by this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = float("-inf")
        self._parts: list[Part] = []

    def parts(self) -> list[Part]:
        with self._lock:
            if time.monotonic() - self._asked > KEPT_SECONDS:
                self._parts = [check(name) for name in CHECKS]
                self._asked = time.monotonic()
            return self._parts
