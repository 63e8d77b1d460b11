"""What owners do with webhooks, and how an event becomes messages to those that want it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import Team, User
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import Conflict, Unprocessable
from webapp.notices import posting
from webapp.notices.models import Delivery, Event, Waiting, Webhook
from webapp.sealing import Sealing

MOST = 20  # webhooks of one team
LONGEST_URL = 500
PING = "ping"
SECRETS = Sealing("crosstable webhook secrets", what="The webhook’s secret", remedy="make a new secret.")
State = Waiting.State


@transaction.atomic
def create_webhook(
    *, actor: User, team: Team, url: str, events: Sequence[str], active: bool = True
) -> tuple[Webhook, str]:
    """Returns the webhook and its secret, which is shown this once."""
    require(actor, team, May.MANAGE)
    if Webhook.objects.filter(team=team).count() >= MOST:
        raise Conflict(f"A team has at most {MOST} webhooks.", remedy="Delete one that nobody needs.")
    chosen, secret = _checked(url, events), posting.new_secret()
    webhook = Webhook.objects.create(
        team=team,
        created_by=actor,
        url=url,
        sealed_secret=SECRETS.seal(secret),
        events=chosen,
        active=active,
        off_because="" if active else f"Switched off by {actor.username}.",
    )
    record(actor=actor, team=team, verb="made webhook", target=webhook, after=_said(webhook))
    return webhook, secret


@transaction.atomic
def change_webhook(*, actor: User, webhook: Webhook, url: str, events: Sequence[str], active: bool) -> Webhook:
    """Switched off, it forgets what still waits to be sent; switched on, its failures are forgotten."""
    webhook = _locked(actor, webhook)
    chosen, before = _checked(url, events), _said(webhook)
    if active and not webhook.active:
        webhook.failing_since, webhook.off_because = None, ""
    elif webhook.active and not active:
        webhook.off_because = f"Switched off by {actor.username}."
        give_up_waiting(webhook)
    webhook.url, webhook.events, webhook.active = url, chosen, active
    webhook.save(update_fields=["url", "events", "active", "failing_since", "off_because"])
    record(actor=actor, team=webhook.team, verb="changed webhook", target=webhook, before=before, after=_said(webhook))
    return webhook


@transaction.atomic
def delete_webhook(*, actor: User, webhook: Webhook) -> None:
    """With its log."""
    webhook = _locked(actor, webhook)
    record(actor=actor, team=webhook.team, verb="deleted webhook", target=webhook, before=_said(webhook))
    webhook.delete()


@transaction.atomic
def renew_secret(*, actor: User, webhook: Webhook) -> tuple[Webhook, str]:
    """The old secret ends at once. Returns the new one, which is shown this once."""
    webhook, secret = _locked(actor, webhook), posting.new_secret()
    webhook.sealed_secret = SECRETS.seal(secret)
    webhook.save(update_fields=["sealed_secret"])
    record(actor=actor, team=webhook.team, verb="renewed webhook secret", target=webhook)
    return webhook, secret


@transaction.atomic
def ping(*, actor: User, webhook: Webhook) -> Delivery:
    """A test message, also to a webhook that is switched off."""
    webhook = _locked(actor, webhook)
    said = {"text": f"{actor.username} tests this webhook.", "actor": actor.username}
    return _queue(webhook, PING, _body(PING, webhook.team, said))


@transaction.atomic
def replay(*, actor: User, delivery: Delivery) -> Delivery:
    """Send the same message again, with its id, so that a receiver can tell that it knows it."""
    webhook = _locked(actor, delivery.webhook)
    return _queue(webhook, delivery.event, delivery.body, message=delivery.message, replay_of=delivery)


def emit(*, team: Team, event: Event, facts: Mapping[str, Any]) -> int:
    """Queue a message for each active webhook of the team that wants it, in the caller's transaction. How many?"""
    wanting = list(Webhook.objects.filter(team=team, active=True, events__contains=[event]))
    body = _body(event, team, facts) if wanting else ""
    for webhook in wanting:
        _queue(webhook, event, body)
    return len(wanting)


def give_up_waiting(webhook: Webhook) -> None:
    """What is just being sent is not waited for: its sender sees that the webhook is off."""
    waiting = Delivery.objects.select_for_update(of=("self",), skip_locked=True).filter(webhook=webhook)
    found = [delivery.pk for delivery in waiting.filter(state=State.QUEUED)]
    ended = {"state": State.FAILED, "ended_at": timezone.now(), "error": "The webhook was switched off."}
    Delivery.objects.filter(pk__in=found).update(**ended)


def _queue(webhook: Webhook, event: str, body: str, **more: Any) -> Delivery:
    made = Delivery.objects.create(webhook=webhook, event=event, body=body, **more)
    enqueue("send_out")
    return made


def _body(event: str, team: Team, facts: Mapping[str, Any]) -> str:
    happened = timezone.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": happened, "data": {"team": team.name, **facts}}, ensure_ascii=False)


def _locked(actor: User, webhook: Webhook) -> Webhook:
    require(actor, webhook.team, May.MANAGE)
    return Webhook.objects.select_for_update(of=("self",), no_key=True).select_related("team").get(pk=webhook.pk)


def _checked(url: str, events: Collection[str]) -> list[str]:
    if len(url) > LONGEST_URL:
        raise Unprocessable(f"An address has at most {LONGEST_URL} characters.", field="url")
    unknown = sorted(set(events) - set(Event.values))
    if unknown or not events:
        known = ", ".join(Event.values)
        raise Unprocessable("Choose at least one event that there is.", field="events", remedy=f"Known: {known}.")
    posting.check(url, settings.ALLOWED_NETWORKS)
    return [event for event in Event.values if event in set(events)]


def _said(webhook: Webhook) -> dict[str, Any]:
    return {"url": webhook.url, "events": webhook.events, "active": webhook.active}
