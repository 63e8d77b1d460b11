"""The operator's view of searches."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.searches.models import Batch, Search


@admin.register(Search)
class SearchAdmin(ReadOnly):
    list_display = ["id", "title", "team", "goal", "method", "state", "budget", "reason"]
    list_filter = ["state", "goal"]
    list_select_related = ["team"]


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    list_display = ["search_id", "number", "at", "contender", "start", "stop", "fresh"]
    list_select_related = ["contender"]
