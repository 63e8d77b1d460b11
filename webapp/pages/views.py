"""The shell around the apps: home, help, workers, health, and how far the workers' packages are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from evaluation.schemes import SCHEMES
from webapp.accounts.models import User
from webapp.accounts.selectors import May, teams_where
from webapp.catalog.selectors import entries, suites
from webapp.jobs import selectors as jobs
from webapp.jobs.models import Job, Run, Worker
from webapp.jobs.selectors import ALIVE, alive_workers
from webapp.leaderboards.selectors import leaderboards
from webapp.requests import MemberRequest, PageRequest

SHOWN = 8
BUSY = [Job.State.QUEUED, Job.State.RUNNING]


@dataclass(frozen=True)
class Step:
    """One of the five steps from nothing to a board that moves."""

    title: str
    text: str
    url: str
    done: bool


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
        "steps": _steps(request.user),
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
        "workers": alive_workers().count(),
        "install": _install(),
    }
    return render(request, "pages/home.html", context)


def _steps(user: User) -> list[Step]:
    """Empty once a team has been through all of them: then they are in the way."""
    board = leaderboards(user).first()
    watch = reverse("leaderboards:leaderboard", args=[board.team.name, board.name]) if board else ""
    finished = jobs.runs(user).filter(state=Run.State.DONE).order_by("-pk").first()
    look = reverse("results:samples", args=[finished.pk]) if finished else ""
    steps = [
        Step(
            "Register an entry",
            "A language model: a folder of weights, a hub repository at a commit, or an endpoint.",
            reverse("catalog:register_entry"),
            entries(user).exists(),
        ),
        Step(
            "Choose benchmarks",
            "Upload questions as JSON lines or name a task of the harness, and put them in a suite.",
            reverse("catalog:create_suite"),
            suites(user).exists(),
        ),
        Step(
            "Submit a job",
            "Entries under schemes such as bf16, on a suite. You see what it will take before you send it.",
            reverse("jobs:submit_job"),
            jobs.jobs(user).exists(),
        ),
        Step(
            "Watch the board",
            "Cells fill while the workers score samples. Nothing needs a reload.",
            watch or reverse("leaderboards:create_leaderboard"),
            bool(board and finished),
        ),
        Step(
            "Open a cell",
            "Read the prompt, the raw output and the extracted answer of every single sample.",
            look or watch or reverse("jobs:jobs"),
            False,
        ),
    ]
    return [] if all(step.done for step in steps[:4]) and not settings.DEMO else steps


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


@login_not_required
@require_safe
@never_cache
def healthz(request: PageRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return HttpResponse("the database does not answer", status=503, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def workers(request: MemberRequest) -> HttpResponse:
    busy = jobs.current_runs()
    running = [run.pk for run in busy.values()]
    readable = {run.worker: run for run in jobs.runs(request.user).filter(pk__in=running)}
    rows = [(worker, _condition(worker, busy), readable.get(worker.name)) for worker in jobs.workers()]
    waiting = Run.objects.filter(state=Run.State.QUEUED).count()
    return render(request, "pages/workers.html", {"rows": rows, "waiting": waiting, "schemes": SCHEMES.values()})


def _condition(worker: Worker, busy: dict[str, Run]) -> str:
    if worker.stopped_at:
        return "stopped"
    if timezone.now() - worker.seen_at > ALIVE:
        return "lost"
    return "busy" if worker.name in busy else "idle"
