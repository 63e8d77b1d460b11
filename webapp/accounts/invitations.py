"""Invitations by link: an owner makes one, whoever has the link joins the team with its role.

Only the SHA-256 of the secret is kept: it has 256 random bits, so no salt is needed.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import Invitation, Membership, Role, Team, User
from webapp.accounts.selectors import May, digest, invitation_of, may, require
from webapp.accounts.services import record
from webapp.celery import enqueue
from webapp.errors import DomainError, Unprocessable

MAX_DAYS, MAX_USES = 90, 100
INVITED = [Role.VIEWER, Role.REVIEWER, Role.SUBMITTER]


@transaction.atomic
def invite(*, actor: User, team: Team, role: str, days: int, uses: int) -> tuple[Invitation, str]:
    """Returns the invitation and the secret of its link, which is shown this once. Nobody becomes owner by a link."""
    require(actor, team, May.MANAGE)
    if role not in INVITED:
        said = "A link makes viewers, reviewers and submitters."
        raise Unprocessable(said, field="role", remedy="Make somebody owner in the list of people.")
    if not 1 <= days <= MAX_DAYS:
        raise Unprocessable(f"An invitation holds for 1 to {MAX_DAYS} days.", field="days")
    if not 1 <= uses <= MAX_USES:
        raise Unprocessable(f"An invitation is for 1 to {MAX_USES} people.", field="uses")
    secret = secrets.token_urlsafe(32)
    made = Invitation.objects.create(
        team=team,
        created_by=actor,
        role=role,
        prefix=secret[:6],
        digest=digest(secret),
        uses=uses,
        expires_at=timezone.now() + timedelta(days=days),
    )
    record(actor=actor, team=team, verb="invited", target=made, after={"role": role, "days": days, "uses": uses})
    return made, secret


@transaction.atomic
def revoke_invitation(*, actor: User, invitation: Invitation) -> None:
    """Safe to press twice. Who has joined stays."""
    require(actor, invitation.team, May.MANAGE)
    ended = Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=timezone.now())
    if ended:
        record(actor=actor, team=invitation.team, verb="revoked invitation", target=invitation)


@transaction.atomic
def accept_invitation(*, actor: User, secret: str) -> Membership:
    """Join the team. Members stay what they are, and use nothing up. Raises DomainError (404) when it does not hold."""
    found = invitation_of(secret)
    if found is None:
        raise no_longer_holds()
    already = Membership.objects.filter(team=found.team, user=actor).first()
    if already is not None:
        return already
    locked = Invitation.objects.select_for_update(of=("self",)).select_related("team", "created_by").get(pk=found.pk)
    if locked.revoked_at or locked.used >= locked.uses or not may(locked.created_by, locked.team, May.MANAGE):
        raise no_longer_holds()
    came = {"role": locked.role, "invitation": locked, "announced": False}
    membership, new = Membership.objects.get_or_create(team=locked.team, user=actor, defaults=came)
    if new:
        locked.used += 1
        locked.save(update_fields=["used"])
        after = {"role": locked.role, "invitation": locked.pk, "by": locked.created_by.username}
        record(actor=actor, team=locked.team, verb="joined", target=actor, after=after)
        enqueue("announce_joining", membership.pk)  # notices stand right of accounts
    return membership


def no_longer_holds() -> DomainError:
    return DomainError("This invitation does not hold any more.", status=404, remedy="Ask who sent it for a new one.")
