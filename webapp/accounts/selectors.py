"""What a person may see and do. Every object that a page or the API shows is fetched through `visible`."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import F, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from webapp.accounts.models import AuditEvent, Invitation, Membership, Role, Team, Token, User, Visibility
from webapp.errors import NotAllowed
from webapp.prepared import Asked, Prepared

DEMO_USER = "demo"
NOBODY = 0  # the id of a stranger where an id is asked for: nobody's, so that only what is public is found
M = TypeVar("M", bound=Model)
Viewer = User | AnonymousUser


class May(StrEnum):
    """What a role allows; each value is also the token scope that it needs."""

    READ = "read"
    REVIEW = "review"
    SUBMIT = "submit"
    MANAGE = "admin"


ALLOWS: dict[str, frozenset[May]] = {
    Role.VIEWER: frozenset({May.READ}),
    Role.REVIEWER: frozenset({May.READ, May.REVIEW}),
    Role.SUBMITTER: frozenset({May.READ, May.REVIEW, May.SUBMIT}),
    Role.OWNER: frozenset(May),
}


def roles_that(may: May) -> list[str]:
    return [role for role, allowed in ALLOWS.items() if may in allowed]


def teams_where(user: Viewer, may: May = May.READ) -> QuerySet[Team]:
    if not user.is_authenticated:
        return Team.objects.none()
    return Team.objects.filter(memberships__user=user, memberships__role__in=roles_that(may)).order_by("name")


_team_named = Prepared(
    lambda user, name: teams_where(User(pk=user)).filter(name=name).annotate(role=F("memberships__role"))[:1],
    -1, "a name",
)  # fmt: skip


def ask_team(user: Viewer, name: str) -> Asked[Any]:
    """One of the teams that this person is in."""
    return _team_named.ask(user.pk or NOBODY, name)


def team_named(user: Viewer, asked: Asked[Any]) -> Team | None:
    """asked: what `ask_team` gave. `may` need not ask for the role again."""
    found: Team | None = asked.first()
    if found is not None:
        found.member = (user.pk, vars(found)["role"])
    return found


def usual_team(user: User) -> int | None:
    """The id of the team in which something happened last, of those they may submit for: what a form starts with."""
    # A range of one team: for an equal one PostgreSQL may walk the log of all teams by id, hoping to meet it soon.
    one = {"team__gte": OuterRef("pk"), "team__lte": OuterRef("pk")}
    newest = AuditEvent.objects.filter(**one).order_by("team", "-id").values("id")[:1]
    teams = teams_where(user, May.SUBMIT).annotate(last=Subquery(newest)).values_list("pk", "last")
    found = teams.order_by(F("last").desc(nulls_last=True)).first()
    return found[0] if found and found[1] else None


def visible(rows: QuerySet[M], user: Viewer) -> QuerySet[M]:
    """The rows of an `Owned` model (or one with the same columns) that this person may read."""
    allowed = Q(visibility=Visibility.PUBLIC)
    if user.is_authenticated:
        mine = Membership.objects.filter(user=user)
        allowed |= Q(visibility=Visibility.TEAM, team_id__in=mine.values("team_id"))
        allowed |= Q(visibility=Visibility.PRIVATE, team_id__in=mine.filter(role=Role.OWNER).values("team_id"))
        allowed |= Q(visibility=Visibility.PRIVATE, created_by=user, team_id__in=mine.values("team_id"))
    return rows.filter(allowed)


_role = Prepared(lambda user, team: Membership.objects.filter(user=user, team=team).values_list("role"), -1, -2)


def may(user: Viewer, team: Team, what: May) -> bool:
    if not user.is_authenticated:
        return False
    known, role = team.member
    roles = [role] if known == user.pk else [role for (role,) in _role.rows(user.pk, team.pk)]
    return any(what in ALLOWS[role] for role in roles)


def require(user: Viewer, team: Team, what: May) -> None:
    """Raises NotAllowed, in words, unless the person's role in the team allows it."""
    if not may(user, team, what):
        roles = " or ".join(roles_that(what))
        raise NotAllowed(f"This needs the role {roles} in the team {team.name}.", remedy="Ask an owner of the team.")


def is_operator(user: Viewer) -> bool:
    """Who looks after the platform itself: workers, limits of teams."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_staff or user.is_superuser or _is_the_demo(user)


def _is_the_demo(user: User) -> bool:
    """The demo's person, whom only this machine lets in, without a password. No flag is stored: where the same data
    are served as no demo, nobody has the right, and nobody can sign in as that person."""
    return bool(settings.DEMO and user.username == DEMO_USER and not user.has_usable_password())


def require_operator(user: Viewer) -> None:
    """Raises NotAllowed, in words, unless the person is an operator."""
    if not is_operator(user):
        raise NotAllowed("This needs an operator of the platform.", remedy="Ask somebody who runs it.")


def limitable_teams(user: Viewer) -> QuerySet[Team]:
    """All teams for an operator, who limits them; for others those that they know."""
    return Team.objects.all() if is_operator(user) else teams_where(user)


def members(team: Team) -> QuerySet[Membership]:
    return team.memberships.select_related("user").order_by("user__username")


def tokens(user: User) -> QuerySet[Token]:
    return user.tokens.filter(revoked_at=None).order_by("-created_at")


def _live_invitations() -> QuerySet[Invitation]:
    return Invitation.objects.filter(revoked_at=None, expires_at__gt=timezone.now(), used__lt=F("uses"))


def invitations(team: Team) -> QuerySet[Invitation]:
    """Those that somebody could still use."""
    return _live_invitations().filter(team=team).select_related("created_by").order_by("-pk")


def invitation_of(secret: str) -> Invitation | None:
    """The invitation with this secret while it holds; one of somebody who is no owner any more does not."""
    found = _live_invitations().filter(digest=digest(secret)).select_related("team", "created_by").first()
    return found if found and may(found.created_by, found.team, May.MANAGE) else None


def audit_events(team: Team) -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(team=team).order_by("-id")


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_live_token = Prepared(
    lambda digest: Token.objects.filter(
        digest=digest, revoked_at=None, expires_at__gt=Now(), user__is_active=True
    ).select_related("user"),
    "a digest",
)


def token_of(secret: str) -> Token | None:
    """The live token with this secret, or None when it is unknown, revoked or expired."""
    return _live_token.first(digest(secret))
