"""Sign-in, profile, teams."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.contrib.auth.views import LoginView, PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from webapp.accounts import door, invitations, selectors, services
from webapp.accounts.forms import (
    InvitationForm,
    MemberForm,
    RunningLimitForm,
    SignUpForm,
    SpendingLimitForm,
    TeamForm,
    TokenForm,
)
from webapp.accounts.models import Role, Team, User
from webapp.accounts.password_resets import make_reset_link
from webapp.accounts.selectors import May
from webapp.errors import NotAllowed
from webapp.paging import Pages
from webapp.requests import MemberRequest, PageRequest

BACKEND = "django.contrib.auth.backends.ModelBackend"


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: str, **kwargs: Any) -> HttpResponse:
        username = request.POST.get("username", "")
        attempt = door.knock(request, username)
        response = super().post(request, *args, **kwargs)
        if request.user.is_authenticated:
            attempt.succeeded(response, username)
        return response


@login_not_required
def admin_sign_in(request: PageRequest) -> HttpResponse:
    """Django's admin has no door of its own: one that is guarded is enough."""
    if request.user.is_authenticated:
        raise NotAllowed("This part is for operators.", remedy="Ask one of them, or sign in as one.")
    return redirect(f"{reverse('accounts:sign_in')}?{urlencode({'next': reverse('admin:index')})}")


@method_decorator(login_not_required, name="dispatch")
class NewPassword(PasswordResetConfirmView):
    """What a link for a new password leads to."""

    template_name = "accounts/new_password.html"
    success_url = reverse_lazy("accounts:sign_in")

    def form_valid(self, form: SetPasswordForm[User]) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Sign in with it.")
        return super().form_valid(form)


def _next(request: PageRequest) -> str:
    """Where to go after signing in: an address of ours, or home."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours else reverse("pages:home")


@login_not_required
@sensitive_post_parameters("password")
@never_cache
def sign_up(request: PageRequest) -> HttpResponse:
    if not settings.SIGN_UP_OPEN:
        raise NotAllowed("Sign-up is closed here.", remedy="Ask the operator for an account.")
    if request.method == "POST":
        door.knock_for_an_account(request)
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and (user := form.attempt(services.sign_up)):
        login(request, user, backend=BACKEND)
        return redirect(_next(request))
    return render(request, "accounts/sign_up.html", {"form": form, "next": _next(request)}, status=form.status)


@login_not_required
@require_POST
def demo_sign_in(request: PageRequest) -> HttpResponse:
    """One click, in the demo, from this machine only: everything else does not know this address."""
    if not settings.DEMO or not ipaddress.ip_address(request.META["REMOTE_ADDR"]).is_loopback:
        raise Http404
    login(request, get_object_or_404(User, username=selectors.DEMO_USER), backend=BACKEND)
    return redirect(_next(request))


def profile(request: MemberRequest, form: TokenForm | None = None, secret: str = "") -> HttpResponse:
    form = form or TokenForm()
    context = {
        "form": form,
        "secret": secret,
        "tokens": selectors.tokens(request.user),
        "memberships": request.user.memberships.select_related("team").order_by("team__name"),
    }
    response = render(request, "accounts/profile.html", context, status=form.status)
    if secret:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
def create_token(request: MemberRequest) -> HttpResponse:
    """Answers with the profile itself, not a redirect: the secret is on this one answer and nowhere else."""
    form = TokenForm(request.POST)
    made = form.attempt(services.create_token, actor=request.user)
    return profile(request, None if made else form, made[1] if made else "")


@require_POST
def revoke_token(request: MemberRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(selectors.tokens(request.user), pk=pk)
    services.revoke_token(actor=request.user, token=token)
    messages.success(request, f"The token {token.name} is revoked.")
    return redirect("accounts:profile")


@sensitive_post_parameters()
def change_password(request: MemberRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST or None)
    if form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, "Your password is changed. Other sessions are signed out.")
        return redirect("accounts:profile")
    context = {"form": form, "crumbs": [("Profile", reverse("accounts:profile")), ("Password", "")]}
    return render(request, "accounts/change_password.html", context, status=422 if form.errors else 200)


def _team(request: MemberRequest, name: str) -> Team:
    return get_object_or_404(selectors.teams_where(request.user), name=name)


def team(
    request: MemberRequest,
    name: str,
    form: MemberForm | None = None,
    limit_form: SpendingLimitForm | None = None,
    invite_form: InvitationForm | None = None,
    running_form: RunningLimitForm | None = None,
    link: str = "",
    password_link: str = "",
) -> HttpResponse:
    found = _team(request, name)
    form = form or MemberForm()
    limit_form = limit_form or SpendingLimitForm(initial={"usd": found.spending_limit_usd})
    context: dict[str, Any] = {
        "team": found,
        "form": form,
        "limit_form": limit_form,
        "running_form": running_form or RunningLimitForm(initial={"runs": found.running_limit}),
        "is_operator": selectors.is_operator(request.user),
        "invite_form": invite_form or InvitationForm(),
        "link": link,
        "password_link": password_link,
        "members": selectors.members(found),
        "roles": Role.choices,
        "may_manage": selectors.may(request.user, found, May.MANAGE),
        "crumbs": [("Profile", reverse("accounts:profile")), (found.name, "")],
    }
    if context["may_manage"]:
        context["invitations"] = selectors.invitations(found)
    status = max(form.status, limit_form.status, context["invite_form"].status, context["running_form"].status)
    response = render(request, "accounts/team.html", context, status=status)
    if link or password_link:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
def invite(request: MemberRequest, name: str) -> HttpResponse:
    """Answers with the team's page itself, not a redirect: the link is on this one answer and nowhere else."""
    found = _team(request, name)
    selectors.require(request.user, found, May.MANAGE)
    form = InvitationForm(request.POST)
    made = form.attempt(invitations.invite, actor=request.user, team=found)
    if made is None:
        return team(request, name, invite_form=form)
    return team(request, name, link=request.build_absolute_uri(reverse("accounts:join", args=[made[1]])))


@require_POST
def revoke_invitation(request: MemberRequest, name: str, pk: int) -> HttpResponse:
    found = get_object_or_404(_team(request, name).invitations.select_related("team"), pk=pk)
    invitations.revoke_invitation(actor=request.user, invitation=found)
    messages.success(request, "The invitation is revoked. Who has joined by it stays.")
    return redirect("accounts:team", name)


@never_cache
def join(request: MemberRequest, secret: str) -> HttpResponse:
    """What the link leads to: who invites to what, and a button."""
    if request.method == "POST":
        membership = invitations.accept_invitation(actor=request.user, secret=secret)
        messages.success(request, f"You are {membership.role} of {membership.team.title}.")
        return redirect("accounts:team", membership.team.name)
    found = selectors.invitation_of(secret)
    if found is None:
        raise invitations.no_longer_holds()
    already = selectors.may(request.user, found.team, May.READ)
    return render(request, "accounts/join.html", {"invitation": found, "already": already})


@require_POST
def password_link(request: MemberRequest, name: str, username: str) -> HttpResponse:
    """For operators: the team's page with a link for a new password, on this one answer and nowhere else."""
    member = get_object_or_404(selectors.members(_team(request, name)), user__username=username)
    path = make_reset_link(actor=request.user, username=member.user.username)
    return team(request, name, password_link=request.build_absolute_uri(path))


def create_team(request: MemberRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and (made := form.attempt(services.create_team, actor=request.user)):
        return redirect("accounts:team", made.name)
    context = {"form": form, "crumbs": [("Profile", reverse("accounts:profile")), ("New team", "")]}
    return render(request, "accounts/create_team.html", context, status=form.status)


@require_POST
def set_member(request: MemberRequest, name: str) -> HttpResponse:
    """Adds a person or changes their role."""
    found = _team(request, name)
    selectors.require(request.user, found, May.MANAGE)
    form = MemberForm(request.POST)
    membership = form.attempt(services.set_member, actor=request.user, team=found)
    if membership is None:
        return team(request, name, form)
    messages.success(request, f"{membership.user} is {membership.role} now.")
    return redirect("accounts:team", name)


@require_POST
def set_spending_limit(request: MemberRequest, name: str) -> HttpResponse:
    found = _team(request, name)
    selectors.require(request.user, found, May.MANAGE)
    form = SpendingLimitForm(request.POST)
    changed = form.attempt(services.set_spending_limit, actor=request.user, team=found)
    if changed is None:
        return team(request, name, limit_form=form)
    limit = changed.spending_limit_usd
    messages.success(
        request, "There is no spending limit now." if limit is None else f"The limit is ${limit:,} a month now."
    )
    return redirect("accounts:team", name)


@require_POST
def set_running_limit(request: MemberRequest, name: str) -> HttpResponse:
    found = get_object_or_404(selectors.limitable_teams(request.user), name=name)
    selectors.require_operator(request.user)
    form = RunningLimitForm(request.POST)
    changed = form.attempt(services.set_running_limit, actor=request.user, team=found)
    if changed is None:
        return team(request, name, running_form=form)
    limit = changed.running_limit
    messages.success(
        request, "Its runs at once are not limited now." if limit is None else f"At most {limit} at once now."
    )
    return redirect("accounts:team", name)


@require_POST
def remove_member(request: MemberRequest, name: str, username: str) -> HttpResponse:
    found = _team(request, name)
    member = get_object_or_404(selectors.members(found), user__username=username)
    services.remove_member(actor=request.user, team=found, user=member.user)
    messages.success(request, f"{username} is no longer in {found.name}.")
    return redirect("pages:home" if member.user == request.user else reverse("accounts:team", args=[name]))


def audit(request: MemberRequest, name: str) -> HttpResponse:
    found = _team(request, name)
    page = Pages(selectors.audit_events(found), 50).get_page(request.GET.get("page"))
    crumbs = [
        ("Profile", reverse("accounts:profile")),
        (found.name, reverse("accounts:team", args=[name])),
        ("Audit", ""),
    ]
    return render(request, "accounts/audit.html", {"team": found, "page": page, "crumbs": crumbs})
