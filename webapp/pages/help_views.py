"""The guide with its search, the page of the design system, and the first steps that tick themselves."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evaluation.analyses import ANALYSES
from evaluation.schemes import SCHEMES
from webapp.pages import first_steps as steps
from webapp.pages.guide import CONTENTS
from webapp.pages.guide.finding import neighbours, search
from webapp.pages.guide.reading import pages
from webapp.pages.metrics import METRICS
from webapp.pages.palette import colours
from webapp.pages.specimens import parts, specimens
from webapp.pages.templatetags.crosstable import STATES
from webapp.requests import MemberRequest, PageRequest

LONGEST = 80


@login_not_required
@require_safe
def help_(request: PageRequest) -> HttpResponse:
    words = request.GET.get("q", "")[:LONGEST]
    there = pages()
    parts = {part: [there[slug] for slug in slugs if slug in there] for part, slugs in CONTENTS.items()}
    return render(request, "pages/help.html", {"parts": parts, "search": words, "hits": search(words)})


@login_not_required
@require_safe
def guide(request: PageRequest, slug: str) -> HttpResponse:
    page = pages().get(slug)
    if page is None:
        raise Http404(slug)
    before, after = neighbours(slug)
    context = {
        "page": page,
        "contents": [pages()[one] for one in CONTENTS[page.part] if one in pages()],
        "before": before,
        "after": after,
        "orders": [analysis for analysis in ANALYSES.values() if analysis.ranking and analysis.needs == "means"],
        "schemes": SCHEMES.values(),
        "metrics": METRICS.values(),
    }
    return render(request, "pages/guide.html", context)


@login_not_required
@require_safe
def design(request: PageRequest) -> HttpResponse:
    drawn = {"specimens": specimens(), "parts": parts(), "metric": METRICS["rank"]}
    context = {"colours": colours(), "states": STATES, **drawn}
    return render(request, "pages/design.html", context)


@require_POST
def see_step(request: MemberRequest, step: str) -> HttpResponse:
    """A page that is one of the first steps says that it has been opened."""
    steps.note(user=request.user, step=step)
    request.session[steps.SESSION] = sorted({*request.session.get(steps.SESSION, []), step})
    return HttpResponse(status=204)


@require_POST
def first_steps(request: MemberRequest) -> HttpResponse:
    """Put them away, or bring them back."""
    steps.hide(user=request.user, hidden=request.POST.get("show") != "1")
    return redirect("pages:home")
