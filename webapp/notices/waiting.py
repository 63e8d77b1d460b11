"""Rows that wait to be sent: which are due, and what became of an attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from django.db.models import QuerySet
from django.utils import timezone

from webapp.notices.models import Delivery, Email, Waiting

BATCH = 8  # rows that one transaction holds while they are sent
State = Waiting.State
W = TypeVar("W", Email, Delivery)


def due(rows: QuerySet[W]) -> QuerySet[W]:
    return rows.filter(state=State.QUEUED, next_at__lte=timezone.now()).order_by("next_at", "pk")


def locked(rows: QuerySet[W]) -> list[W]:
    """The first of them, for this transaction; what somebody else is sending is passed over."""
    return list(due(rows.select_for_update(of=("self",), skip_locked=True))[:BATCH])


def end(row: Email | Delivery, state: str, error: str = "") -> None:
    row.state, row.error, row.ended_at = state, error[:500], timezone.now()
    row.save()


def again(row: Email | Delivery, seconds: float, error: str) -> None:
    row.next_at, row.error = timezone.now() + timedelta(seconds=seconds), error[:500]
    row.save()
