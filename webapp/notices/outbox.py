"""Sends what waits, e-mails and messages to webhooks, from the analysis worker: one batch at a time over all workers.

A row's lock is its lease: a worker that dies lets go, and the row is sent again. So a message can arrive twice, with
the same id; it never gets lost. The times of the next attempts are in the database.
"""

from __future__ import annotations

import time

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from webapp.celery import enqueue
from webapp.notices import delivering, mailing
from webapp.notices.models import Delivery, Email
from webapp.notices.selectors import LOG_KEPT
from webapp.notices.services import tell_of_silent_joinings
from webapp.notices.waiting import W, due

SECONDS_A_TURN = 30.0  # then the doorbell is rung again, so that boards and reports have their turn
FORGOTTEN = 1000  # letters, and messages, of a sweep
LOCK = 0x6E6F7469636573  # "notices": the advisory lock of whoever sends


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
    return mailing.send_batch() + delivering.send_batch()


def ring_again() -> None:
    """From the sweep: what is due and was not rung for; and forget what ended long ago."""
    tell_of_silent_joinings()
    if due(Email.objects.all()).exists() or due(Delivery.objects.all()).exists():
        enqueue("send_out")
    _forget(Email.objects.all())
    _forget(Delivery.objects.all())


def _forget(rows: QuerySet[W]) -> None:
    """The oldest of what ended long ago. However much there is, a sweep is never long: the next one goes on."""
    old = rows.filter(ended_at__lt=timezone.now() - LOG_KEPT).order_by("ended_at")
    gone = list(old.values_list("pk", flat=True)[:FORGOTTEN])
    if gone:
        rows.filter(pk__in=gone).delete()
