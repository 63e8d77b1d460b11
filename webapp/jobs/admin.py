"""The operator's view of jobs, runs and workers."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.jobs.models import Job, Run, RunEvent, Worker


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ["id", "title", "team", "state", "reason", "created_at"]
    list_filter = ["state"]
    search_fields = ["title"]
    list_select_related = ["team"]


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ["id", "contender", "version", "state", "attempt", "worker", "done", "total", "reason"]
    list_filter = ["state"]
    list_select_related = ["contender", "version__benchmark"]


@admin.register(RunEvent)
class RunEventAdmin(ReadOnly):
    list_display = ["at", "run_id", "attempt", "state", "text"]
    list_filter = ["state"]


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    list_display = ["name", "device", "started_at", "seen_at", "stopped_at"]
