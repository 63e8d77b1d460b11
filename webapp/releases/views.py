"""Releases: the list, those of a board, a board as of a day; a release as page, JSON, CSV, badge and framed table."""

from __future__ import annotations

import csv
import html
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_POST

from webapp.accounts.models import Visibility
from webapp.accounts.selectors import May, may, require
from webapp.errors import Unprocessable
from webapp.jobs.selectors import still_there
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import leaderboards
from webapp.releases import selectors, services, snapshots
from webapp.releases.badge import badge as drawn_badge
from webapp.releases.forms import DayForm, FreezeForm, WithdrawForm
from webapp.releases.models import Release
from webapp.requests import MemberRequest, PageRequest
from webapp.security import EMBEDDED

ROWS = 200  # on one page of a frozen board
EMBEDDED_ROWS = 100
SHARED_SECONDS = 300  # that browsers and proxies may keep a public badge or table


def _board(request: PageRequest, team: str, name: str) -> Leaderboard:
    return get_object_or_404(leaderboards(request.user), team__name=team, name=name)


def _find(request: PageRequest, pk: int) -> Release:
    return get_object_or_404(selectors.releases(request.user).defer(None), pk=pk)


def _crumbs(board: Leaderboard, last: str, page: str = "") -> list[tuple[str, str]]:
    named = [board.team.name, board.name]
    crumbs = [
        ("Boards", reverse("leaderboards:leaderboards")),
        (board.title, reverse("leaderboards:leaderboard", args=named)),
    ]
    middle = [("Releases", reverse("releases:board_releases", args=named))] if page else []
    return [*crumbs, *middle, (last, "")]


@login_not_required
def releases(request: PageRequest) -> HttpResponse:
    search = request.GET.get("q", "").strip()[:80]
    page = Paginator(selectors.releases(request.user, search=search), 50).get_page(request.GET.get("page"))
    crumbs = [("Boards", reverse("leaderboards:leaderboards")), ("Releases", "")]
    return render(request, "releases/releases.html", {"page": page, "search": search, "crumbs": crumbs})


@login_not_required
def board_releases(request: PageRequest, team: str, name: str) -> HttpResponse:
    """The releases of a board; sent its form, one more."""
    board = _board(request, team, name)
    usual = {"visibility": board.visibility, "on": request.GET.get("on", "")}
    form = FreezeForm(request.POST or None, initial=usual)
    if request.method == "POST":
        require(request.user, board.team, May.SUBMIT)
        made = form.attempt(services.freeze, actor=request.user, board=board)
        if made:
            messages.success(request, f"“{made.title}” is frozen.")
            return redirect("releases:release", made.pk)
    context = {
        "board": board,
        "page": Paginator(selectors.releases(request.user, board=board), 50).get_page(request.GET.get("page")),
        "days": selectors.days(board),
        "form": form,
        "may_freeze": may(request.user, board.team, May.SUBMIT),
        "crumbs": _crumbs(board, "Releases"),
    }
    return render(request, "releases/board_releases.html", context, status=form.status)


def as_of(request: MemberRequest, team: str, name: str) -> HttpResponse:
    """A board as it stood at the end of a day, against the release before it."""
    board, form = _board(request, team, name), DayForm(request.GET)
    if not form.is_valid():
        raise Unprocessable("This is not a day.", field="on", remedy="Write it as 2026-11-21.")
    moment = services.end_of(form.day)
    frozen = snapshots.looked_at(board, moment)
    drawn = selectors.drawn(frozen, selectors.before(request.user, board, moment))
    context = {
        "board": board,
        "drawn": drawn,
        "opens": selectors.behind(drawn.lines) if may(request.user, board.team, May.READ) else (),
        "on": form.day or moment.date(),
        "as_of": datetime.fromisoformat(frozen["as_of"]),
        "days": selectors.days(board),
        "may_freeze": may(request.user, board.team, May.SUBMIT),
        "crumbs": _crumbs(board, "As of a day", "releases"),
    }
    return render(request, "releases/as_of.html", context)


@login_not_required
def release(request: PageRequest, pk: int) -> HttpResponse:
    found = _find(request, pk)
    shown = selectors.drawn(found.frozen, selectors.before(request.user, found.leaderboard, found.as_of))
    page = Paginator(shown.ranked, ROWS).get_page(request.GET.get("page"))
    inside = may(request.user, found.team, May.READ)
    context = {
        "release": found,
        "drawn": shown,
        "page": page,
        "manages": may(request.user, found.team, May.MANAGE),
        "form": WithdrawForm(),
        "visibilities": Visibility.choices,
        "opens": still_there(selectors.behind([*page, *shown.unranked])) if inside else (),  # it outlives its runs
        "downloads": [
            (reverse("releases:release_csv", args=[pk]), "CSV"),
            (reverse("releases:release_json", args=[pk]), "JSON"),
        ],
        "citations": _citations(request, found),
        "crumbs": _crumbs(found.leaderboard, found.title, "releases"),
    }
    return render(request, "releases/release.html", context)


def _citations(request: PageRequest, found: Release) -> list[tuple[str, str]]:
    """What others paste: a label, and the text."""

    def absolute(name: str) -> str:
        return request.build_absolute_uri(reverse(f"releases:{name}", args=[found.pk]))

    page, badge_, title = absolute("release"), absolute("badge"), html.escape(found.title)
    first = next((row["contender"] for row in found.frozen["standings"]), "")
    frame = (
        f'<iframe src="{absolute("embed")}?top=10" title="{title}" width="100%" height="420" style="border:0"></iframe>'
    )
    return [
        ("Address", page),
        ("Badge, in Markdown", f"[![{found.title}]({badge_})]({page})"),
        ("Badge of a contender", f"{badge_}?{urlencode({'contender': first})}"),
        ("Table, in HTML", frame),
    ]


@login_not_required
def release_json(request: PageRequest, pk: int) -> HttpResponse:
    """What is frozen, with its hash, for whoever wants to keep or check it."""
    found = _find(request, pk)
    body = {"release": found.name, "title": found.title, "sha256": found.sha256, "frozen": found.frozen}
    return _download(JsonResponse(body, json_dumps_params={"indent": 1}), found, "json")


@login_not_required
def release_csv(request: PageRequest, pk: int) -> HttpResponse:
    found = _find(request, pk)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    writer = csv.writer(response)
    names = [column["benchmark"] for column in found.frozen["columns"]]
    writer.writerow(["rank_low", "rank_high", "contender", "value", "error", *names])
    for row in found.frozen["standings"]:
        means = [cell.get("mean") for cell in row["cells"]]
        writer.writerow([row["rank_low"], row["rank_high"], row["contender"], row["value"], row["error"], *means])
    return _download(response, found, "csv")


def _download(response: HttpResponse, found: Release, kind: str) -> HttpResponse:
    name = f"{found.leaderboard.name}-{found.name}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@login_not_required
def badge(request: PageRequest, pk: int) -> HttpResponse:
    """For READMEs. Of a release that is not public only those who see it get one."""
    found = _find(request, pk)
    try:
        drawn = drawn_badge(
            found.frozen, found.name, request.GET.get("contender", ""), withdrawn=found.withdrawn_at is not None
        )
    except LookupError as error:
        raise Http404 from error
    return _shared(HttpResponse(drawn, content_type="image/svg+xml"), found)


@login_not_required
@xframe_options_exempt
def embed(request: PageRequest, pk: int) -> HttpResponse:
    """The table alone, for a frame on another site: of public releases, and without whoever looks at it.

    A frame stays on its site when its release is made private: it then says calmly that nothing is shown here, in the
    same words for a release that never was.
    """
    found = selectors.releases(AnonymousUser()).defer(None).filter(pk=pk).first()
    if found is None:
        response = render(request, "releases/embed.html", status=404)
        patch_cache_control(response, no_store=True)
        return _framed(response)
    top = request.GET.get("top", "")
    rows = min(EMBEDDED_ROWS, int(top)) if top.isdecimal() and len(top) < 5 and int(top) else EMBEDDED_ROWS
    shown = selectors.drawn(found.frozen)
    context = {"release": found, "drawn": shown, "lines": shown.ranked[:rows]}
    return _shared(_framed(render(request, "releases/embed.html", context)), found)


def _framed(response: HttpResponse) -> HttpResponse:
    response.headers["Content-Security-Policy"] = EMBEDDED
    return response


def _shared(response: HttpResponse, found: Release) -> HttpResponse:
    public = found.visibility == Visibility.PUBLIC
    patch_cache_control(response, **{"public" if public else "private": True}, max_age=SHARED_SECONDS if public else 0)
    return response


@require_POST
def withdraw_release(request: MemberRequest, pk: int) -> HttpResponse:
    found, form = _find(request, pk), WithdrawForm(request.POST)
    require(request.user, found.team, May.MANAGE)
    if form.attempt(services.withdraw, actor=request.user, release=found) is None:
        _say(request, form)
    return redirect("releases:release", pk)


@require_POST
def show_release(request: MemberRequest, pk: int) -> HttpResponse:
    found = _find(request, pk)
    try:
        changed = services.show_to(actor=request.user, release=found, visibility=request.POST.get("visibility", ""))
        messages.success(request, f"Who sees it now: {changed.get_visibility_display()}.")
    except Unprocessable as error:
        messages.error(request, str(error))
    return redirect("releases:release", pk)


def _say(request: MemberRequest, form: Any) -> None:
    for errors in form.errors.values():
        for error in errors:
            messages.error(request, str(error))
