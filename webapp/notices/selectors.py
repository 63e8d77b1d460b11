"""Reads: a person's notices and wishes, who may be told of something, a team's webhooks and their deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from webapp.accounts.models import Membership, Owned, Role, Team, User, Visibility
from webapp.accounts.selectors import teams_where
from webapp.notices.models import Delivery, Email, Event, Kind, Notice, Preference, Webhook

# One letter with a link for a new password in this time: nobody fills somebody else's letter box.
RESETS_APART = timedelta(minutes=5)


@dataclass(frozen=True)
class Channels:
    """How somebody is told: in the inbox, by e-mail, both or neither."""

    in_app: bool = True
    by_email: bool = True


# What asks for an answer, or somebody waits for, comes by e-mail, too.
QUIET = {Kind.COMMENT, Kind.REVIEW_PUBLISHED, Kind.JOINED, Kind.ENTRY_DELETED}
USUAL = {kind: Channels(by_email=kind not in QUIET) for kind in Kind}

TITLES = {
    Kind.REVIEW_REQUESTED: "Review requests",
    Kind.REVIEW_RULED: "Rulings",
    Kind.COMMENT: "Comments",
    Kind.MENTION: "Mentions",
    Kind.REVIEW_STALE: "Stale approvals",
    Kind.REVIEW_PUBLISHED: "Published",
    Kind.JOB_ENDED: "Jobs",
    Kind.JOINED: "Invitations",
    Kind.ENTRY_DELETED: "Deletions",
    Kind.WEBHOOK_OFF: "Webhooks",
}
EVENT_OF = {
    Kind.JOB_ENDED: Event.JOB_ENDED,
    Kind.REVIEW_REQUESTED: Event.REVIEW_REQUESTED,
    Kind.REVIEW_RULED: Event.REVIEW_RULED,
    Kind.COMMENT: Event.REVIEW_COMMENTED,
    Kind.REVIEW_STALE: Event.REVIEW_STALE,
    Kind.REVIEW_PUBLISHED: Event.REVIEW_PUBLISHED,
    Kind.JOINED: Event.MEMBER_JOINED,
}


def notices(user: User, *, unread: bool = False, kind: str = "") -> QuerySet[Notice]:
    """Newest first; nothing of a team that the person has left."""
    mine = Notice.objects.filter(user=user, in_inbox=True, team__in=teams_where(user).order_by())
    if unread:
        mine = mine.filter(read_at=None)
    if kind:
        mine = mine.filter(kind=kind)
    return mine.select_related("team").order_by("-pk")


def unread_count(user: User) -> int:
    return notices(user, unread=True).count()


def channels(users: Iterable[User], kind: Kind) -> dict[int, Channels]:
    """How each of these people wants to be told of this kind, by their ids."""
    rows = Preference.objects.filter(user__in=list(users), kind=kind)
    return {row.user_id: Channels(row.in_app, row.by_email) for row in rows}


def preferences(user: User) -> dict[Kind, Channels]:
    own = {row.kind: Channels(row.in_app, row.by_email) for row in Preference.objects.filter(user=user)}
    return {kind: own.get(kind, usual) for kind, usual in USUAL.items()}


def readers(subject: Owned | Team, users: Iterable[User]) -> list[User]:
    """Those of the people who are in the subject's team and may read it, each once."""
    team = subject if isinstance(subject, Team) else subject.team
    inside = Membership.objects.filter(team=team, user__in={user.pk for user in users}, user__is_active=True)
    if isinstance(subject, Owned) and subject.visibility == Visibility.PRIVATE:
        inside = inside.filter(Q(role=Role.OWNER) | Q(user=subject.created_by_id))
    return [one.user for one in inside.select_related("user").order_by("user__username")]


def still_wanted(email: Email) -> bool:
    """Whether its person may still read what it tells of; a letter can wait for days."""
    if not email.user.is_active:
        return False
    return email.notice is None or teams_where(email.user).filter(pk=email.notice.team_id).exists()


def asked_for_reset_lately(user: User) -> bool:
    return Email.objects.filter(user=user, notice=None, created_at__gt=timezone.now() - RESETS_APART).exists()


def webhooks(team: Team) -> QuerySet[Webhook]:
    return Webhook.objects.filter(team=team).select_related("team", "created_by").order_by("pk")


def deliveries(webhook: Webhook) -> QuerySet[Delivery]:
    return Delivery.objects.filter(webhook=webhook).select_related("webhook").order_by("-pk")


def owners(team: Team) -> QuerySet[User]:
    return User.objects.filter(memberships__team=team, memberships__role=Role.OWNER).order_by("username")
