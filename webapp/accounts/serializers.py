"""How people, teams and tokens look in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from webapp.accounts.invitations import INVITED, MAX_DAYS, MAX_USES
from webapp.accounts.models import AuditEvent, Invitation, Membership, Role, Scope, Team, Token, User, Visibility, slug
from webapp.accounts.selectors import ask_team, team_named
from webapp.accounts.services import MAX_RUNNING, MAX_TOKEN_DAYS
from webapp.prepared import Asked
from webapp.rest import Named, Strict

NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class NameField(serializers.RegexField):
    """The name of something in addresses."""

    def __init__(self, **more: Any) -> None:
        super().__init__(NAME, max_length=63, error_messages={"invalid": str(slug.message)}, **more)


class TeamField(Named):
    """A team by its name, one of those that the caller is in."""

    def ask(self, text: str) -> Asked[Team]:
        return ask_team(self.context["request"].user, text)

    def find(self, text: str, asked: Any) -> Team:
        team = team_named(self.context["request"].user, asked)
        if team is None:
            raise serializers.ValidationError(f"You are in no team named {text}.")
        return team


class VisibilityField(serializers.ChoiceField):
    def __init__(self, **more: Any) -> None:
        super().__init__(choices=Visibility.choices, **more)


class MyTeam(serializers.ModelSerializer[Membership]):
    """A team and the caller's role in it."""

    name = serializers.CharField(source="team.name")
    title = serializers.CharField(source="team.title")

    class Meta:
        model = Membership
        fields = ["name", "title", "role"]


class Me(serializers.ModelSerializer[User]):
    teams = MyTeam(source="memberships", many=True)

    class Meta:
        model = User
        fields = ["username", "email", "teams"]


class TeamOut(serializers.ModelSerializer[Team]):
    """spending_limit_usd: what its jobs may cost in a calendar month (UTC); running_limit: runs that workers may have
    in hand for it at once. Null: no limit."""

    class Meta:
        model = Team
        fields = ["name", "title", "spending_limit_usd", "running_limit", "created_at"]


class SpendingLimitIn(Strict):
    usd = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0, allow_null=True)


class RunningLimitIn(Strict):
    runs = serializers.IntegerField(min_value=0, max_value=MAX_RUNNING, allow_null=True)


class TeamIn(Strict):
    name = NameField()
    title = serializers.CharField(max_length=120)


class Member(serializers.ModelSerializer[Membership]):
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields = ["username", "role", "created_at"]


class RoleIn(Strict):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationOut(serializers.ModelSerializer[Invitation]):
    """A link by which people join a team: never its secret."""

    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = Invitation
        fields = ["id", "role", "prefix", "uses", "used", "created_by", "created_at", "expires_at"]


class NewInvitation(InvitationOut):
    address = serializers.CharField(help_text="The link, shown this once: whoever has it joins the team.")

    class Meta(InvitationOut.Meta):
        fields = [*InvitationOut.Meta.fields, "address"]


class InvitationIn(Strict):
    role = serializers.ChoiceField(choices=[(role.value, role.label) for role in INVITED])
    days = serializers.IntegerField(min_value=1, max_value=MAX_DAYS, default=7)
    uses = serializers.IntegerField(min_value=1, max_value=MAX_USES, default=1)


class TokenOut(serializers.ModelSerializer[Token]):
    """What is known of a token: never its secret."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))

    class Meta:
        model = Token
        fields = ["id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at"]


class NewToken(TokenOut):
    secret = serializers.CharField(help_text="Shown this once. Send it as `Authorization: Bearer <secret>`.")

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]


class TokenIn(Strict):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False)
    days = serializers.IntegerField(min_value=1, max_value=MAX_TOKEN_DAYS, default=90)


class AuditEventOut(serializers.ModelSerializer[AuditEvent]):
    actor = serializers.CharField(source="actor_name")

    class Meta:
        model = AuditEvent
        fields = ["id", "at", "actor", "verb", "target", "before", "after"]
