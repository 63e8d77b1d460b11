"""A team's webhooks: for its owners only."""

from __future__ import annotations

from pathlib import Path

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from webapp.accounts.models import Team
from webapp.accounts.selectors import May, require, teams_where
from webapp.notices import receiver, selectors
from webapp.notices import webhooks as services
from webapp.notices.forms import WebhookForm
from webapp.notices.models import Webhook
from webapp.paging import Pages
from webapp.requests import MemberRequest

EXAMPLE = Path(receiver.__file__).read_text()
A_PAGE = 20


def _team(request: MemberRequest, name: str) -> Team:
    team = get_object_or_404(teams_where(request.user), name=name)
    require(request.user, team, May.MANAGE)
    return team


def _webhook(request: MemberRequest, name: str, pk: int) -> Webhook:
    return get_object_or_404(selectors.webhooks(_team(request, name)), pk=pk)


def _crumbs(team: Team, last: str = "") -> list[tuple[str, str]]:
    crumbs = [("Profile", reverse("accounts:profile")), (team.name, reverse("accounts:team", args=[team.name]))]
    if not last:
        return [*crumbs, ("Webhooks", "")]
    return [*crumbs, ("Webhooks", reverse("notices:webhooks", args=[team.name])), (last, "")]


def webhooks(request: MemberRequest, name: str) -> HttpResponse:
    """The list; sent its form, a new one, whose secret is on the page that answers and nowhere else."""
    team = _team(request, name)
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and (made := form.attempt(services.create_webhook, actor=request.user, team=team)):
        return _drawn(request, made[0], secret=made[1])
    context = {"team": team, "webhooks": selectors.webhooks(team), "form": form, "crumbs": _crumbs(team)}
    return render(request, "notices/webhooks.html", context, status=form.status)


def webhook(request: MemberRequest, name: str, webhook: int) -> HttpResponse:
    """Its log; sent its form, it is changed."""
    found = _webhook(request, name, webhook)
    if request.method != "POST":
        return _drawn(request, found)
    form = WebhookForm(request.POST)
    changed = form.attempt(services.change_webhook, actor=request.user, webhook=found)
    if changed is None:
        return _drawn(request, found, form)
    messages.success(request, "Saved.")
    return redirect("notices:webhook", name, webhook)


def _drawn(request: MemberRequest, found: Webhook, form: WebhookForm | None = None, secret: str = "") -> HttpResponse:
    form = form or WebhookForm.of(found)
    context = {
        "webhook": found,
        "team": found.team,
        "form": form,
        "secret": secret,
        "example": EXAMPLE,
        "page": Pages(selectors.deliveries(found), A_PAGE).get_page(request.GET.get("page")),
        "crumbs": _crumbs(found.team, found.url),
    }
    response = render(request, "notices/webhook.html", context, status=form.status)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
def renew_secret(request: MemberRequest, name: str, webhook: int) -> HttpResponse:
    """Answers with the page itself, not a redirect: the secret is on this one answer and nowhere else."""
    found, secret = services.renew_secret(actor=request.user, webhook=_webhook(request, name, webhook))
    return _drawn(request, found, secret=secret)


@require_POST
def ping_webhook(request: MemberRequest, name: str, webhook: int) -> HttpResponse:
    services.ping(actor=request.user, webhook=_webhook(request, name, webhook))
    messages.success(request, "The test is on its way. Load this page again to see the answer.")
    return redirect("notices:webhook", name, webhook)


@require_POST
def replay_delivery(request: MemberRequest, name: str, webhook: int, delivery: int) -> HttpResponse:
    again = get_object_or_404(selectors.deliveries(_webhook(request, name, webhook)), pk=delivery)
    services.replay(actor=request.user, delivery=again)
    messages.success(request, "The same message is on its way again.")
    return redirect("notices:webhook", name, webhook)


@require_POST
def delete_webhook(request: MemberRequest, name: str, webhook: int) -> HttpResponse:
    services.delete_webhook(actor=request.user, webhook=_webhook(request, name, webhook))
    messages.success(request, "The webhook is deleted, and its log with it.")
    return redirect("notices:webhooks", name)
