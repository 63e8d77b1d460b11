"""Requests through the whole stack of middleware in this process, and the plainest page beside which they are timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client


@cache
def client() -> Client:
    from django.test import Client

    return Client(headers={"Accept-Encoding": "gzip"})


def get(address: str) -> bytes:
    answer = client().get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    return bytes(answer.content)


def times(action: Callable[[], object], count: int, before: Callable[[], object] = lambda: None) -> list[float]:
    """Milliseconds of each call but the first."""
    taken = []
    for _ in range(count + 1):
        before()
        began = time.perf_counter()
        action()
        taken.append(1000 * (time.perf_counter() - began))
    return taken[1:]


def cpu_ms(action: Callable[[], object], count: int) -> float:
    """Median processor time of this process and of its connection's PostgreSQL, which others' load cannot change."""
    action()
    taken = []
    for _ in range(count):
        before = time.process_time_ns() + _of_postgres()
        action()
        taken.append(time.process_time_ns() + _of_postgres() - before)
    return statistics.median(taken) / 1e6


def _of_postgres() -> int:
    """Nanoseconds that the server process behind this connection has used (Linux)."""
    from django.db import connection

    connection.ensure_connection()
    return int(Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0])


def p95(taken: list[float]) -> float:
    return sorted(taken)[int(0.95 * (len(taken) - 1))]


def over(found: float, bar: float) -> str:
    """What stands behind a number that misses its bar."""
    return "" if found <= bar else "  OVER THE BAR"


def queries(address: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as found:
        get(address)
    return len(found)


def as_in_production() -> None:
    """As in production: the names of files in a page come from their manifest, and what is loaded is no garbage."""
    from django.core.management import call_command

    from webapp.garbage import settle

    call_command("collectstatic", interactive=False, verbosity=0)
    settle()


def plain_page(requests: int) -> float:
    """Milliseconds of a page that asks the database once and fills one template: this stack's floor."""
    from django.contrib.auth.decorators import login_not_required
    from django.http import HttpRequest, HttpResponse
    from django.template import engines
    from django.urls import path

    from webapp import urls
    from webapp.accounts.models import Team

    template = engines["django"].from_string("<!doctype html><title>Plain</title><p>{{ teams|length }} teams</p>")

    @login_not_required
    def plain(request: HttpRequest) -> HttpResponse:
        return HttpResponse(template.render({"teams": list(Team.objects.all())}, request))

    urls.urlpatterns.append(path("plain/", plain))
    return statistics.median(times(lambda: get("/plain/"), requests))
