"""A real PgBouncer before PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from django.db import ConnectionHandler, connection

from webapp import env
from webapp.tests.pgbouncer import needed, pgbouncer

pytestmark = [needed, pytest.mark.django_db]
Behind = Callable[..., str]


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


def test_pages_connect_without_a_word_that_a_pooler_must_know(behind: Behind) -> None:
    pages = ConnectionHandler({"default": {}, "pages": env.database(behind())})["pages"]
    try:
        with pages.cursor() as cursor:
            cursor.execute("SHOW plan_cache_mode")
            assert cursor.fetchone() == ("force_generic_plan",)
    finally:
        pages.close()
        pages.close_pool()
