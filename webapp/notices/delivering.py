"""Sends messages to webhooks that are due, notes the answers, and switches off what fails for days."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.services import record
from webapp.errors import DomainError
from webapp.notices import posting, selectors
from webapp.notices.models import Delivery, Kind, Webhook
from webapp.notices.posting import Answer, Message
from webapp.notices.services import News, notify
from webapp.notices.waiting import State, again, end, locked
from webapp.notices.webhooks import SECRETS, give_up_waiting

# Ten attempts, about a day in all: the first pause in seconds, and each three times the one before.
ATTEMPTS, FIRST_PAUSE, FACTOR = 10, 8.0, 3.0
DISABLE_AFTER = timedelta(days=5)
_jitter = random.SystemRandom()


def send_batch() -> int:
    """In the caller's transaction, side by side. Returns how many messages were dealt with."""
    deliveries = locked(Delivery.objects.select_related("webhook__team"))
    if not deliveries:
        return 0
    with ThreadPoolExecutor(len(deliveries)) as senders:  # threads talk to the network only, never to the database
        answers = [senders.submit(send) for send in map(_prepared, deliveries)]
    for delivery, answer in zip(deliveries, answers, strict=True):
        _take_down(delivery, answer.result())
    return len(deliveries)


def _prepared(delivery: Delivery) -> Callable[[], Answer]:
    try:
        secret = SECRETS.unseal(delivery.webhook.sealed_secret)
    except DomainError as error:
        return partial(Answer, 0, error=str(error))
    message = Message(delivery.webhook.url, f"msg_{delivery.message.hex}", delivery.body.encode(), secret)
    return partial(posting.post, message, allowed=settings.ALLOWED_NETWORKS, timestamp=int(time.time()))


def _take_down(delivery: Delivery, answer: Answer) -> None:
    """Note the attempt, and what follows: arrived, again later, or given up."""
    delivery.attempts += 1
    told = {"status": answer.status, "body": answer.body, "error": answer.error, "seconds": round(answer.seconds, 3)}
    delivery.tries = [*delivery.tries, {"at": timezone.now().isoformat(timespec="seconds"), **told}]
    if answer.accepted:
        end(delivery, State.SENT)
    elif answer.status == posting.GONE or delivery.attempts >= ATTEMPTS or _is_off(delivery):
        times = f"{delivery.attempts} attempt{pluralize(delivery.attempts)}"
        end(delivery, State.FAILED, f"Given up after {times}. {answer.error}")
    else:
        again(delivery, pause(delivery.attempts), answer.error)
    _judge(delivery, answer)


def _is_off(delivery: Delivery) -> bool:
    """By now. A test, or a replay, to a webhook that is switched off is tried once."""
    return not Webhook.objects.filter(pk=delivery.webhook_id, active=True).exists()


def pause(attempts: int) -> float:
    """Seconds after so many attempts: exponential, and a quarter more or less, so that no herd comes back."""
    return FIRST_PAUSE * FACTOR ** (attempts - 1) * _jitter.uniform(0.75, 1.25)


def _judge(delivery: Delivery, answer: Answer) -> None:
    """Keep in mind since when the webhook fails, and switch it off after days.

    An owner who is changing the webhook holds its row and may wait for our delivery: so we do not wait for them.
    """
    rows = Webhook.objects.select_for_update(of=("self",), skip_locked=True, no_key=True).select_related("team")
    webhook = rows.filter(pk=delivery.webhook_id).first()
    if webhook is None:
        return
    since = None if answer.accepted else webhook.failing_since or timezone.now()
    if since != webhook.failing_since:
        webhook.failing_since = since
        webhook.save(update_fields=["failing_since"])
    if since is None or not webhook.active:
        return
    if answer.status == posting.GONE:
        _switch_off(webhook, "Its receiver answered that it is gone for good (410).")
    elif timezone.now() - since > DISABLE_AFTER:
        _switch_off(webhook, f"It has failed since {since:%d %B %Y, %H:%M} UTC. {answer.error}")


def _switch_off(webhook: Webhook, reason: str) -> None:
    webhook.active, webhook.off_because = False, reason[:300]
    webhook.save(update_fields=["active", "off_because"])
    give_up_waiting(webhook)
    record(actor=None, team=webhook.team, verb="switched off webhook", target=webhook, after={"because": reason})
    path = reverse("notices:webhook", args=[webhook.team.name, webhook.pk])
    news = News(Kind.WEBHOOK_OFF, webhook.team, f"The webhook {webhook.url} was switched off. {reason}", path)
    notify(news=news, to=selectors.owners(webhook.team))
