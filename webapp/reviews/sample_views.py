"""Comments on a sample: one fragment, which the pages of samples fetch by its address."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from webapp.accounts.selectors import May, may, teams_where
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import benchmark_versions
from webapp.errors import NotAllowed
from webapp.requests import MemberRequest
from webapp.reviews import sample_comments as comments
from webapp.reviews.forms import SampleCommentForm
from webapp.reviews.mentions import links
from webapp.reviews.models import SampleComment


def sample_comments(request: MemberRequest, version: int, index: int) -> HttpResponse:
    """Sent its form, one comment more; the fragment is the answer either way."""
    found = get_object_or_404(benchmark_versions(request.user), pk=version)
    teams = comments.writes_for(request.user, found)
    form = SampleCommentForm(teams, request.POST or None)
    if request.method == "POST":
        if not teams:
            raise NotAllowed("Reviewers, submitters and owners comment.", remedy="Ask an owner of your team.")
        if form.attempt(comments.comment, actor=request.user, version=found, index=index):
            form = SampleCommentForm(teams)
    return _drawn(request, found, index, form, teams=bool(teams))


@require_POST
def remove_sample_comment(request: MemberRequest, pk: int) -> HttpResponse:
    mine = SampleComment.objects.filter(team__in=teams_where(request.user)).select_related("team", "author")
    found = get_object_or_404(mine.select_related("version__benchmark__team"), pk=pk)
    comments.take_back(actor=request.user, comment=found)
    teams = comments.writes_for(request.user, found.version)
    return _drawn(request, found.version, found.index, SampleCommentForm(teams), teams=bool(teams))


def _drawn(
    request: MemberRequest, version: BenchmarkVersion, index: int, form: SampleCommentForm, *, teams: bool
) -> HttpResponse:
    rows = list(comments.comments(request.user, version, index))
    people: dict[str, str] = {}
    manages: dict[int, bool] = {}
    for team in {row.team for row in rows}:
        people |= links(team, [row.body for row in rows if row.team_id == team.pk])
        manages[team.pk] = may(request.user, team, May.MANAGE)
    for row in rows:
        row.removable = row.author_id == request.user.pk or manages[row.team_id]  # type: ignore[attr-defined]
    context = {"version": version, "index": index, "rows": rows, "people": people, "form": form, "may_write": teams}
    return render(request, "reviews/_sample_comments.html", context, status=form.status)
