"""Sends what waits, e-mails and messages to webhooks, from the analysis worker: one batch at a time over all workers.

A row's lock is its lease: a worker that dies lets go, and the row is sent again. So a message can arrive twice, with
the same id; it never gets lost. The times of the next attempts are in the database.
"""

from __future__ import annotations

import time

from django.db import connection, transaction

from webapp.celery import enqueue
from webapp.notices import delivering, mailing
from webapp.notices.models import Delivery, Email
from webapp.notices.services import tell_of_silent_joinings
from webapp.notices.waiting import due

SECONDS_A_TURN = 30.0  # then the doorbell is rung again, so that boards and reports have their turn
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
    """From the sweep: what is due and was not rung for."""
    tell_of_silent_joinings()
    if due(Email.objects.all()).exists() or due(Delivery.objects.all()).exists():
        enqueue("send_out")
