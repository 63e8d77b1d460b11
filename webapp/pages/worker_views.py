"""The workers' page: who is there, on what, what for, and what waits; operators pause, drain and resume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evaluation.schemes import SCHEMES
from webapp.accounts.selectors import is_operator
from webapp.jobs import modes
from webapp.jobs import selectors as jobs
from webapp.jobs.models import Run, Worker
from webapp.jobs.queue import depths
from webapp.jobs.resources import RESOURCES, in_words
from webapp.jobs.selectors import ALIVE, Progress, run_progress
from webapp.requests import MemberRequest


@dataclass(frozen=True)
class Row:
    """A worker as the page shows it. run: what it works on, where the reader may see that."""

    worker: Worker
    condition: str
    run: Run | None
    now: datetime

    @property
    def progress(self) -> Progress | None:
        return run_progress(self.run) if self.run else None

    @property
    def age(self) -> float:
        """Seconds since it was heard of."""
        return max(0.0, (self.now - self.worker.seen_at).total_seconds())

    @property
    def samples_per_minute(self) -> float | None:
        """In the last hour; None for one that has only just come."""
        seconds = self.worker.counted_seconds
        return 60 * self.worker.samples_last_hour / seconds if seconds >= 1 else None

    @property
    def lives(self) -> bool:
        return self.condition in {"busy", "idle"}


@dataclass(frozen=True)
class Lane:
    """What waits for a class of resources, since when, and how many living workers serve it, or could if they might."""

    resource: str
    waiting: int
    oldest: float
    hands: int
    held: int

    @property
    def words(self) -> str:
        return in_words(self.resource)


@require_safe
def workers(request: MemberRequest) -> HttpResponse:
    now = timezone.now()
    busy = jobs.current_runs()
    running = [run.pk for run in busy.values()]
    readable = {run.worker: run for run in jobs.runs(request.user).filter(pk__in=running)}
    rows = [Row(one, _condition(one, busy, now), readable.get(one.name), now) for one in jobs.workers()]
    context = {
        "rows": rows,
        "lanes": _lanes(rows, now),
        "schemes": SCHEMES.values(),
        "is_operator": is_operator(request.user),
    }
    return render(request, "pages/workers.html", context)


def _condition(worker: Worker, busy: dict[str, Run], now: datetime) -> str:
    if worker.stopped_at:
        return "stopped"
    if now - worker.seen_at > ALIVE:
        return "lost"
    return "busy" if worker.name in busy else "idle"


def _lanes(rows: list[Row], now: datetime) -> list[Lane]:
    """Smallest class first."""
    living = [row.worker for row in rows if row.lives]
    found = [
        Lane(
            depth.resource,
            depth.waiting,
            (now - depth.oldest).total_seconds(),
            *_hands(living, depth.resource),
        )
        for depth in depths()
    ]
    return sorted(found, key=lambda lane: RESOURCES.index(lane.resource))


def _hands(living: list[Worker], resource: str) -> tuple[int, int]:
    """How many of them take such runs, and how many are paused or draining instead."""
    able = [worker for worker in living if resource in worker.resources]
    working = sum(worker.mode == Worker.Mode.WORKING for worker in able)
    return working, len(able) - working


@require_POST
def pause_worker(request: MemberRequest, pk: int) -> HttpResponse:
    worker = modes.pause(actor=request.user, worker=get_object_or_404(Worker, pk=pk))
    messages.success(request, f"{worker} takes nothing new. A run in hand goes on to its end.")
    return redirect("pages:workers")


@require_POST
def drain_worker(request: MemberRequest, pk: int) -> HttpResponse:
    worker = modes.drain(actor=request.user, worker=get_object_or_404(Worker, pk=pk))
    messages.success(request, f"{worker} ends when it has finished the run in hand.")
    return redirect("pages:workers")


@require_POST
def resume_worker(request: MemberRequest, pk: int) -> HttpResponse:
    worker = modes.resume(actor=request.user, worker=get_object_or_404(Worker, pk=pk))
    messages.success(request, f"{worker} takes runs again.")
    return redirect("pages:workers")
