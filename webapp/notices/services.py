"""Tells people and webhooks what happened, in the transaction in which it happens; the sending is in outbox.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.models import Membership, Owned, Team, User, Visibility
from webapp.celery import enqueue
from webapp.notices import selectors, webhooks
from webapp.notices.models import Email, Kind, Notice, Preference
from webapp.notices.selectors import EVENT_OF, Channels

LONGEST_TEXT = 500
JOININGS = 100  # of a sweep


@dataclass(frozen=True)
class News:
    """Something that happened to a subject: what belongs to a team and is seen by some, or the team itself.

    path: of the page that shows it; actor: who did it, and is not told; facts: JSON for webhooks.
    """

    kind: Kind
    subject: Owned | Team
    text: str
    path: str
    actor: User | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def team(self) -> Team:
        return self.subject if isinstance(self.subject, Team) else self.subject.team


@transaction.atomic
def notify(*, news: News, to: Iterable[User]) -> list[Notice]:
    """Tell those who may read the subject, each as they wish, and the team's webhooks. Returns the new notices.

    What is private stays inside: no webhook hears of it.
    """
    _tell_webhooks(news)
    people = selectors.readers(news.subject, [user for user in to if user != news.actor])
    wishes = selectors.channels(people, news.kind)
    told = [(user, wishes.get(user.pk, selectors.USUAL[news.kind])) for user in people]
    return [_write(news, user, wish) for user, wish in told if wish.in_app or wish.by_email]


def _write(news: News, user: User, wish: Channels) -> Notice:
    """The notice and its letter."""
    text = news.text if len(news.text) <= LONGEST_TEXT else f"{news.text[: LONGEST_TEXT - 1]}…"
    notice = Notice.objects.create(
        user=user, team=news.team, kind=news.kind, text=text, path=news.path, in_inbox=wish.in_app
    )
    if wish.by_email:
        Email.objects.create(user=user, notice=notice)
        enqueue("send_out")
    return notice


def _tell_webhooks(news: News) -> None:
    event = EVENT_OF.get(news.kind)
    if event is None or (isinstance(news.subject, Owned) and news.subject.visibility == Visibility.PRIVATE):
        return
    actor = None if news.actor is None else news.actor.username
    said = {"text": news.text, "url": settings.SITE_URL + news.path, "actor": actor}
    webhooks.emit(team=news.team, event=event, facts={**said, **news.facts})


@transaction.atomic
def mark_read(*, actor: User, notice: Notice | None = None) -> int:
    """One notice, or all of the person's. Safe to press twice. Returns how many were unread."""
    unread = Notice.objects.filter(user=actor, read_at=None)
    if notice is not None:
        unread = unread.filter(pk=notice.pk)
    return unread.update(read_at=timezone.now())


@transaction.atomic
def set_preferences(*, actor: User, wishes: Mapping[Kind, Channels]) -> None:
    """How a person wants to be told. What is as usual is not stored, so that it goes along with what is usual."""
    for kind, wish in wishes.items():
        if wish == selectors.USUAL[kind]:
            Preference.objects.filter(user=actor, kind=kind).delete()
        else:
            values = {"in_app": wish.in_app, "by_email": wish.by_email}
            Preference.objects.update_or_create(user=actor, kind=kind, defaults=values)


@transaction.atomic
def ask_for_reset(*, email: str) -> None:
    """A letter with a link for a new password, if somebody has this address; who asks is not told whether."""
    user = User.objects.filter(email__iexact=email, is_active=True).first()
    if user is not None and settings.MAIL.works and not selectors.asked_for_reset_lately(user):
        Email.objects.create(user=user)
        enqueue("send_out")


@transaction.atomic
def tell_of_joining(*, membership_id: int) -> None:
    """Whose link somebody joined by hears of it: once, however often and by how many workers this is called.

    Where the link is gone there is nobody to tell any more.
    """
    silent = Membership.objects.select_for_update(of=("self",), skip_locked=True)
    joined = silent.select_related("team", "user", "invitation__created_by").filter(pk=membership_id, announced=False)
    membership = joined.first()
    if membership is None:
        return
    membership.announced = True
    membership.save(update_fields=["announced"])
    if membership.invitation is None:
        return
    team, user = membership.team, membership.user
    news = News(
        Kind.JOINED,
        team,
        f"{user.username} joined {team.title} by your invitation, as {membership.role}.",
        reverse("accounts:team", args=[team.name]),
        actor=user,
        facts={"username": user.username, "role": membership.role},
    )
    notify(news=news, to=[membership.invitation.created_by])


def tell_of_silent_joinings() -> None:
    """From the sweep: those whose doorbell was lost."""
    silent = Membership.objects.filter(announced=False).order_by("pk")
    for pk in silent.values_list("pk", flat=True)[:JOININGS]:
        tell_of_joining(membership_id=pk)
