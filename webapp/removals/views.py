"""Deleting an entry, a team or one's own account: a page that says what it means, and one that says how far it is."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from webapp.accounts import door
from webapp.accounts.models import Team
from webapp.accounts.selectors import May, require, teams_where
from webapp.catalog.selectors import entries
from webapp.removals import leaving, obstacles, selectors, services
from webapp.removals.forms import ConfirmForm, HandOverForm
from webapp.removals.models import Removal
from webapp.requests import MemberRequest

Crumbs = list[tuple[str, str]]
LAST = ("Delete", "")


@never_cache
def delete_entry(request: MemberRequest, team: str, name: str) -> HttpResponse:
    found = get_object_or_404(entries(request.user), team__name=team, name=name)
    require(request.user, found.team, May.MANAGE)
    form = ConfirmForm(request.POST or None, name=found.name)
    if request.method == "POST" and (made := form.attempt(services.remove_entry, actor=request.user, entry=found)):
        return redirect("removals:removal", made.pk)
    address = reverse("catalog:entry", args=[team, name])
    crumbs = [("Entries", reverse("catalog:entries")), (found.name, address), LAST]
    context = {"preview": selectors.of_entry(found), "form": form, "back": address, "crumbs": crumbs}
    return render(request, "removals/delete_entry.html", context, status=form.status)


def _team(request: MemberRequest, name: str) -> Team:
    found = get_object_or_404(teams_where(request.user), name=name)
    require(request.user, found, May.MANAGE)
    return found


@never_cache
def delete_team(request: MemberRequest, name: str, hand_over: HandOverForm | None = None) -> HttpResponse:
    found = _team(request, name)
    form = ConfirmForm(request.POST if hand_over is None and request.POST else None, name=found.name)
    if (
        hand_over is None
        and request.method == "POST"
        and (made := form.attempt(services.remove_team, actor=request.user, team=found))
    ):
        return redirect("removals:removal", made.pk)
    hand_over = hand_over or HandOverForm(request.user, found)
    address, preview = reverse("accounts:team", args=[name]), selectors.of_team(found)
    used = any(one.remedy == obstacles.HAND_OVER for one in preview.obstacles)
    context = {
        "preview": preview, "form": form, "back": address, "team": found, "hand_over": hand_over,
        "relied_on": obstacles.relied_on(found) if used else [],
        "crumbs": [("Profile", reverse("accounts:profile")), (found.name, address), LAST],
    }  # fmt: skip
    return render(request, "removals/delete_team.html", context, status=max(form.status, hand_over.status))


@require_POST
def hand_over(request: MemberRequest, name: str) -> HttpResponse:
    """What other teams use goes to another team of the same owner; then nothing of it stands in the way."""
    found = _team(request, name)
    form = HandOverForm(request.user, found, request.POST)
    moved = form.attempt(services.hand_over, actor=request.user, team=found)
    if moved is None:
        return delete_team(request, name, form)
    messages.success(request, f"Handed over: {', '.join(one.name for one in moved)}.")
    return redirect("removals:delete_team", name)


@never_cache
@sensitive_post_parameters("password")
def delete_account(request: MemberRequest) -> HttpResponse:
    preview = leaving.of_account(request.user)
    form = ConfirmForm(request.POST or None, name=preview.name, needs_password=preview.needs_password)
    if request.method == "POST":
        door.knock(request, request.user.username)
        # The service gives nothing back: what it would not do is on the form by now.
        form.attempt(leaving.remove_account, actor=request.user)
        if form.is_bound and form.status == 200:
            logout(request)
            messages.success(request, "Your account is deleted.")
            return redirect("accounts:sign_in")
    crumbs: Crumbs = [("Profile", reverse("accounts:profile")), LAST]
    context = {"preview": preview, "form": form, "back": reverse("accounts:profile"), "crumbs": crumbs}
    return render(request, "removals/delete_account.html", context, status=form.status)


def _progress(request: MemberRequest, pk: int) -> dict[str, object]:
    found = get_object_or_404(selectors.removals(request.user), pk=pk)
    return {
        "removal": found,
        "progress": selectors.Progress(found),
        "over": found.state == Removal.State.DONE,
    }


def removal(request: MemberRequest, pk: int) -> HttpResponse:
    crumbs: Crumbs = [("Profile", reverse("accounts:profile")), ("Deletion", "")]
    return render(request, "removals/removal.html", {**_progress(request, pk), "crumbs": crumbs})


def removal_state(request: MemberRequest, pk: int) -> HttpResponse:
    return render(request, "removals/_removal_state.html", _progress(request, pk))
