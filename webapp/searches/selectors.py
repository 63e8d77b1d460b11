"""Reads of searches, with the words that say how far they are and what they mean."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from webapp.accounts.selectors import Viewer, visible
from webapp.searches.models import Search

BATCHES_SHOWN = 200


def searches(user: Viewer) -> QuerySet[Search]:
    rows = visible(Search.objects.all(), user).select_related("team", "created_by", "job__suite__team")
    return rows.order_by("-pk")


@dataclass(frozen=True)
class Spending:
    """Samples evaluated for a search of its budget, and seconds left where its own runs tell a speed."""

    done: int
    total: int
    seconds_left: float | None

    @property
    def percent(self) -> int:
        return min(100, int(100 * self.done / self.total)) if self.total else 0
