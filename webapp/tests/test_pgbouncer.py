"""A real PgBouncer before PostgreSQL: sessions that it keeps apart are told from those that it hands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Thread

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import ConnectionHandler, connection

from deploy.local import prepare
from webapp import env, locks
from webapp.operations import readiness
from webapp.tests.pgbouncer import needed, pgbouncer

pytestmark = [needed, pytest.mark.django_db]
Behind = Callable[..., str]
SHARED = [
    {"pool_mode": "transaction"},
    {"pool_mode": "transaction", "server_round_robin": 1, "min_pool_size": 5},
    {"pool_mode": "transaction", "server_reset_query_always": 1},
    {"pool_mode": "transaction", "server_lifetime": 0},
    {"pool_mode": "transaction", "default_pool_size": 1},
    {"pool_mode": "statement"},
]


@pytest.fixture
def behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """New sessions go through a PgBouncer with these settings; gives its address. What is open already stays."""
    with ExitStack() as stack:

        def set_up(**settings: object) -> str:
            server = stack.enter_context(pgbouncer(**settings))
            monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
            monkeypatch.setitem(connection.settings_dict, "PORT", str(server.port))
            return server.url()

        yield set_up


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    readiness.sessions_are_kept.cache_clear()
    yield
    readiness.sessions_are_kept.cache_clear()


def test_sessions_of_our_own_keep_their_locks(behind: Behind) -> None:
    assert locks.are_kept(), "without a pooler"
    behind()  # session is its default
    assert locks.are_kept()


@pytest.mark.parametrize("shared", SHARED, ids=lambda shared: " ".join(map(str, shared.values())))
def test_sessions_that_are_handed_on_do_not(behind: Behind, shared: dict[str, object]) -> None:
    behind(**shared)
    assert not locks.are_kept()


def test_sessions_that_nobody_resets_keep_them_for_too_long(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a worker that was killed they would be held for as long as PgBouncer lives."""
    monkeypatch.setattr(locks, "END_SECONDS", 0.5)
    behind(server_reset_query="")
    assert not locks.are_kept()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_it_is_told_while_others_use_the_same_sessions(behind: Behind, mode: str) -> None:
    address, over = behind(pool_mode=mode), Event()

    def traffic() -> None:
        with psycopg.connect(address, autocommit=True, prepare_threshold=None) as other:
            while not over.is_set():
                other.execute("SELECT 1")

    threads = [Thread(target=traffic) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert [locks.are_kept() for _ in range(5)] == [mode == "session"] * 5
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_nothing_begins_on_sessions_that_are_handed_on(behind: Behind) -> None:
    call_command("check", databases=["default"], tags=["database"])
    assert readiness.check("database").ready
    readiness.sessions_are_kept.cache_clear()
    behind(pool_mode="transaction")
    with pytest.raises(SystemCheckError, match="Set pool_mode=session"):
        call_command("migrate", skip_checks=False)  # as from the command line
    assert readiness.check("database").reason == "is behind a pooler that keeps no sessions"
    with pytest.raises(SystemExit, match="Set pool_mode=session"):
        prepare.refuse_bad_database()


def test_pages_connect_without_a_word_that_a_pooler_must_know(behind: Behind) -> None:
    pages = ConnectionHandler({"default": {}, "pages": env.database(behind())})["pages"]
    try:
        with pages.cursor() as cursor:
            cursor.execute("SHOW plan_cache_mode")
            assert cursor.fetchone() == ("force_generic_plan",)
    finally:
        pages.close()
        pages.close_pool()
