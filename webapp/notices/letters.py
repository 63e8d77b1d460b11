"""The words of e-mails: plain text with one link, written at the moment of sending."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from webapp.accounts.password_resets import reset_path
from webapp.notices.models import Email, Notice

SUBJECT_LENGTH = 120


def letter(email: Email, connection: BaseEmailBackend | None = None) -> EmailMessage:
    subject, body = _of_notice(email.notice) if email.notice else _of_reset(email)
    wishes = settings.SITE_URL + reverse("notices:preferences")
    headers = {"List-Unsubscribe": f"<{wishes}>", "Auto-Submitted": "auto-generated"} if email.notice else {}
    return EmailMessage(subject, body, to=[email.user.email], headers=headers, connection=connection)


def _of_notice(notice: Notice) -> tuple[str, str]:
    line = " ".join(notice.text.split())  # a title may hold a line break; a header must not
    short = line if len(line) <= SUBJECT_LENGTH else f"{line[: SUBJECT_LENGTH - 1]}…"
    why = f"You get this as a member of the team {notice.team.name}. Choose what comes by e-mail:"
    wishes = settings.SITE_URL + reverse("notices:preferences")
    return f"[Crosstable] {short}", f"{line}\n\n{settings.SITE_URL}{notice.path}\n\n-- \n{why}\n{wishes}\n"


def _of_reset(email: Email) -> tuple[str, str]:
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    body = (
        f"Somebody, probably you, asked for a new password of the account {email.user.username}.\n\n"
        f"{settings.SITE_URL}{reset_path(email.user)}\n\n"
        f"The link works once, within {hours} hours. If you did not ask, do nothing: your password stays as it is.\n"
    )
    return "[Crosstable] A new password", body
