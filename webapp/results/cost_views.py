"""What a cost report leads to: a comparison of chosen contenders, and how fast and heavy its contenders were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from evaluation.errors import NotEnoughData
from webapp.accounts.selectors import Viewer
from webapp.catalog.models import Suite
from webapp.catalog.selectors import suites
from webapp.jobs import selectors as jobs
from webapp.jobs.models import Run
from webapp.requests import PageRequest
from webapp.results import selectors
from webapp.results.answers import row_names, runs_with_names
from webapp.results.compare_query import MOST
from webapp.results.efficiency import Efficiency, efficiency
from webapp.results.models import Report
from webapp.results.repeated import Repeats, repeats

KEPT_SECONDS = 3600  # finished runs do not change


@login_not_required
def report_compare(request: PageRequest, pk: int) -> HttpResponse:
    """To the comparison of contenders of a report, named by `contender`; on its suite, else on its first benchmark."""
    runs = list(get_object_or_404(selectors.reports(request.user), pk=pk).inputs["runs"])
    try:
        rows = runs_with_names(runs)
    except NotEnoughData as error:  # an audit of an uploaded table has no runs, and runs may be gone
        raise Http404(str(error)) from error
    names = row_names(rows)
    wanted = request.GET.getlist("contender")
    chosen = [str(row["contender"]) for row in rows if names[row["pk"]] in wanted]
    versions = list(dict.fromkeys(row["version"] for row in rows))
    suite = _suite_of(request.user, versions)
    data = {"suite": suite.pk} if suite else {"benchmark": versions[0]}
    query = {**data, "contenders": ",".join(list(dict.fromkeys(chosen))[:MOST])}
    return redirect(f"{reverse('results:compare')}?{urlencode(query, safe=',')}")


def _suite_of(user: Viewer, versions: Sequence[int]) -> Suite | None:
    """The smallest suite that holds all of them; none for a single benchmark."""
    if len(versions) < 2:
        return None
    found = Counter[Suite]()
    for suite in suites(user).filter(items__version__in=versions).distinct():
        mine = set(suite.items.values_list("version", flat=True))
        if mine >= set(versions):
            found[suite] = len(mine)
    return min(found, key=lambda suite: (found[suite], suite.pk), default=None)


@login_not_required
def report_efficiency(request: PageRequest, pk: int) -> HttpResponse:
    """Times, tokens and memory of the report's runs that the person may see: the fragment alone."""
    found = get_object_or_404(selectors.reports(request.user), pk=pk)
    mine = jobs.runs(request.user).filter(pk__in=found.inputs["runs"])
    ids = sorted(mine.values_list("pk", flat=True))
    there = jobs.still_there(found.inputs["runs"])
    gone = len(set(found.inputs["runs"])) - len(there)
    context: dict[str, Any] = {"report": found, "ids": ids, "hidden": len(there) - len(ids), "gone": gone}
    context["found"], context["repeats"] = _measured(found, mine, ids)
    return render(request, "results/_report_efficiency.html", context)


def _measured(report: Report, runs: QuerySet[Run], ids: Sequence[int]) -> tuple[Efficiency | None, Repeats | None]:
    key = f"efficiency:{report.pk}:{report.changes}:{hash(tuple(ids))}"
    near = caches["process"]  # arrays: the shared cache keeps plain values only
    kept: tuple[Efficiency | None, Repeats | None] | None = near.get(key)
    if kept is None:
        kept = efficiency(runs), repeats(runs)
        near.set(key, kept, KEPT_SECONDS)
    return kept
