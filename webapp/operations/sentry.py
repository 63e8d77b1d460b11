"""Errors to Sentry, where SENTRY_DSN is set: no bodies, cookies, query strings or local variables leave the house."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from webapp import logs


def start() -> None:
    """Raises ImproperlyConfigured when the package is missing: asked for and silent would be worse."""
    try:
        import sentry_sdk
    except ImportError as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN is set: install the extra `sentry` (pip install '.[sentry]')."
        ) from error
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment=settings.SENTRY_ENVIRONMENT,
        send_default_pii=False,
        include_local_variables=False,  # they hold questions, keys and passwords
        max_request_body_size="never",
        before_send=scrubbed,
    )


def scrubbed(event: Any, _hint: Any) -> Any:
    """The route instead of the address, which may hold an invitation's secret; the facts of the log beside it."""
    request = event.get("request", {})
    for name in ("url", "query_string", "cookies", "headers", "data", "env"):
        request.pop(name, None)
    event.pop("breadcrumbs", None)
    event.setdefault("tags", {}).update(logs.facts())
    return event
