"""The pool of connections, when the server has ended some of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.utils import ConnectionHandler

from webapp import env

NAME = "test-pool"
ENDED = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s"


@pytest.fixture
def pooled(db: None) -> Iterator[Any]:
    """As the web has it: a pool on the tests' server."""
    url = os.environ["DATABASE_URL"]
    url += f"{'&' if '?' in url else '?'}application_name={NAME}"
    made = ConnectionHandler({"default": {}, NAME: env.database(url)})[NAME]
    yield made
    made.close()
    made.close_pool()


def ask(pooled: Any) -> str:
    try:
        with pooled.cursor() as cursor:
            cursor.execute("SHOW application_name")
            return str(cursor.fetchone()[0])
    finally:
        pooled.close()


def test_connections_that_the_server_has_ended_are_not_given_away(pooled: Any) -> None:
    """After a restart of PostgreSQL each idle connection was an error for somebody."""
    assert ask(pooled) == NAME
    with connection.cursor() as cursor:
        cursor.execute(ENDED, [NAME])
        assert set(cursor.fetchall()) == {(True,)}
    assert [ask(pooled) for _ in range(3)] == [NAME] * 3
