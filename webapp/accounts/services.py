"""What changes people, teams and tokens. Everything lands in the audit log."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from webapp.accounts.models import AuditEvent, Membership, Role, Scope, Team, Token, User
from webapp.accounts.selectors import May, digest, is_operator, require, require_operator
from webapp.errors import Conflict, DomainError, Unprocessable
from webapp.live import look_again
from webapp.prepared import PreparedInsert

MAX_TOKEN_DAYS = 365
MAX_LIMIT_USD = 10**9
MAX_RUNNING = 10_000


_log = PreparedInsert(AuditEvent)


def record(
    *,
    actor: User | None,
    verb: str,
    target: object,
    team: Team | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Append to the audit log, in the caller's transaction."""
    event = AuditEvent(
        actor=actor,
        actor_name=actor.username if actor else "system",
        team=team,
        verb=verb,
        target=f"{type(target).__name__} {target}"[:200],
        before=before or {},
        after=after or {},
    )
    _log.append([event])


@transaction.atomic
def sign_up(*, username: str, email: str, password: str) -> User:
    """A new person, owner of a team of their own."""
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict("This username is taken.", field="username", remedy="Choose another one.")
    if User.objects.filter(email__iexact=email).exists():
        raise Conflict("This e-mail address has an account.", field="email", remedy="Sign in, or reset its password.")
    user = User(username=username, email=email)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise DomainError(" ".join(error.messages), field="password") from error
    user.set_password(password)
    user.save()
    create_team(actor=user, name=_free_team_name(username), title=f"{username}’s team")
    return user


def _free_team_name(username: str) -> str:
    base = slugify(username)[:50] or "team"
    taken = set(Team.objects.filter(name__startswith=base).values_list("name", flat=True))
    return base if base not in taken else f"{base}-{secrets.token_hex(3)}"


@transaction.atomic
def create_team(*, actor: User, name: str, title: str) -> Team:
    """The actor owns it; how many teams somebody may own is limited, because each has its turn at the workers."""
    if Team.objects.filter(name=name).exists():
        raise Conflict(f"A team named {name} exists.", field="name", remedy="Choose another name.")
    _require_room_for_a_team(actor, actor, field="name")
    team = Team(name=name, title=title, running_limit=settings.TEAM_RUNNING_LIMIT)
    team.full_clean(validate_unique=False)
    team.save()
    Membership.objects.create(user=actor, team=team, role=Role.OWNER)
    record(actor=actor, team=team, verb="created", target=team)
    return team


def _require_room_for_a_team(actor: User, owner: User, *, field: str) -> None:
    """Raises Conflict where the person would own too many. What operators do is theirs to decide."""
    if is_operator(actor) or is_operator(owner):
        return
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # two at once would both find room
    if Membership.objects.filter(user=owner, role=Role.OWNER).count() >= settings.OWNED_TEAMS:
        raise Conflict(
            f"{owner} owns as many teams as one person may: {settings.OWNED_TEAMS}.",
            field=field,
            remedy="Delete one, hand one over, or ask an operator of the platform.",
        )


@transaction.atomic
def set_member(*, actor: User, team: Team, username: str, role: str) -> Membership:
    """Add a person to the team, or change their role. The last owner stays owner."""
    require(actor, team, May.MANAGE)
    if role not in Role.values:
        raise DomainError(f"{role} is not a role.", field="role", remedy=f"Use one of {', '.join(Role.values)}.")
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise DomainError(f"Nobody here is called {username}.", field="username", remedy="Ask them to sign up first.")
    old = Membership.objects.select_for_update().filter(team=team, user=user).first()
    if old and old.role == Role.OWNER and role != Role.OWNER:
        _keep_an_owner(team, user)
    if role == Role.OWNER and not (old and old.role == Role.OWNER):
        _require_room_for_a_team(actor, user, field="role")
    membership, _ = Membership.objects.update_or_create(team=team, user=user, defaults={"role": role})
    before = {"role": old.role} if old else {}
    record(actor=actor, team=team, verb="set role", target=user, before=before, after={"role": role})
    if old:
        look_again(team=team.pk, person=user.pk)
    return membership


@transaction.atomic
def remove_member(*, actor: User, team: Team, user: User) -> None:
    if actor != user:
        require(actor, team, May.MANAGE)
    membership = Membership.objects.select_for_update().filter(team=team, user=user).first()
    if membership is None:
        return
    if membership.role == Role.OWNER:
        _keep_an_owner(team, user)
    membership.delete()
    record(actor=actor, team=team, verb="removed", target=user, before={"role": membership.role})
    look_again(team=team.pk, person=user.pk)


def _keep_an_owner(team: Team, leaving: User) -> None:
    owners = Membership.objects.select_for_update().filter(team=team, role=Role.OWNER)
    if not any(owner.user_id != leaving.pk for owner in owners):
        raise Conflict("A team needs an owner.", field="role", remedy="Make somebody else owner first.")


@transaction.atomic
def set_spending_limit(*, actor: User, team: Team, usd: Decimal | None) -> Team:
    """US dollars that the team's jobs may cost in a calendar month; None: no limit. Jobs under way go on."""
    require(actor, team, May.MANAGE)
    if usd is not None and not (usd.is_finite() and 0 <= usd < MAX_LIMIT_USD):
        raise Unprocessable(f"A limit is 0 to {MAX_LIMIT_USD:,} dollars.", field="usd", remedy="Empty: no limit.")
    team = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    before, team.spending_limit_usd = team.spending_limit_usd, None if usd is None else round(usd, 2)
    if before != team.spending_limit_usd:
        team.save(update_fields=["spending_limit_usd"])
        said = [{"usd": str(limit) if limit is not None else "none"} for limit in (before, team.spending_limit_usd)]
        record(actor=actor, team=team, verb="set spending limit", target=team, before=said[0], after=said[1])
    return team


@transaction.atomic
def set_running_limit(*, actor: User, team: Team, runs: int | None) -> Team:
    """Runs that workers may have in hand for the team at once; None: no limit. Workers are everybody's, so this is
    the operators' to set. Runs under way go on."""
    require_operator(actor)
    if runs is not None and not 0 <= runs <= MAX_RUNNING:
        raise Unprocessable(f"A limit is 0 to {MAX_RUNNING:,} runs.", field="runs", remedy="Empty: no limit.")
    team = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    before, team.running_limit = team.running_limit, runs
    if before != runs:
        team.save(update_fields=["running_limit"])
        said = [{"runs": "none" if limit is None else limit} for limit in (before, runs)]
        record(actor=actor, team=team, verb="set running limit", target=team, before=said[0], after=said[1])
    return team


@transaction.atomic
def create_token(*, actor: User, name: str, scopes: Sequence[str], days: int) -> tuple[Token, str]:
    """Returns the token and its secret, which is shown this once and kept nowhere."""
    unknown = set(scopes) - set(Scope.values)
    if unknown or not scopes:
        raise DomainError("Choose at least one scope.", field="scopes", remedy=f"Known: {', '.join(Scope.values)}.")
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise DomainError("A token lives 1 to 365 days.", field="days", remedy="Give a number of days in this range.")
    secret = "ct_" + secrets.token_urlsafe(32)
    try:
        token = Token.objects.create(
            user=actor,
            name=name,
            prefix=secret[:8],
            digest=digest(secret),
            scopes=sorted(set(scopes)),
            expires_at=timezone.now() + timedelta(days=days),
        )
    except IntegrityError as error:
        raise Conflict("Please try again.") from error
    record(actor=actor, verb="created token", target=token, after={"scopes": token.scopes, "days": days})
    return token, secret


@transaction.atomic
def revoke_token(*, actor: User, token: Token) -> None:
    if token.user_id != actor.pk:
        raise DomainError("This token is not yours.", status=404)
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        record(actor=actor, verb="revoked token", target=token)
