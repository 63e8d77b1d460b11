"""How fast and heavy an entry's contenders are by the fixed protocol: the table for its page, and the wish for more."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from webapp.accounts.selectors import May, may
from webapp.catalog.selectors import contenders, entries
from webapp.requests import MemberRequest, PageRequest
from webapp.results import measurements


@login_not_required
def entry_efficiency(request: PageRequest, team: str, name: str) -> HttpResponse:
    """For the entry's own page in the catalog, which asks by address."""
    found = get_object_or_404(entries(request.user), team__name=team, name=name)
    rows = measurements.of_entry(request.user, found)
    context = {
        "entry": found,
        "groups": measurements.by_device(rows),
        "contenders": [(one, measurements.newest(rows, one)) for one in measurements.measurable(found)],
        "waiting": any(row.state in measurements.WAITING for row in rows),
        "may_submit": may(request.user, found.team, May.SUBMIT),
    }
    return render(request, "results/_entry_efficiency.html", context)


@require_POST
def measure(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask for a contender to be measured, from the page of its entry."""
    chosen = get_object_or_404(contenders(request.user).select_related("version__entry__team"), pk=pk)
    measurements.request_measurement(actor=request.user, contender=chosen)
    messages.success(request, f"{chosen} is measured between two runs, within seconds where a worker is free.")
    return redirect("catalog:entry", chosen.version.entry.team.name, chosen.version.entry.name)
