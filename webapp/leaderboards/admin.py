"""The operator's view of boards."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.leaderboards.models import Leaderboard


@admin.register(Leaderboard)
class LeaderboardAdmin(ReadOnly):
    list_display = ["name", "title", "team", "suite", "visibility", "version", "stale_since", "refreshed_at"]
    list_filter = ["visibility"]
    list_select_related = ["team", "suite"]
