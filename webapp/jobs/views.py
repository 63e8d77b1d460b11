"""Jobs: the list, submitting with an estimate, the live page; and runs with their diary."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from evaluation.pricing import UnitPrices
from webapp.accounts.models import Team
from webapp.accounts.selectors import May, may, teams_where
from webapp.catalog.selectors import entries, newest_entries
from webapp.jobs import choosing, planning, quota, selectors, services
from webapp.jobs.forms import SubmitForm
from webapp.jobs.models import Job, Run
from webapp.jobs.queue import queue_position
from webapp.jobs.recorded import asked_with, recorded
from webapp.jobs.scheme_facts import scheme_facts, searching
from webapp.paging import Pages
from webapp.requests import MemberRequest, PageRequest

ACTIVE = {Run.State.QUEUED, Run.State.RUNNING}
FEW = 3
RUNS_SHOWN = 50
CELLS_SHOWN = 50
SWEEP_RUNS = 300  # more ids than that make too long an address


def _job(request: PageRequest, pk: int) -> Job:
    return get_object_or_404(selectors.jobs(request.user), pk=pk)


def jobs(request: MemberRequest) -> HttpResponse:
    state, search = request.GET.get("state", ""), request.GET.get("q", "").strip()
    known = state if state in Job.State.values else ""
    page = Pages(selectors.jobs(request.user, state=known, search=search), 50).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "state": known,
        "search": search,
        "states": Job.State.choices,
        "limited": quota.spending(teams_where(request.user).filter(spending_limit_usd__isnull=False)),
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
    }
    return render(request, "jobs/jobs.html", context)


@login_not_required
def job(request: PageRequest, pk: int) -> HttpResponse:
    found = _job(request, pk)
    progress = selectors.progress_context(found.pk)
    context = {
        **progress,
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "sweep": _sweep([run for run, _ in progress["runs"]]),
        "may_price": may(request.user, found.team, May.MANAGE) and selectors.has_unpriced(progress["runs"]),
        "crumbs": [("Jobs", reverse("jobs:jobs")), (f"Job {found.pk}", "")],
    }
    return render(request, "jobs/job.html", context)


def _sweep(runs: list[Run]) -> str:
    """The ids of finished runs under several schemes, for a report that compares them; "" where there are none."""
    done = [run for run in runs if run.state == Run.State.DONE]
    several = len({run.contender.scheme for run in done}) > 1
    return ",".join(str(run.pk) for run in done) if several and len(done) <= SWEEP_RUNS else ""


@login_not_required
def job_progress(request: PageRequest, pk: int) -> HttpResponse:
    return render(request, "jobs/_job_progress.html", selectors.progress_context(_job(request, pk).pk))


def submit_job(request: MemberRequest) -> HttpResponse:
    form = SubmitForm(request.user, request.POST or None, initial=_initial(request))
    if request.method == "POST" and (made := form.attempt(services.submit_job, actor=request.user)):
        return redirect("jobs:job", made[0].pk)
    context = {"form": form, "crumbs": [("Jobs", reverse("jobs:jobs")), ("New job", "")]}
    return render(request, "jobs/submit_job.html", context, status=form.status)


def _initial(request: MemberRequest) -> dict[str, Any]:
    """From the link that led here; else all entries where they are few."""
    chosen = choosing.ids(request.GET.getlist("entry"))
    if not chosen:
        newest = [version.pk for version in newest_entries(request.user, FEW + 1)]
        chosen = newest if len(newest) <= FEW else []
    initial: dict[str, Any] = {"entries": chosen, "suite": request.GET.get("suite")}
    if scheme := request.GET.getlist("scheme"):
        initial["schemes"] = scheme
    if (repeat := request.GET.get("repeat", "")).isdigit():
        initial["repeat"] = int(repeat)
    return initial


@require_POST
def entry_choices(request: MemberRequest) -> HttpResponse:
    """The chosen entries and those that are found. It is sent: hundreds of ids would make too long an address."""
    choices = choosing.entry_choices(request.user, request.POST.getlist("entries"), request.POST.get("find", ""))
    return render(request, "jobs/_entry_choices.html", {"choices": choices})


@require_POST
def estimate_job(request: MemberRequest) -> HttpResponse:
    """What the form as it stands would do. One without entries has not been filled in yet: that is no error."""
    form = SubmitForm(request.user, request.POST)
    cells = form.rehearse(services.plan_job, actor=request.user)
    context = {"form": form, **(_plan(form.cleaned_data["team"], cells) if cells else {})}
    begun = bool(request.POST.getlist("entries"))
    return render(request, "jobs/_estimate_job.html", context, status=form.status if begun else 200)


def _plan(team: Team, cells: list[planning.Cell]) -> dict[str, Any]:
    expected = planning.estimate(cells)
    return {
        "plan": expected,
        "cells": cells[:CELLS_SHOWN],
        "refusal": quota.refuse(quota.spending([team])[0], expected),
        "workers": selectors.alive_workers().count(),
    }


@require_POST
def cancel_job(request: MemberRequest, pk: int) -> HttpResponse:
    services.cancel_job(actor=request.user, job=_job(request, pk))
    return redirect("jobs:job", pk)


@require_POST
def retry_job(request: MemberRequest, pk: int) -> HttpResponse:
    services.retry_job(actor=request.user, job=_job(request, pk))
    return redirect("jobs:job", pk)


@login_not_required
def run(request: PageRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(selectors.runs(request.user), pk=pk)
    job = selectors.jobs(request.user).filter(runs=found).first()
    context = {
        "run": found,
        "prices": UnitPrices.from_json(found.unit_prices) if found.unit_prices else None,
        "job": job,
        "progress": selectors.run_progress(found),
        "position": queue_position(found) if found.state == Run.State.QUEUED else None,
        "waiting": selectors.waiting_reason([found]),
        "active": found.state in ACTIVE,
        "scheme": scheme_facts(found.provenance),
        "search": searching(found.provenance) if found.state in ACTIVE else None,
        "events": found.events.order_by("-pk"),
        "asked_with": asked_with(found),
        "recorded": recorded(found.provenance),
        "original": _original(request, found),
        "others": [other for other in selectors.runs_of_cell(found, request.user)[:20] if other.pk != found.pk],
        "call": _call(request, found),
        "suite": job.suite if job else None,
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "crumbs": [("Jobs", reverse("jobs:jobs")), *_up(job), (f"Run {found.pk}", "")],
    }
    return render(request, "jobs/run.html", context)


def _original(request: PageRequest, run: Run) -> Run | None:
    """The run of which an imported one is a copy, if the person may see it."""
    same_as = run.provenance.get("same_as")
    return selectors.runs(request.user).filter(pk=same_as).first() if same_as else None


def team_spending(request: MemberRequest, name: str) -> HttpResponse:
    """What a team has spent this month, for its own page, which asks by address."""
    found = get_object_or_404(teams_where(request.user), name=name)
    return render(request, "jobs/_team_spending.html", {"spending": quota.spending([found])[0]})


@login_not_required
def entry_runs(request: PageRequest, team: str, name: str) -> HttpResponse:
    """The newest whole runs of an entry, for its own page in the catalog, which asks by address."""
    found = get_object_or_404(entries(request.user), team__name=team, name=name)
    rows = selectors.runs(request.user).filter(contender__version__entry=found)
    whole, partial = rows.filter(subset=None).order_by("-pk")[:RUNS_SHOWN], rows.exclude(subset=None).count()
    return render(request, "jobs/_entry_runs.html", {"runs": whole, "partial": partial})


def _up(job: Job | None) -> list[tuple[str, str]]:
    return [(f"Job {job.pk}", reverse("jobs:job", args=[job.pk]))] if job else []


def _call(request: PageRequest, run: Run) -> str:
    """The REST call that asks for this very run again, or for all of a partial one; another `repeat` makes it new."""
    version, benchmark = run.contender.version, run.version.benchmark
    body = {
        "team": run.team.name,
        "entries": [f"{version.entry.team.name}/{version.entry.name}:{version.number}"],
        "schemes": [run.contender.scheme],
        "benchmarks": [f"{benchmark.team.name}/{benchmark.name}:{run.version.number}"],
        "settings": {**run.settings, "repeat": run.settings.get("repeat", 0) + (not run.is_partial)},
    }
    return (
        f"curl -X POST {request.build_absolute_uri('/api/v1/jobs/')} \\\n"
        '  -H "Authorization: Bearer $CROSSTABLE_TOKEN" -H "Content-Type: application/json" \\\n'
        f"  -d '{json.dumps(body)}'"
    )
