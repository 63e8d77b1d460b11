"""Lines that nobody can forge, and that name what they speak of."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from webapp import logs
from webapp.accounts.models import User

FORGED = (
    "nothing\n2026-01-01 00:00:00.000+00:00 INFO crosstable.accounts alice is owner now\r\x1b[2K\u2028\u202eevil\x85"
)
BREAKS = "\n\r\x0b\x0c\x1b\x1c\x85\u2028\u2029\u202e"


@pytest.fixture
def logged() -> Iterator[Callable[[logging.Formatter], io.StringIO]]:
    """A logger `attack` that writes through a formatter into a text."""
    attack = logging.getLogger("attack")

    def through(formatter: logging.Formatter) -> io.StringIO:
        handler = logging.StreamHandler(io.StringIO())
        handler.setFormatter(formatter)
        attack.addHandler(handler)
        return handler.stream

    yield through
    attack.handlers.clear()


@pytest.mark.parametrize("formatter", [logs.Lines(), logs.JSONLines()])
def test_what_a_stranger_writes_stays_on_its_line(logged: Any, formatter: logging.Formatter) -> None:
    text = logged(formatter)
    with logs.bound(run=FORGED):
        logging.getLogger("attack").warning("no such name: %s", FORGED)
    line = text.getvalue().removesuffix("\n")
    assert not set(BREAKS) & set(line)
    assert line.count("alice is owner now") == 2  # it is told, as what it is


def test_the_lines_of_a_traceback_cannot_be_taken_for_others(logged: Any) -> None:
    text = logged(logs.Lines())
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("attack").exception("broken")
    first, *rest = text.getvalue().removesuffix("\n").split("\n")
    assert first.endswith("ERROR attack broken")
    assert len(rest) > 3
    assert all(row.startswith("    | ") for row in rest)


def test_a_traceback_is_one_field_of_one_json_line(logged: Any) -> None:
    text = logged(logs.JSONLines())
    try:
        raise ValueError(FORGED)
    except ValueError:
        logging.getLogger("attack").exception("broken")
    entry = json.loads(text.getvalue())
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "attack", "broken")
    assert FORGED in entry["traceback"]


def test_facts_are_those_of_the_thread_and_of_the_process(logged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = logged(logs.JSONLines())
    monkeypatch.setattr(logs, "_process", {})
    logs.bind_process(worker="gpu-0@host")
    with logs.bound(run=7), logs.bound(attempt=2):
        logging.getLogger("attack").warning("inside")
        other = threading.Thread(target=lambda: logging.getLogger("attack").warning("beside"))
        other.start()
        other.join()
    logging.getLogger("attack").warning("after")
    inside, beside, after = map(json.loads, text.getvalue().splitlines())
    assert (inside["run"], inside["attempt"], inside["worker"]) == ("7", "2", "gpu-0@host")
    assert "run" not in beside | after
    assert beside["worker"] == after["worker"] == "gpu-0@host"


@pytest.mark.django_db
def test_a_request_keeps_the_id_that_a_proxy_gave_it(client: Client) -> None:
    assert client.get("/help/", headers={"X-Request-ID": "f00d-1234"}).headers["X-Request-ID"] == "f00d-1234"


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "short", "a" * 65, "new\nline-id", 'quote"d-id', "id with spaces", "ünicode-id"])
def test_an_id_that_could_mislead_is_replaced(client: Client, given: str) -> None:
    answer = client.get("/help/", headers={"X-Request-ID": given.encode("utf-8").decode("latin-1")})
    assert logs.WELL_FORMED.fullmatch(answer.headers["X-Request-ID"])
    assert answer.headers["X-Request-ID"] != given


@pytest.mark.django_db
def test_a_line_per_request_names_route_and_id_and_no_secret(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The address of an invitation is its secret, and so may be what stands behind the question mark."""
    caplog.set_level(logging.INFO, "crosstable.request")
    answer = client.get("/join/s3cr3t-of-an-invitation/?q=s3cr3t")
    (record,) = [record for record in caplog.records if record.name == "crosstable.request"]
    assert record.measured["route"] == "join/<str:secret>/"
    assert record.measured["status"] == answer.status_code == 302
    assert "s3cr3t" not in logs.JSONLines().format(record)


@pytest.mark.django_db
def test_no_logger_tells_the_address_of_an_invitation(
    client: Client, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the page fails: Django's own line would name the path."""
    client.force_login(alice)
    assert client.get("/join/s3cr3t-of-an-invitation/").status_code >= 400
    assert "s3cr3t" not in caplog.text
