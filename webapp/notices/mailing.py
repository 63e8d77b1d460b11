"""Sends e-mails that are due. While the mail server is away all of them wait."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Sequence
from datetime import timedelta

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.utils import timezone

from webapp.notices import selectors
from webapp.notices.letters import letter
from webapp.notices.models import Email
from webapp.notices.waiting import State, again, due, end, locked

# Pauses double from half a minute to an hour.
FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3600.0
# When a letter is given up; a link for a new password helps only somebody who waits for it.
GIVE_UP, GIVE_UP_RESET = timedelta(days=5), timedelta(hours=2)
log = logging.getLogger("crosstable.outbox")


def send_batch() -> int:
    """In the caller's transaction. Returns how many letters were dealt with."""
    emails = locked(Email.objects.select_related("user", "notice__team"))
    if not emails:
        return 0
    link = get_connection()
    try:
        link.open()
    except OSError as error:  # every fault of smtplib is one
        _server_away(emails, error)
        return len(emails)
    try:
        for email in emails:
            _send(email, link)
    finally:
        link.close()
    return len(emails)


def _server_away(emails: Sequence[Email], error: OSError) -> None:
    """One connection at a time finds out whether the server is back, however many letters wait for it."""
    said = _words(error)
    log.warning("the mail server cannot be reached (%s); e-mails wait", said)
    next_at = timezone.now() + timedelta(seconds=pause(emails[0].attempts + 1))
    due(Email.objects.all()).order_by().update(attempts=F("attempts") + 1, next_at=next_at, error=said)
    for email in filter(_too_old, emails):
        end(email, State.FAILED, said)


def _send(email: Email, link: BaseEmailBackend) -> None:
    email.attempts += 1
    if not selectors.still_wanted(email):
        end(email, State.FAILED, "Its person may not read it any more.")
        return
    try:
        link.send_messages([letter(email)])
    except OSError as error:
        if _refused_for_good(error) or _too_old(email):
            end(email, State.FAILED, _words(error))
        else:
            again(email, pause(email.attempts), _words(error))
    except ValueError as error:  # no address that mail can be sent to
        end(email, State.FAILED, _words(error))
    else:
        end(email, State.SENT)


def _refused_for_good(error: OSError) -> bool:
    """The server answered that this person cannot be reached: 5xx, as SMTP has it."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(code >= 500 for code, _ in error.recipients.values())


def _too_old(email: Email) -> bool:
    return timezone.now() - email.created_at > (GIVE_UP if email.notice_id else GIVE_UP_RESET)


def pause(attempts: int) -> float:
    """Seconds after so many attempts."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
