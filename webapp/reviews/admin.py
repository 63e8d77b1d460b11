"""The operator's view of reviews."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.reviews.models import Review


@admin.register(Review)
class ReviewAdmin(ReadOnly):
    list_display = ["title", "team", "state", "created_by", "created_at", "changed_at"]
    list_filter = ["state"]
    list_select_related = ["team", "created_by"]
