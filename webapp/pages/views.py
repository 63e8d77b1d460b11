"""The shell around the apps: home, help, workers, and how far the workers' packages are."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from webapp.accounts.selectors import May, teams_where
from webapp.jobs import selectors as jobs
from webapp.jobs.models import Job
from webapp.jobs.selectors import alive_workers
from webapp.leaderboards.selectors import leaderboards
from webapp.pages.first_steps import walk
from webapp.requests import PageRequest

SHOWN = 8
BUSY = [Job.State.QUEUED, Job.State.RUNNING]


@login_not_required
@require_safe
def home(request: PageRequest) -> HttpResponse:
    boards = leaderboards(request.user)[:SHOWN]
    if not request.user.is_authenticated:
        return render(request, "pages/home.html", {"boards": boards})
    everything = jobs.jobs(request.user)
    context = {
        "boards": boards,
        "jobs": everything.filter(state__in=BUSY)[:SHOWN],
        "recent": everything.exclude(state__in=BUSY)[:SHOWN],
        "walk": walk(request.user),
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
        "workers": alive_workers().count(),
        "install": _install(),
    }
    return render(request, "pages/home.html", context)


def _install() -> dict[str, Any]:
    """What the supervisor says about the packages of the workers; empty when it installs none."""
    try:
        found = json.loads((settings.DATA_DIR / "worker-install.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("state") in {"installing", "failed"} else {}


@login_not_required
@require_safe
@never_cache
def setup(request: PageRequest) -> HttpResponse:
    return render(request, "pages/_setup.html", {"install": _install(), "workers": alive_workers().count()})
