"""For machines: does the process live, can it work, and what does it count."""

from __future__ import annotations

import ipaddress
import os

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from webapp.operations.figures import RowsCollector
from webapp.operations.readiness import Readiness

READINESS = Readiness()


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. No database: restarting a process does not cure one that is away."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Each part and its state; 503 while one is not ready.

    `?spare=broker,channels`: these are told, too, but may be away. So a load balancer goes on sending requests while
    only the broker is down: submissions are accepted then, and start when it returns.
    """
    spared = set(request.GET.get("spare", "").split(","))
    parts = READINESS.parts()
    ready = all(part.ready for part in parts if part.name not in spared)
    states = {part.name: part.reason or "ready" for part in parts}
    return JsonResponse({"ready": ready, "parts": states}, status=200 if ready else 503)


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus. To everybody else, and to everybody while neither token nor network is set, it is not there."""
    if not (_has_token(request) or _is_inside(request)):
        raise Http404
    rows = CollectorRegistry()
    rows.register(RowsCollector())
    return HttpResponse(generate_latest(_of_process()) + generate_latest(rows), content_type=CONTENT_TYPE_LATEST)


def _of_process() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _has_token(request: HttpRequest) -> bool:
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {wanted}")


def _is_inside(request: HttpRequest) -> bool:
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a socket file has no address
        return False
    return any(address in network for network in settings.METRICS_NETWORKS)
