"""Log lines that name their request and run, in text or JSON, one line each whatever they speak of."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
# What a proxy or a client may call its request: nothing that could be read as something else in a log.
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")
log = logging.getLogger("crosstable.request")

_facts: ContextVar[Mapping[str, str]] = ContextVar("crosstable_log_facts", default={})  # noqa: B039 - never changed
_process: dict[str, str] = {}


@contextlib.contextmanager
def bound(**facts: object) -> Iterator[None]:
    """Every line that is logged inside names these facts, such as `run=7`."""
    token = _facts.set({**_facts.get(), **{name: str(value) for name, value in facts.items()}})
    try:
        yield
    finally:
        _facts.reset(token)


def bind_process(**facts: object) -> None:
    """Every line of this process, of any thread, names these facts, such as `worker="gpu-0@host"`."""
    _process.update({name: str(value) for name, value in facts.items()})


def facts() -> dict[str, str]:
    return {**_process, **_facts.get()}


def request_id() -> str:
    """Of the request that is being answered here; "" outside of one."""
    return _facts.get().get("request", "")


def escaped(text: str) -> str:
    """Without line breaks, terminal codes or signs that turn the direction of reading: each shown as its escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


class Lines(logging.Formatter):
    """For people: time, level, logger, facts, message. The lines of a traceback are marked as belonging to it."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(" ", "milliseconds")
        named = "".join(f" {name}={escaped(value)}" for name, value in facts().items())
        line = f"{at} {record.levelname} {record.name}{named} {escaped(record.getMessage())}"
        trace = _traceback(self, record)
        return "\n".join([line, *(f"    | {escaped(row)}" for row in trace.splitlines())])


class JSONLines(logging.Formatter):
    """For machines: one JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **facts(),
            **getattr(record, "measured", {}),
        }
        if trace := _traceback(self, record):
            entry["traceback"] = trace
        return json.dumps(entry, default=str)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    return "\n".join([*parts, *([record.stack_info] if record.stack_info else [])])


class RequestIdMiddleware:
    """Takes or gives each request its id, names it in every line that the request logs, and answers with it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        ident = given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        began = time.perf_counter()
        with bound(request=ident):
            response = self.get_response(request)
            _say(request, response, time.perf_counter() - began)
        response.headers[HEADER] = ident
        return response


def _say(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    """The route, not the path: a path may hold an invitation's secret, and so may a query."""
    match = request.resolver_match
    measured = {"method": request.method, "route": match.route if match else "", "status": response.status_code}
    log.info(
        "%s /%s %s in %.0f ms", request.method, measured["route"], response.status_code, seconds * 1000,
        extra={"measured": {**measured, "seconds": round(seconds, 4)}},
    )  # fmt: skip
