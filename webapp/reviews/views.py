"""Reviews: the inbox, asking for one, the live page on which people rule, and the sign-off record."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from webapp.accounts.selectors import May, may, require
from webapp.errors import DomainError, NotAllowed
from webapp.requests import MemberRequest, PageRequest
from webapp.results.models import Report
from webapp.results.selectors import reports
from webapp.reviews import record, selectors, services
from webapp.reviews.forms import RequestForm, VerdictForm, remarks_form, remarks_of
from webapp.reviews.models import Review
from webapp.reviews.selectors import OPEN, State
from webapp.reviews.subjects import Remark, asked, renewed

LATER = 20  # reports that may take the place of the one under review


def _find(request: PageRequest, pk: int) -> Review:
    return get_object_or_404(selectors.reviews(request.user), pk=pk)


def _crumbs(review: Review, last: str = "") -> list[tuple[str, str]]:
    here = reverse("reviews:review", args=[review.pk]) if last else ""
    crumbs = [("Reviews", reverse("reviews:reviews")), (review.title, here)]
    return [*crumbs, (last, "")] if last else crumbs


def reviews(request: MemberRequest) -> HttpResponse:
    """What waits for this person, then all of them."""
    state, search = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80]
    known = state if state in State.values else ""
    found = selectors.reviews(request.user, state=known, search=search)
    context = {
        "page": Paginator(found, 50).get_page(request.GET.get("page")),
        "inbox": list(selectors.inbox(request.user)[:50]),
        "state": known,
        "states": State.choices,
        "search": search,
    }
    return render(request, "reviews/reviews.html", context)


def inbox_count(request: MemberRequest) -> HttpResponse:
    """For the frame of every page, which asks by address."""
    return render(request, "reviews/_inbox_count.html", {"waiting": selectors.inbox(request.user).count()})


def request_review(request: MemberRequest) -> HttpResponse:
    """Freeze what the address names, and choose who rules on it."""
    found = asked(request.user, request.GET.dict())
    if found is None:
        return render(request, "reviews/request_review.html", {"crumbs": _new_crumbs()})
    require(request.user, found.team, May.SUBMIT)
    form = RequestForm(request.user, found, request.POST or None)
    if request.method == "POST":
        draft = "draft" in request.POST
        made = form.attempt(services.request_review, actor=request.user, team=found.team, draft=draft)
        if made:
            return redirect("reviews:review", made.pk)
    context = {"found": found, "form": form, "crumbs": _new_crumbs()}
    return render(request, "reviews/request_review.html", context, status=form.status)


def _new_crumbs() -> list[tuple[str, str]]:
    return [("Reviews", reverse("reviews:reviews")), ("New review", "")]


@login_not_required
def review(request: PageRequest, pk: int) -> HttpResponse:
    """A review; sent its form, one ruling with all its remarks."""
    found = _find(request, pk)
    runs = list(selectors.runs_of(found).order_by("contender__name", "version__benchmark__name", "pk"))
    data = request.POST if request.method == "POST" else None
    may_rule = request.user.pk != found.created_by_id
    form = VerdictForm(data, initial={"seen_hash": found.subject_hash}, may_rule=may_rule)
    remarks = remarks_form(data, runs, request.GET)
    if data is not None:
        require(request.user, found.team, May.REVIEW)
        if _ruled(request, found, form, remarks):
            messages.success(request, "Your review is submitted.")
            return redirect("reviews:review", pk)
    shown = {"form": form, "remarks": remarks, "may_rule": may_rule, **_rights(request, found)}
    context = {**selectors.state_context(pk), **shown, "crumbs": _crumbs(found)}
    refused = data is not None and not (form.is_valid() and remarks.is_valid())
    return render(request, "reviews/review.html", context, status=422 if refused else 200)


def _ruled(request: PageRequest, found: Review, form: VerdictForm, remarks: Any) -> bool:
    said = remarks_of(remarks)
    if said is None:
        return False
    made = form.attempt(services.submit_verdict, actor=request.user, review=found, remarks=said)
    return made is not None


def _rights(request: PageRequest, found: Review) -> dict[str, Any]:
    """What this person may press."""
    owner = may(request.user, found.team, May.MANAGE)
    author = request.user.pk == found.created_by_id and may(request.user, found.team, May.SUBMIT)
    fluid = found.state in (*OPEN, State.DRAFT)
    return {
        "may_review": may(request.user, found.team, May.REVIEW),
        "may_freeze": (owner or author) and fluid,
        "may_withdraw": (owner or author) and fluid,
        "may_send": (owner or author) and found.state == State.DRAFT,
        "may_publish": owner and found.state == State.APPROVED,
        "may_dismiss": owner and request.user.pk != found.created_by_id and found.state in OPEN,
        "is_owner": owner,
        "signed": found.state in record.SIGNED,
        "later": _later(request, found) if (owner or author) and fluid else [],
    }


def _later(request: PageRequest, found: Review) -> list[Report]:
    if found.report is None:
        return []
    same = {"analysis": found.report.analysis, "team": found.team_id, "state": Report.State.DONE}
    return list(reports(request.user).filter(pk__gt=found.report.pk, **same)[:LATER])


@login_not_required
def review_state(request: PageRequest, pk: int) -> HttpResponse:
    """The fragment alone, for pages whose socket is away."""
    return render(request, "reviews/_review_state.html", selectors.state_context(_find(request, pk).pk))


def _acted(request: MemberRequest, pk: int, act: Callable[[], Any], said: str, place: str = "") -> HttpResponse:
    """Act, and back to the page with what came of it; a refusal of the person is a page of its own."""
    try:
        act()
    except NotAllowed:
        raise
    except DomainError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, said)
    return redirect(reverse("reviews:review", args=[pk]) + place)


def _chosen(request: MemberRequest, name: str) -> int:
    value = request.POST.get(name, "")
    return int(value) if value.isdecimal() and len(value) < 19 else 0


@require_POST
def send_review(request: MemberRequest, pk: int) -> HttpResponse:
    found = _find(request, pk)
    return _acted(request, pk, partial(services.send_review, actor=request.user, review=found), "The review is sent.")


@require_POST
def answer_comment(request: MemberRequest, pk: int) -> HttpResponse:
    """An answer in a thread: `parent` says in which one, and the text is the field of that thread."""
    found, parent = _find(request, pk), _chosen(request, "parent")
    remark = Remark(request.POST.get(f"body-{parent}", ""), parent=parent)
    act = partial(services.add_comment, actor=request.user, review=found, remark=remark)
    return _acted(request, pk, act, "Your answer is there.", f"#thread-{parent}")


@require_POST
def resolve_comment(request: MemberRequest, pk: int) -> HttpResponse:
    resolved = "resolve" in request.POST
    comment = get_object_or_404(_find(request, pk).comments, pk=_chosen(request, "resolve" if resolved else "reopen"))
    act = partial(services.resolve_comment, actor=request.user, comment=comment, resolved=resolved)
    said = "The thread is resolved." if resolved else "The thread is open again."
    return _acted(request, pk, act, said, f"#thread-{comment.pk}")


@require_POST
def freeze_again(request: MemberRequest, pk: int) -> HttpResponse:
    """The newest numbers of the same subject; of a report, another one of its kind."""
    found = _find(request, pk)
    wanted = _chosen(request, "report")
    report = get_object_or_404(reports(request.user), pk=wanted) if wanted else None
    act = partial(services.freeze_again, actor=request.user, review=found, subject=renewed(found, report))
    return _acted(request, pk, act, "The numbers are frozen anew. Earlier approvals no longer count.")


@require_POST
def dismiss_verdict(request: MemberRequest, pk: int) -> HttpResponse:
    chosen = _chosen(request, "verdict")
    verdict = get_object_or_404(_find(request, pk).verdicts, pk=chosen)
    reason = request.POST.get(f"reason-{chosen}", "")
    act = partial(services.dismiss_verdict, actor=request.user, verdict=verdict, reason=reason)
    return _acted(request, pk, act, "The ruling is set aside.", "#rulings")


@require_POST
def withdraw_review(request: MemberRequest, pk: int) -> HttpResponse:
    found, reason = _find(request, pk), request.POST.get("reason", "")
    act = partial(services.withdraw_review, actor=request.user, review=found, reason=reason)
    return _acted(request, pk, act, "The review is withdrawn.")


@require_POST
def publish_review(request: MemberRequest, pk: int) -> HttpResponse:
    found = _find(request, pk)
    name = request.POST.get("release", "").strip()
    publish = partial(services.publish_review, actor=request.user, review=found, release=name)
    return _acted(request, pk, publish, "Published.")


@login_not_required
def sign_off(request: PageRequest, pk: int) -> HttpResponse:
    """The record as a page to print."""
    found = _find(request, pk)
    context = {"review": found, **record.sign_off(found), "crumbs": _crumbs(found, "Sign-off record")}
    return render(request, "reviews/sign_off.html", context)


@login_not_required
def sign_off_json(request: PageRequest, pk: int) -> HttpResponse:
    """The record as a file that `manage.py verify_sign_off` verifies."""
    text = json.dumps(record.sign_off(_find(request, pk)), indent=1, ensure_ascii=False)
    headers = {"Content-Disposition": f'attachment; filename="sign-off-{pk}.json"'}
    return HttpResponse(text, content_type="application/json", headers=headers)
