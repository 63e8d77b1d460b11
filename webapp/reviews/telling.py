"""Whom a review's changes are told to: called by services, in the transaction of the change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.urls import reverse

from webapp.accounts.models import User
from webapp.notices.models import Kind, Notice
from webapp.notices.services import News, notify
from webapp.reviews.mentions import mentioned
from webapp.reviews.models import Comment, Review, Verdict

Ruling = Verdict.Ruling
RULED = {
    Ruling.APPROVE: "approved",
    Ruling.REQUEST_CHANGES: "asked for changes to",
    Ruling.COMMENT: "commented on",
}


def asked(review: Review, actor: User, *, again: bool = False) -> None:
    """The reviewers: of a new request, or of new numbers under it."""
    text = f"{actor.username} asks for your review of “{review.title}”"
    _tell(Kind.REVIEW_REQUESTED, review, f"{text} again: its numbers are new." if again else f"{text}.", actor)


def ruled(verdict: Verdict) -> None:
    """Who asked for the review; and whom the ruling or one of its comments mentions."""
    review, author = verdict.review, verdict.author
    text = f"{author.username} {RULED[Ruling(verdict.ruling)]} “{review.title}”."
    _tell(Kind.REVIEW_RULED, review, text, author, to=[review.created_by], ruling=verdict.ruling)
    bodies = [verdict.body, *verdict.comments.values_list("body", flat=True)]
    _mention(review, author, bodies, f"#verdict-{verdict.pk}")


def commented(comment: Comment) -> None:
    """Who asked for the review, and who takes part in the thread; those who are mentioned hear of that instead."""
    review, first = comment.review, comment.parent or comment
    place = f"#thread-{first.pk}"
    called = {notice.user_id for notice in _mention(review, comment.author, [comment.body], place)}
    thread = User.objects.filter(pk__in=first.answers.values("author"))
    to = {user for user in (review.created_by, first.author, *thread) if user.pk not in called}
    text = f"{comment.author.username} commented on “{review.title}”: {comment.body}"
    _tell(Kind.COMMENT, review, text, comment.author, to=to, place=place, comment=comment.pk)


def stale(review: Review) -> None:
    """Who asked, and who had approved."""
    approving = review.verdicts.filter(ruling=Ruling.APPROVE, dismissed_at=None).values("author")
    to = [review.created_by, *User.objects.filter(pk__in=approving)]
    _tell(Kind.REVIEW_STALE, review, f"“{review.title}” is no longer approved. {review.reason}", None, to=to)


def published(review: Review, actor: User) -> None:
    to = [review.created_by, *_reviewers(review)]
    _tell(Kind.REVIEW_PUBLISHED, review, f"{actor.username} published “{review.title}”.", actor, to=to)


def _mention(review: Review, actor: User, texts: Iterable[str], place: str) -> list[Notice]:
    text = f"{actor.username} mentions you in “{review.title}”."
    return _tell(Kind.MENTION, review, text, actor, to=mentioned(review.team, texts), place=place)


def _tell(
    kind: Kind,
    review: Review,
    text: str,
    actor: User | None,
    *,
    to: Collection[User] | None = None,
    place: str = "",
    **facts: Any,
) -> list[Notice]:
    """To the reviewers, where it is not said otherwise."""
    path = reverse("reviews:review", args=[review.pk]) + place
    said = {"review": review.pk, "title": review.title, "state": review.state, **facts}
    return notify(news=News(kind, review, text, path, actor, said), to=_reviewers(review) if to is None else to)


def _reviewers(review: Review) -> list[User]:
    return [reviewer.user for reviewer in review.reviewers.select_related("user")]
