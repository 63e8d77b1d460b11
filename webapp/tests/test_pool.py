"""The pool of connections, when the server has ended some of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.utils import ConnectionHandler

from webapp import env


@pytest.fixture
def pooled(db: None) -> Iterator[Any]:
    """As the web has it: a pool on the tests' server."""
    handler = ConnectionHandler({"default": env.database(os.environ["DATABASE_URL"])})
    yield handler["default"]
    handler["default"].close()
    handler["default"].close_pool()


def ask(pooled: Any) -> int:
    try:
        with pooled.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])
    finally:
        pooled.close()


def test_connections_that_the_server_has_ended_are_not_given_away(pooled: Any) -> None:
    """After a restart of PostgreSQL each idle connection was an error for somebody."""
    first = ask(pooled)
    assert ask(pooled) == first
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert cursor.fetchone() == (True,)
    assert ask(pooled) != first
