"""Boards: the list, the live page, its fragment, its settings."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import push_url, replace_url

from evaluation.analyses import ANALYSES
from webapp.accounts.selectors import May, may, require, teams_where
from webapp.leaderboards import drawing, saved_views, selectors, services
from webapp.leaderboards.forms import LeaderboardForm, SavedViewForm, SettingsForm
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.ordering import ORDERS
from webapp.leaderboards.viewing import View
from webapp.requests import MemberRequest, PageRequest
from webapp.results.forms import ReportForm
from webapp.results.selectors import report_address


def _find(request: PageRequest, team: str, name: str) -> Leaderboard:
    return get_object_or_404(selectors.leaderboards(request.user), team__name=team, name=name)


def _address(board: Leaderboard, page: str = "leaderboard") -> str:
    return reverse(f"leaderboards:{page}", args=[board.team.name, board.name])


def _crumbs(board: Leaderboard, last: str = "") -> list[tuple[str, str]]:
    crumbs = [("Boards", reverse("leaderboards:leaderboards")), (board.title, _address(board) if last else "")]
    return [*crumbs, (last, "")] if last else crumbs


@login_not_required
def leaderboards(request: PageRequest) -> HttpResponse:
    search = request.GET.get("q", "").strip()
    page = Paginator(selectors.leaderboards(request.user, search), 50).get_page(request.GET.get("page"))
    may_create = teams_where(request.user, May.SUBMIT).exists()
    context = {"page": page, "search": search, "may_create": may_create}
    return render(request, "leaderboards/leaderboards.html", context)


@login_not_required
def leaderboard(request: PageRequest, team: str, name: str) -> HttpResponse:
    return _page(request, _find(request, team, name), SavedViewForm())


def _page(request: PageRequest, found: Leaderboard, form: SavedViewForm) -> HttpResponse:
    view = View.of(request.GET)
    board = selectors.board(found, view)
    context = {
        "board": board,
        "groups": sorted({column.group for column in board.columns}),
        "standings": partial(drawing.standings, found, view, board),
        "saved": selectors.saved_views(found, request.user),
        "manages": may(request.user, found.team, May.MANAGE),
        "form": form,
        "is_member": may(request.user, found.team, May.READ),
        "may_submit": may(request.user, found.team, May.SUBMIT),
        "analyses": ANALYSES,
        "crumbs": _crumbs(found),
    }
    return render(request, "leaderboards/leaderboard.html", context, status=form.status)


@login_not_required
def standings(request: PageRequest, team: str, name: str) -> HttpResponse:
    """The fragment alone: for a filter or a sort, and for pages whose socket is away."""
    found = _find(request, team, name)
    view = View.of(request.GET)
    response = HttpResponse(drawing.standings(found, view))
    # A click on a head is a step that “back” undoes; letters typed into the search are not.
    note = replace_url if request.htmx.trigger == "filters" else push_url
    return note(response, "?".join(filter(None, [_address(found), view.query])))


@require_POST
def save_view(request: MemberRequest, team: str, name: str) -> HttpResponse:
    """Keep the view that is shown under a name; the same page again says what is wrong with it."""
    found = _find(request, team, name)
    form = SavedViewForm(request.POST)
    saved = form.attempt(saved_views.save_view, actor=request.user, board=found)
    if saved is None:
        request.GET = QueryDict(request.POST.get("query", ""))
        return _page(request, found, form)
    messages.success(request, f"The view “{saved.name}” is saved.")
    return redirect("?".join(filter(None, [_address(found), saved.query])))


@require_POST
def delete_view(request: MemberRequest, team: str, name: str, pk: int) -> HttpResponse:
    found = _find(request, team, name)
    saved_views.delete_view(
        actor=request.user, view=get_object_or_404(selectors.saved_views(found, request.user), pk=pk)
    )
    messages.success(request, "The view is deleted.")
    return redirect(_address(found))


@login_not_required
def tournament(request: PageRequest, team: str, name: str) -> HttpResponse:
    """The tournament behind the order; sent its form, a report plays it with other parameters."""
    found = _find(request, team, name)
    shown = selectors.tournament_context(found)
    initial = shown["report"].parameters if shown["report"] else None
    form = ReportForm("swiss", request.POST or None, initial=initial)
    if request.method == "POST":
        require(request.user, found.team, May.SUBMIT)
        made = form.attempt(services.request_report, actor=request.user, board=found, analysis="swiss")
        if made:
            return redirect(report_address(made))
    may_submit = may(request.user, found.team, May.SUBMIT)
    context = {**shown, "form": form, "may_submit": may_submit, "crumbs": _crumbs(found, "Tournament")}
    return render(request, "leaderboards/tournament.html", context, status=form.status)


@login_not_required
def tournament_result(request: PageRequest, team: str, name: str) -> HttpResponse:
    """The fragment alone, for pages whose socket is away."""
    context = selectors.tournament_context(_find(request, team, name))
    return render(request, "leaderboards/_tournament_result.html", context)


def create_leaderboard(request: MemberRequest) -> HttpResponse:
    initial = {"suite": request.GET.get("suite"), "order": next(iter(ORDERS), None)}
    form = LeaderboardForm(request.user, request.POST or None, initial=initial)
    if request.method == "POST" and (made := form.attempt(services.create_leaderboard, actor=request.user)):
        return redirect(_address(made))
    context = {"form": form, "crumbs": [("Boards", reverse("leaderboards:leaderboards")), ("New board", "")]}
    return render(request, "leaderboards/create_leaderboard.html", context, status=form.status)


def change_leaderboard(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = _find(request, team, name)
    require(request.user, found.team, May.SUBMIT)
    shown = {key: getattr(found, key) for key in ("title", "description", "order", "visibility")}
    form = SettingsForm(request.POST or None, initial=shown)
    attempted = request.method == "POST"
    saved = attempted and form.attempt(services.change_leaderboard, actor=request.user, board=found) is not None
    if saved:
        messages.success(request, "The board is changed.")
        return redirect(_address(found))
    context = {"form": form, "leaderboard": found, "crumbs": _crumbs(found, "Settings")}
    return render(request, "leaderboards/change_leaderboard.html", context, status=form.status)
