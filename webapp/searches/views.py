"""Searches: the list, asking for one with an estimate of its cost, the live page, and stopping."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from webapp.accounts.selectors import May, may, teams_where
from webapp.jobs import quota
from webapp.jobs.choosing import ids
from webapp.jobs.selectors import alive_workers
from webapp.requests import MemberRequest, PageRequest
from webapp.searches import selectors, services
from webapp.searches.forms import SearchForm
from webapp.searches.models import Search


def _search(request: PageRequest, pk: int) -> Search:
    return get_object_or_404(selectors.searches(request.user), pk=pk)


def searches(request: MemberRequest) -> HttpResponse:
    page = Paginator(selectors.searches(request.user), 50).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "may_submit": teams_where(request.user, May.SUBMIT).exists(),
    }
    return render(request, "searches/searches.html", context)


@login_not_required
def search(request: PageRequest, pk: int) -> HttpResponse:
    found = _search(request, pk)
    context = {
        **selectors.progress_context(found.pk),
        "versions": found.versions.select_related("benchmark__team").order_by("pk"),
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "crumbs": [("Searches", reverse("searches:searches")), (f"Search {pk}", "")],
    }
    return render(request, "searches/search.html", context)


@login_not_required
def search_progress(request: PageRequest, pk: int) -> HttpResponse:
    return render(request, "searches/_search_progress.html", selectors.progress_context(_search(request, pk).pk))


def submit_search(request: MemberRequest) -> HttpResponse:
    form = SearchForm(request.user, request.POST or None, initial=_initial(request))
    if request.method == "POST" and (made := form.attempt(services.submit_search, actor=request.user)):
        return redirect("searches:search", made[0].pk)
    crumbs = [("Searches", reverse("searches:searches")), ("New search", "")]
    return render(request, "searches/submit_search.html", {"form": form, "crumbs": crumbs}, status=form.status)


def _initial(request: MemberRequest) -> dict[str, Any]:
    """From the link that led here: another search to repeat, or a suite, entries, a goal."""
    again = request.GET.get("again", "")
    earlier = (
        selectors.searches(request.user).filter(pk=again).first() if again.isdecimal() and len(again) < 10 else None
    )
    if earlier is not None:
        return _of(earlier)
    initial: dict[str, Any] = {"entries": ids(request.GET.getlist("entry")), "suite": request.GET.get("suite")}
    if request.GET.get("goal") in Search.Goal.values:
        initial["goal"] = request.GET["goal"]
    return initial


def _of(earlier: Search) -> dict[str, Any]:
    rows = list(earlier.contenders.values_list("version", "scheme"))
    same = ("goal", "method", "batch", "seed", "exploration", "floor", "visibility")
    return {
        **{name: getattr(earlier, name) for name in same},
        "entries": sorted({version for version, _ in rows}),
        "schemes": sorted({scheme for _, scheme in rows}),
        "suite": earlier.job.suite_id,
        "budget": str(earlier.budget),
        "stop_error": 100 * earlier.stop_error,
        "half_width": 100 * earlier.half_width,
    }


@require_POST
def estimate_search(request: MemberRequest) -> HttpResponse:
    """What the form as it stands would do. One without entries has not been filled in yet: that is no error."""
    form = SearchForm(request.user, request.POST)
    plan = form.rehearse(services.plan_search, actor=request.user)
    context: dict[str, Any] = {"form": form, "plan": plan}
    if plan is not None:
        refusal = quota.refuse(quota.spending([form.cleaned_data["team"]])[0], plan.expected)
        context |= {"refusal": refusal, "workers": alive_workers().count()}
    begun = bool(request.POST.getlist("entries"))
    return render(request, "searches/_estimate_search.html", context, status=form.status if begun else 200)


@require_POST
def stop_search(request: MemberRequest, pk: int) -> HttpResponse:
    cancel = request.POST.get("runs") == "cancel"
    services.stop_search(actor=request.user, search=_search(request, pk), cancel=cancel)
    return redirect("searches:search", pk)
