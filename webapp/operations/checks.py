"""What `manage.py migrate` and `manage.py check --database default` refuse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import Error

from webapp import locks


def sessions_are_kept(databases: Sequence[str] | None, **_: Any) -> list[Error]:
    return [] if not databases or locks.are_kept() else [Error(locks.NOT_KEPT, id="operations.E001")]
