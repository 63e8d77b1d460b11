"""What the sweep throws away, so that tables which nobody empties do not grow for ever."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from django.utils import timezone

FORGOTTEN = 1000  # sessions of a sweep: however many there are, none is long


def forget_sessions() -> int:
    """Those that nobody can use any more, the oldest first. Returns how many there were."""
    over = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    gone = list(over.values_list("pk", flat=True)[:FORGOTTEN])
    return Session.objects.filter(pk__in=gone).delete()[0] if gone else 0
