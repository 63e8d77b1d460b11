"""What is thrown away, and what is asked of it first.

Scores, reports, boards, releases, sign-offs and the audit log have no rule: whoever decided something by them finds
them again.
"""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Least

from webapp.accounts.models import Invitation, Membership, Token
from webapp.imports.selectors import open_uploads
from webapp.imports.services import drop_abandoned
from webapp.jobs.models import Run, RunEvent, Worker
from webapp.notices.models import Delivery, Email, Notice
from webapp.operations.housekeeping import Closed, Files, Rows, Rule
from webapp.operations.models import SizeOfDay


def _told() -> QuerySet[Notice]:
    """Notices without an e-mail: one that is still to be sent takes its words from its notice."""
    return Notice.objects.filter(~Exists(Email.objects.filter(notice=OuterRef("pk"))))


def _expired_tokens() -> QuerySet[Token]:
    """Least passes over what is null."""
    return Token.objects.annotate(ended_at=Least("expires_at", "revoked_at"))


def _unused_invitations() -> QuerySet[Invitation]:
    """A membership names the invitation by which its person came."""
    came = Membership.objects.filter(invitation=OuterRef("pk"))
    return Invitation.objects.filter(~Exists(came)).annotate(ended_at=Least("expires_at", "revoked_at"))


def _strange_workers() -> QuerySet[Worker]:
    """Reports find the device of a run by its worker's name; a paused worker is paused when it comes back, too."""
    did = Run.objects.filter(worker=OuterRef("name"), state=Run.State.DONE)
    held = Run.objects.filter(worker=OuterRef("name"), state=Run.State.RUNNING)
    return Worker.objects.filter(~Exists(did), ~Exists(held), mode=Worker.Mode.WORKING)


RULES: tuple[Rule, ...] = (
    Rows(key="sessions", title="Sign-ins that have expired", rows=Session.objects.all, since="expire_date"),
    Closed(
        key="uploads", title="Uploads that nobody goes on with", setting="KEEP_UPLOADS",
        rows=open_uploads, since="touched_at", close=drop_abandoned,
    ),
    Rows(
        key="notices", title="Notices that were read", setting="KEEP_NOTICES",
        rows=lambda: _told().filter(read_at__isnull=False), since="read_at",
    ),
    Rows(
        key="silent_notices", title="Notices by e-mail alone", setting="KEEP_NOTICES",
        rows=lambda: _told().filter(in_inbox=False, read_at=None), since="created_at",
    ),
    Rows(
        key="emails", title="E-mails that were sent", setting="KEEP_DELIVERIES",
        rows=lambda: Email.objects.filter(ended_at__isnull=False), since="ended_at",
    ),
    Rows(
        key="deliveries", title="Messages to webhooks", setting="KEEP_DELIVERIES",
        rows=lambda: Delivery.objects.filter(ended_at__isnull=False), since="ended_at",
    ),
    Files(
        key="mail_files", title="E-mails that became files", setting="KEEP_MAIL_FILES",
        folder=lambda: Path(settings.EMAIL_FILE_PATH),
    ),
    Rows(
        key="tokens", title="API tokens that ended", setting="KEEP_EXPIRED",
        rows=_expired_tokens, since="ended_at",
    ),
    Rows(
        key="invitations", title="Invitations that ended unused", setting="KEEP_EXPIRED",
        rows=_unused_invitations, since="ended_at",
    ),
    Rows(key="workers", title="Workers that are gone", setting="KEEP_WORKERS", rows=_strange_workers, since="seen_at"),
    Rows(
        key="diaries", title="Diaries of runs that ended", setting="KEEP_DIARIES",
        rows=RunEvent.objects.all, since="at", also="run__finished_at",
    ),
    Rows(key="sizes", title="Sizes of former days", setting="KEEP_SIZES", rows=SizeOfDay.objects.all, since="at"),
)  # fmt: skip
