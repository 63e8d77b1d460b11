"""The sample browser, and reports."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.decorators.vary import vary_on_headers

from evaluation.analyses import ANALYSES
from evaluation.errors import NotEnoughData
from webapp.accounts.selectors import May, may, require
from webapp.errors import Unprocessable
from webapp.jobs import selectors as jobs
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.requests import MemberRequest, PageRequest
from webapp.results import candidates, selectors
from webapp.results import reports as reporting
from webapp.results.ambiguous import View
from webapp.results.candidates import Candidates
from webapp.results.cost_basis import cost_basis
from webapp.results.costing import price_runs
from webapp.results.forms import ReportForm, RequestForm
from webapp.results.models import Report, Score
from webapp.results.repeated import repeats
from webapp.results.sample_answers import sample_answers
from webapp.results.selectors import OUTCOMES, SampleRow, report_address

ASKABLE = {key: analysis for key, analysis in ANALYSES.items() if analysis.needs in reporting.TABLES}


def _run(request: PageRequest, pk: int) -> Run:
    run = jobs.readable_run(request.user, pk)
    if run is None:
        raise Http404
    return run


def _crumbs(run: Run, *rest: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Jobs", reverse("jobs:jobs")), (f"Run {run.pk}", reverse("jobs:run", args=[run.pk])), *rest]


@login_not_required
@vary_on_headers("HX-Request")
def samples(request: PageRequest, pk: int) -> HttpResponse:
    """A page of its own, or the fragment alone where a page asks for it."""
    run = _run(request, pk)
    outcome = request.GET.get("outcome", "all")
    outcome = outcome if outcome in OUTCOMES else "all"
    search, after = request.GET.get("q", "").strip()[:80], request.GET.get("after", "")
    rows, following = selectors.sample_page(
        run,
        request.user,
        outcome=outcome,
        search=search,
        after=int(after) if after.isdecimal() and len(after) < 9 else -1,
    )
    view = {key: value for key, value in (("outcome", outcome), ("q", search)) if value not in {"all", ""}}
    context = {
        "run": run,
        "rows": rows,
        "outcome": outcome,
        "search": search,
        "counts": selectors.outcomes(run),
        "several": attempts_of(run.settings) > 1,
        "view": urlencode(view),
        "following": urlencode({**view, "after": following}) if following is not None else "",
        "first": not after,
        "crumbs": _crumbs(run, ("Samples", "")),
    }
    fragment = request.htmx and not request.htmx.history_restore_request
    return render(request, "results/_samples.html" if fragment else "results/samples.html", context)


@login_not_required
def sample(request: PageRequest, pk: int, index: int) -> HttpResponse:
    run = _run(request, pk)
    made = list(Score.objects.filter(run=run, index=index).order_by("attempt"))
    if not made:
        raise Http404
    asked = request.GET.get("attempt", "")
    shown = int(asked) - 1 if asked.isdecimal() and len(asked) < 4 else 0
    row = selectors.beside_questions(run, request.user, [made], shown=shown)[0]
    before, after = selectors.neighbours(run, index)
    others, more = selectors.same_sample(run, index, jobs.runs(request.user))
    context = {
        "run": run,
        "row": row,
        "score": row.score,
        "choices": _choices(row),
        "others": others,
        "more": more,
        "before": before,
        "after": after,
        "crumbs": _crumbs(run, ("Samples", reverse("results:samples", args=[run.pk])), (f"Sample {index}", "")),
    }
    return render(request, "results/sample.html", context)


@login_not_required
def attempts(request: PageRequest, pk: int) -> HttpResponse:
    """What several attempts at each sample are worth, for the page of their run, which asks by address."""
    run = _run(request, pk)
    return render(request, "results/_attempts.html", {"repeats": repeats(Run.objects.filter(pk=run.pk))})


def _choices(row: SampleRow) -> list[dict[str, object]]:
    """Each choice with its log-likelihood and the length of its bar: the best fills it, the worst still shows."""
    values = row.score.log_likelihoods
    if row.sample is None or not values or len(values) != len(row.sample.choices):
        return []
    best, worst = max(values), min(values)
    spread = (best - worst) or 1.0
    return [
        {
            "text": text,
            "value": value,
            "length": round(10 + 90 * (value - worst) / spread),
            "chosen": at == row.score.choice,
            "right": text == row.sample.target,
        }
        for at, (text, value) in enumerate(zip(row.sample.choices, values, strict=True))
    ]


@require_POST
def price_job(request: MemberRequest, pk: int) -> HttpResponse:
    """Cost what a job's runs took, where they ran before their entry was priced."""
    job = get_object_or_404(jobs.jobs(request.user), pk=pk)
    priced = price_runs(actor=request.user, team=job.team, runs=job.runs.filter(team=job.team))
    runs = "1 run is" if len(priced) == 1 else f"{len(priced)} runs are"
    messages.success(request, f"{runs} costed, at the prices that held when they ran.")
    return redirect("jobs:job", pk)


def reports(request: MemberRequest) -> HttpResponse:
    search = request.GET.get("q", "").strip()
    page = Paginator(selectors.reports(request.user, search), 50).get_page(request.GET.get("page"))
    return render(request, "results/reports.html", {"page": page, "search": search})


def request_report(request: MemberRequest) -> HttpResponse:
    """Choose an analysis and its data, see who takes part, and ask for it."""
    asked = (request.POST if request.method == "POST" else request.GET).dict()
    data = candidates.find(request.user, asked)
    found = candidates.candidates(request.user, data) if data else None
    key = asked.get("analysis", "")
    form = RequestForm(key, found, request.POST or None) if found and key in ASKABLE else None
    if request.method == "POST":
        made = _requested(request, key, found, form)
        if made:
            return redirect(report_address(made))
    runs = candidates.runs_of(found.complete) if found else []
    context = {
        "key": key,
        "analysis": ASKABLE.get(key),
        "analyses": ASKABLE,
        "choices": candidates.choices(request.user),
        "data": data,
        "found": found,
        "form": form,
        "basis": cost_basis(found) if found and form and ASKABLE[key].needs == "costs" else None,
        "existing": candidates.existing(request.user, key, runs),
        "may_submit": data is not None and may(request.user, data.team, May.SUBMIT),
        "crumbs": [("Reports", reverse("results:reports")), ("New report", "")],
    }
    return render(request, "results/request_report.html", context, status=form.status if form else 200)


def _requested(request: MemberRequest, key: str, found: Candidates | None, form: RequestForm | None) -> Report | None:
    if found is None or form is None:
        raise Unprocessable("Choose an analysis and its data first.", field="analysis")
    require(request.user, found.data.team, May.SUBMIT)
    return form.attempt(reporting.request_analysis, actor=request.user, found=found, analysis=key)


@login_not_required
def report(request: PageRequest, pk: int) -> HttpResponse:
    """A report; sent its form, the same runs are analysed again with other parameters."""
    found = _report(request, pk)
    form = ReportForm(found.analysis, request.POST or None, initial={**found.parameters, "title": found.title})
    if request.method == "POST":
        require(request.user, found.team, May.SUBMIT)
        made = form.attempt(reporting.repeat_report, actor=request.user, report=found)
        if made:
            return redirect(report_address(made))
    shown = selectors.report_context(found.pk)
    if "multiplicity" in shown:
        shown["samples"] = shown["multiplicity"].samples_page(View.of(request.GET))
    context = {
        **shown,
        "form": form,
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "crumbs": [("Reports", reverse("results:reports")), (found.title, "")],
    }
    return render(request, "results/report.html", context, status=form.status)


@login_not_required
def report_result(request: PageRequest, pk: int) -> HttpResponse:
    """The fragment alone, for pages whose socket is away."""
    return render(request, "results/_report_result.html", selectors.report_context(_report(request, pk).pk))


@login_not_required
def report_samples(request: PageRequest, pk: int) -> HttpResponse:
    """A page of the samples of a multiplicity report: the fragment alone."""
    shown = _multiplicity(request, pk)
    samples = shown["multiplicity"].samples_page(View.of(request.GET))
    return render(request, "results/_report_samples.html", {"report": shown["report"], "samples": samples})


@login_not_required
def report_sample(request: PageRequest, pk: int, at: int) -> HttpResponse:
    """What every contender answered to one sample of a multiplicity report: the fragment alone."""
    shown = _multiplicity(request, pk)
    result = shown["multiplicity"].result
    if at >= len(result.samples.names):
        raise Http404
    runs = shown["report"].inputs["runs"]
    name, found = result.samples.names[at], None
    with suppress(NotEnoughData):  # what a report stands on may be deleted; the report stays
        found = sample_answers(request.user, runs, name, result.contenders)
    context = {
        "report": shown["report"],
        "name": name,
        "found": found,
        "result": result,
        "at": at,
        "last": result.n - 1,
    }
    return render(request, "results/_report_sample.html", context)


def _multiplicity(request: PageRequest, pk: int) -> dict[str, Any]:
    shown = selectors.report_context(_report(request, pk).pk)
    if "multiplicity" not in shown:
        raise Http404
    return shown


def _report(request: PageRequest, pk: int) -> Report:
    return get_object_or_404(selectors.reports(request.user), pk=pk)
