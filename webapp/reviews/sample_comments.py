"""What teams say about single questions: written by those who may review, read by the team, never by others."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.models import Team, User
from webapp.accounts.selectors import May, may, require, teams_where
from webapp.accounts.services import record
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import benchmark_versions
from webapp.errors import NotAllowed, Unprocessable
from webapp.notices.models import Kind
from webapp.notices.services import News, notify
from webapp.reviews.mentions import mentioned
from webapp.reviews.models import SampleComment

LONGEST = 4000
MOST = 500  # on one sample


def comments(user: User, version: BenchmarkVersion, index: int) -> QuerySet[SampleComment]:
    """Oldest first, of the person's teams."""
    found = SampleComment.objects.filter(version=version, index=index, team__in=teams_where(user))
    return found.select_related("author", "team").order_by("pk")


def writes_for(user: User, version: BenchmarkVersion) -> list[Team]:
    """The teams in whose name a person may comment, the benchmark's own team first."""
    teams = list(teams_where(user, May.REVIEW))
    return sorted(teams, key=lambda team: (team.pk != version.benchmark.team_id, team.name))


@transaction.atomic
def comment(*, actor: User, team: Team, version: BenchmarkVersion, index: int, body: str) -> SampleComment:
    """Raises NotAllowed, or Unprocessable that names the field. Whom it mentions is told, if they may see it."""
    require(actor, team, May.REVIEW)
    if not body.strip():
        raise Unprocessable("There is no text.", field="body", remedy="Say what you found.")
    if len(body) > LONGEST:
        raise Unprocessable(f"A comment has at most {LONGEST:,} characters.", field="body", remedy="Say less.")
    if not 0 <= index < (version.samples or 0):
        raise Unprocessable("The benchmark has no such sample.", field="index")
    if SampleComment.objects.filter(version=version, index=index, team=team).count() >= MOST:
        raise Unprocessable(f"There are {MOST} comments on this sample.", field="body", remedy="Ask for a review.")
    made = SampleComment.objects.create(team=team, version=version, index=index, author=actor, body=body.strip())
    record(actor=actor, team=team, verb="commented on a sample", target=made, after={"benchmark": str(version)})
    text = f"{actor.username} mentions you on sample {index} of {version}."
    news = News(Kind.MENTION, team, text, f"{address(version, index)}#sample_comments", actor)
    notify(news=news, to=_readers(version, mentioned(team, [made.body])))
    return made


def _readers(version: BenchmarkVersion, people: Iterable[User]) -> list[User]:
    """Those who may see the benchmark: its very name is a secret from the others."""
    return [user for user in people if benchmark_versions(user).filter(pk=version.pk).exists()]


@transaction.atomic
def take_back(*, actor: User, comment: SampleComment) -> None:
    """Safe to press twice. Its author and owners may."""
    if comment.author_id != actor.pk and not may(actor, comment.team, May.MANAGE):
        raise NotAllowed("Only its author or an owner takes a comment back.")
    if SampleComment.objects.filter(pk=comment.pk, removed_at=None).update(removed_at=timezone.now()):
        before = {"author": comment.author.username, "body": comment.body}
        record(actor=actor, team=comment.team, verb="took back a comment", target=comment, before=before)


def address(version: BenchmarkVersion, index: int) -> str:
    """Of the page that shows a sample beside all its answers."""
    return reverse("results:compare_sample", args=[version.pk, index])
