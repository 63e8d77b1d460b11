"""The inbox, what one wants to be told, and the letter for those who forgot their password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from webapp.notices import selectors, services
from webapp.notices.forms import ForgottenPasswordForm, PreferencesForm
from webapp.notices.models import Kind
from webapp.notices.selectors import TITLES
from webapp.paging import Pages
from webapp.requests import MemberRequest, PageRequest

A_PAGE = 50


@never_cache
@require_safe
def notices(request: MemberRequest) -> HttpResponse:
    unread, kind = request.GET.get("unread") == "1", request.GET.get("kind", "")
    known = kind if kind in Kind.values else ""
    found = selectors.notices(request.user, unread=unread, kind=known)
    context = {
        "page": Pages(found, A_PAGE).get_page(request.GET.get("page")),
        "unread": unread,
        "waiting": selectors.unread_count(request.user),
        "kind": known,
        "kinds": TITLES.items(),
    }
    return render(request, "notices/notices.html", context)


@never_cache
@require_safe
def unread_count(request: MemberRequest) -> HttpResponse:
    """For the frame of every page, which asks by address."""
    return render(request, "notices/_unread_count.html", {"waiting": selectors.unread_count(request.user)})


@never_cache
@require_safe
def open_notice(request: MemberRequest, pk: int) -> HttpResponse:
    """To the page that the notice is about; from then on it is read."""
    notice = get_object_or_404(selectors.notices(request.user), pk=pk)
    services.mark_read(actor=request.user, notice=notice)
    return redirect(notice.path)


@require_POST
def mark_read(request: MemberRequest) -> HttpResponse:
    """The one that `notice` names, or all of them; and back to the list as it was filtered."""
    chosen = request.POST.get("notice", "")
    one = None
    if chosen:
        number = int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0
        one = get_object_or_404(selectors.notices(request.user), pk=number)
    services.mark_read(actor=request.user, notice=one)
    query = request.GET.urlencode()
    return redirect(reverse("notices:notices") + (f"?{query}" if query else ""))


def preferences(request: MemberRequest) -> HttpResponse:
    form = PreferencesForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        form.attempt(services.set_preferences, actor=request.user)
        messages.success(request, "Saved.")
        return redirect("notices:preferences")
    crumbs = [("Profile", reverse("accounts:profile")), ("Notices", "")]
    context = {"form": form, "mail_works": settings.MAIL.works, "crumbs": crumbs}
    return render(request, "notices/preferences.html", context)


@login_not_required
@never_cache
def forgot_password(request: PageRequest) -> HttpResponse:
    """Says the same whether there is such an account or not."""
    form = ForgottenPasswordForm(request.POST or None)
    if request.method == "POST" and settings.MAIL.works and form.is_valid():
        form.attempt(services.ask_for_reset)
        messages.success(request, "If there is an account with this address, a letter is on its way. Look for it.")
        return redirect("notices:forgot_password")
    context = {"form": form, "mail_works": settings.MAIL.works}
    return render(request, "notices/forgot_password.html", context, status=form.status if settings.MAIL.works else 200)
