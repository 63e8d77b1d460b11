"""The operator's view of reports; scores have the sample browser."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.results.models import Report


@admin.register(Report)
class ReportAdmin(ReadOnly):
    list_display = ["id", "analysis", "analysis_version", "team", "created_at"]
    list_filter = ["analysis"]
    list_select_related = ["team"]
