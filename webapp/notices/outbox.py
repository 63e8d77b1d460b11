"""Sends what waits: e-mails and messages to webhooks, from the analysis worker, one batch at a time over all workers.

A row's lock is its lease: a worker that dies lets go, and the row is sent again. So a message can arrive twice, with
the same id; it never gets lost. The times of the next attempts are in the database.
"""

from __future__ import annotations

import logging
import random
import smtplib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TypeVar

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone

from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import DomainError
from webapp.notices import posting, selectors
from webapp.notices.letters import letter
from webapp.notices.models import Delivery, Email, Kind, Waiting, Webhook
from webapp.notices.posting import Answer, Message
from webapp.notices.services import News, notify, tell_of_silent_joinings
from webapp.notices.webhooks import SECRETS, give_up_waiting

BATCH = 8  # requests at a time
SECONDS_A_TURN = 30.0  # then the doorbell is rung again, so that boards and reports have their turn
# Of a message: ten attempts, 8 s to 15 h apart, each pause three times the last one; a day in all.
ATTEMPTS, FIRST_PAUSE, FACTOR = 10, 8.0, 3.0
DISABLE_AFTER = timedelta(days=5)
# Of a letter: pauses double from half a minute to an hour; a link for a new password helps only who waits for it.
FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0
GIVE_UP = {True: timedelta(days=5), False: timedelta(hours=2)}  # by whether it tells of a notice
KEPT = timedelta(days=30)
LOCK = 0x6E6F7469636573  # "notices": the advisory lock of whoever sends
State = Waiting.State
W = TypeVar("W", Email, Delivery)
log = logging.getLogger("crosstable.outbox")
_jitter = random.SystemRandom()


def send_out() -> int:
    """Send what is due, until nothing is or the turn is over. Returns how many rows were dealt with.

    Safe to call anywhere, any number of times at once: one sends, the others return.
    """
    began, done = time.monotonic(), 0
    while now := _batch():
        done += now
        if time.monotonic() - began > SECONDS_A_TURN:
            enqueue("send_out")
            break
    return done


@transaction.atomic
def _batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    return _send_letters() + _send_messages()


def ring_again() -> None:
    """From the sweep: what is due and was not rung for; and forget what ended long ago."""
    tell_of_silent_joinings()
    if any(_due(rows).exists() for rows in (Email.objects.all(), Delivery.objects.all())):
        enqueue("send_out")
    old = timezone.now() - KEPT
    for model in (Email, Delivery):
        model._default_manager.filter(ended_at__lt=old).delete()


def _due(rows: QuerySet[W]) -> QuerySet[W]:
    return rows.filter(state=State.QUEUED, next_at__lte=timezone.now()).order_by("next_at", "pk")


def _locked(rows: QuerySet[W]) -> list[W]:
    return list(_due(rows.select_for_update(of=("self",), skip_locked=True))[:BATCH])


def _send_letters() -> int:
    due = _locked(Email.objects.select_related("user", "notice__team"))
    if not due:
        return 0
    link = get_connection()
    try:
        link.open()
    except OSError as error:  # every fault of smtplib is one
        _server_away(due, error)
        return len(due)
    try:
        for email in due:
            _send_letter(email, link)
    finally:
        link.close()
    return len(due)


def _server_away(due: Sequence[Email], error: Exception) -> None:
    """All letters wait together: one connection at a time finds out whether the server is back."""
    said, wait = _words(error), _wait(due[0].attempts)
    log.warning("the mail server cannot be reached (%s); e-mails wait", said)
    rows = _due(Email.objects.all()).order_by()
    rows.update(attempts=F("attempts") + 1, next_at=timezone.now() + timedelta(seconds=wait), error=said)
    for email in due:
        if _too_old(email):
            _end(email, State.FAILED, said)


def _send_letter(email: Email, link: BaseEmailBackend) -> None:
    email.attempts += 1
    if not selectors.still_wanted(email):
        _end(email, State.FAILED, "Its person may not read it any more.")
        return
    try:
        link.send_messages([letter(email)])
    except OSError as error:
        if _refused_for_good(error) or _too_old(email):
            _end(email, State.FAILED, _words(error))
        else:
            _later(email, _wait(email.attempts - 1), _words(error))
    except ValueError as error:  # no address that mail can be sent to
        _end(email, State.FAILED, _words(error))
    else:
        _end(email, State.SENT)


def _refused_for_good(error: OSError) -> bool:
    """The server answered that this person cannot be reached: 5xx, as SMTP has it."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(code >= 500 for code, _ in error.recipients.values())


def _too_old(email: Email) -> bool:
    return timezone.now() - email.created_at > GIVE_UP[email.notice_id is not None]


def _wait(attempts: int) -> float:
    """Seconds until the next attempt at a letter, after `attempts` earlier ones."""
    return min(FIRST_WAIT * 2.0 ** min(attempts, 10), LONGEST_WAIT)


def _send_messages() -> int:
    due = _locked(Delivery.objects.select_related("webhook__team"))
    if not due:
        return 0
    with ThreadPoolExecutor(len(due)) as senders:  # threads talk to the network only, never to the database
        answers = [senders.submit(send) for send in map(_prepared, due)]
    for delivery, answer in zip(due, answers, strict=True):
        _take_down(delivery, answer.result())
    return len(due)


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
        _end(delivery, State.SENT)
    elif answer.status == posting.GONE or delivery.attempts >= ATTEMPTS or not delivery.webhook.active:
        _end(
            delivery,
            State.FAILED,
            f"Given up after {delivery.attempts} attempt{pluralize(delivery.attempts)}. {answer.error}",
        )
    else:
        _later(delivery, pause(delivery.attempts), answer.error)
    _judge(delivery, answer)


def _is_off(delivery: Delivery) -> bool:
    """By now: a test or a replay to one that is switched off is tried once."""
    return not Webhook.objects.filter(pk=delivery.webhook_id, active=True).exists()


def pause(attempts: int) -> float:
    """Seconds after so many attempts at a message: exponential, a quarter more or less, so that no herd comes back."""
    return FIRST_PAUSE * FACTOR ** (attempts - 1) * _jitter.uniform(0.75, 1.25)


def _judge(delivery: Delivery, answer: Answer) -> None:
    """Keep in mind since when the webhook fails, and switch it off after days.

    An owner who is changing the webhook holds its row and may wait for our delivery: so we do not wait for them.
    """
    rows = Webhook.objects.select_for_update(of=("self",), skip_locked=True, no_key=True).select_related("team")
    webhook = rows.filter(pk=delivery.webhook_id).first()
    if webhook is None:
        return
    now = timezone.now()
    since = None if answer.accepted else webhook.failing_since or now
    if since != webhook.failing_since:
        webhook.failing_since = since
        webhook.save(update_fields=["failing_since"])
    if since is None or not webhook.active:
        return
    if answer.status == posting.GONE:
        _switch_off(webhook, "Its receiver answered that it is gone for good (410).")
    elif now - since > DISABLE_AFTER:
        _switch_off(webhook, f"It has failed since {since:%-d %B %Y, %H:%M} UTC. {answer.error}")


def _switch_off(webhook: Webhook, reason: str) -> None:
    webhook.active, webhook.off_because = False, reason[:300]
    webhook.save(update_fields=["active", "off_because"])
    give_up_waiting(webhook)
    record(actor=None, team=webhook.team, verb="switched off webhook", target=webhook, after={"because": reason})
    path = reverse("notices:webhook", args=[webhook.team.name, webhook.pk])
    news = News(Kind.WEBHOOK_OFF, webhook.team, f"The webhook {webhook.url} was switched off. {reason}", path)
    notify(news=news, to=selectors.owners(webhook.team))


def _end(row: Email | Delivery, state: str, error: str = "") -> None:
    row.state, row.error, row.ended_at = state, error[:500], timezone.now()
    row.save()


def _later(row: Email | Delivery, seconds: float, error: str) -> None:
    row.next_at, row.error = timezone.now() + timedelta(seconds=seconds), error[:500]
    row.save()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
