"""The operator's view of the catalog."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import URLField

from webapp.accounts.admin import ReadOnly
from webapp.catalog.models import Benchmark, BenchmarkVersion, CalibrationSet, EntryVersion, ModelEntry, Price, Suite


class Owned(ReadOnly):
    list_display = ["name", "team", "visibility", "created_by", "created_at"]
    list_filter = ["visibility"]
    search_fields = ["name", "title"]
    list_select_related = ["team", "created_by"]


admin.site.register([ModelEntry, Benchmark, Suite], Owned)


@admin.register(EntryVersion)
class EntryVersionAdmin(ReadOnly):
    list_display = ["entry", "number", "source", "location", "architecture", "created_at"]
    list_filter = ["source"]
    list_select_related = ["entry"]
    exclude = ["sealed_key"]


@admin.register(BenchmarkVersion)
class BenchmarkVersionAdmin(ReadOnly):
    list_display = ["benchmark", "number", "kind", "metric", "samples", "created_at"]
    list_filter = ["kind"]
    list_select_related = ["benchmark"]


@admin.register(Price)
class PriceAdmin(ReadOnly):
    list_display = ["entry", "scheme", "valid_from", "valid_to", "source", "withdrawn_at"]
    list_select_related = ["entry"]
    formfield_overrides = {URLField: {"assume_scheme": "https"}}


@admin.register(CalibrationSet)
class CalibrationSetAdmin(ReadOnly):
    list_display = ["name", "team", "size", "content_hash", "visibility", "created_at"]
    list_select_related = ["team"]
    exclude = ["texts"]
