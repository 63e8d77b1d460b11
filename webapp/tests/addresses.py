"""Every address of the site, read from the resolver: what tests that must miss none walk over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

Route = tuple[str, URLPattern]


def routes() -> Iterator[Route]:
    """(full name, pattern with its whole path) of pages and REST, without Django's own admin."""
    for name, pattern in _walk(get_resolver().url_patterns, ""):
        if not name.startswith("admin:"):
            yield name, pattern


def admin_routes() -> list[str]:
    return [name for name, _ in _walk(get_resolver().url_patterns, "") if name.startswith("admin:")]


def _walk(patterns: list[Any], namespace: str) -> Iterator[Route]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, inner)
        else:
            yield f"{namespace}{pattern.name}", pattern


def methods_of(pattern: URLPattern) -> set[str] | None:
    """The methods of a class-based view; None for a function, which may look at the method itself."""
    view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
    if view is None:
        return None
    return {name.upper() for name in view.http_method_names if hasattr(view, name)} - {"OPTIONS", "HEAD", "TRACE"}
