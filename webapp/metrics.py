"""What this process counts for Prometheus. What Postgres knows is counted from rows (operations/figures.py).

Each process is scraped by its own address; where one address has several (uvicorn --workers), set
PROMETHEUS_MULTIPROC_DIR to an empty folder, and whichever answers adds them all up.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Gauge, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUESTS = Counter("crosstable_http_requests", "Answers by view, method and status.", ["view", "method", "status"])
SECONDS = Histogram(
    "crosstable_http_request_seconds", "Seconds until an answer is there, by view.", ["view"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0),
)  # fmt: skip
SOCKETS = Gauge("crosstable_sockets", "WebSockets that are open in this process.", multiprocess_mode="livesum")
DRAWINGS = Counter("crosstable_live_drawings", "Fragments drawn to be pushed, however many look.")

Application = Callable[[Any, Any, Any], Awaitable[None]]


class CountingMiddleware:
    """Counts each answer under the name of its view; what has none (static files, unknown addresses) under "none"."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        view = request.resolver_match.view_name if request.resolver_match else "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(view, method, response.status_code).inc()
        SECONDS.labels(view).observe(time.perf_counter() - began)
        return response


def counting_sockets(application: Application) -> Application:
    async def counted(scope: Any, receive: Any, send: Any) -> None:
        with SOCKETS.track_inprogress():
            await application(scope, receive, send)

    return counted
