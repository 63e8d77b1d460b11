"""REST of people, teams and tokens."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts import invitations, selectors, services
from webapp.accounts.models import AuditEvent, Invitation, Membership, Team, Token, User
from webapp.accounts.serializers import (
    AuditEventOut,
    InvitationIn,
    InvitationOut,
    Me,
    Member,
    NewInvitation,
    NewToken,
    RoleIn,
    RunningLimitIn,
    SpendingLimitIn,
    TeamIn,
    TeamOut,
    TokenIn,
    TokenOut,
)
from webapp.rest import Resource, require_scopes


class MeResource(Resource):
    """Who the caller is, and in which teams."""

    serializer_class = Me

    def get(self, request: Request) -> Response:
        user = User.objects.prefetch_related("memberships__team").get(pk=self.actor.pk)
        return Response(self.shown(Me, user))


class TeamResource(Resource):
    """What lies below a team that the caller is in."""

    scope = "admin"

    def team(self) -> Team:
        return get_object_or_404(selectors.teams_where(self.request.user), name=self.kwargs["name"])


class Teams(Resource, ListAPIView[Team]):
    """The caller's teams."""

    scope = "admin"
    serializer_class = TeamOut
    queryset = Team.objects.none()

    def get_queryset(self) -> QuerySet[Team]:
        return selectors.teams_where(self.request.user)

    @extend_schema(request=TeamIn, responses={201: TeamOut})
    def post(self, request: Request) -> Response:
        """Make a team; the caller is its owner."""
        team = services.create_team(actor=self.actor, **self.read(TeamIn))
        return Response(self.shown(TeamOut, team), status=201)


class TeamDetail(TeamResource, RetrieveAPIView[Team]):
    serializer_class = TeamOut

    def get_object(self) -> Team:
        return self.team()


class Members(TeamResource, ListAPIView[Membership]):
    """The people of a team."""

    serializer_class = Member
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return selectors.members(self.team())


class MemberDetail(TeamResource):
    """One person's place in a team."""

    @extend_schema(request=RoleIn, responses=Member)
    def put(self, request: Request, name: str, username: str) -> Response:
        """Add a person to the team, or change their role."""
        role = self.read(RoleIn)["role"]
        membership = services.set_member(actor=self.actor, team=self.team(), username=username, role=role)
        return Response(self.shown(Member, membership))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, username: str) -> Response:
        """Take a person out of the team; the last owner stays."""
        team = self.team()
        membership = get_object_or_404(selectors.members(team), user__username=username)
        services.remove_member(actor=self.actor, team=team, user=membership.user)
        return Response(status=204)


class Invitations(TeamResource, ListAPIView[Invitation]):
    """The links of a team that somebody could still use; for owners."""

    serializer_class = InvitationOut
    queryset = Invitation.objects.none()

    def get_queryset(self) -> QuerySet[Invitation]:
        team = self.team()
        selectors.require(self.actor, team, selectors.May.MANAGE)
        return selectors.invitations(team)

    @extend_schema(request=InvitationIn, responses={201: NewInvitation})
    def post(self, request: Request, name: str) -> Response:
        """Make a link that lets people join the team as viewer, reviewer or submitter (owners)."""
        made, secret = invitations.invite(actor=self.actor, team=self.team(), **self.read(InvitationIn))
        made.address = request.build_absolute_uri(reverse("accounts:join", args=[secret]))  # type: ignore[attr-defined]
        return Response(self.shown(NewInvitation, made), status=201)


class InvitationDetail(TeamResource):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, pk: int) -> Response:
        """Revoke a link (owners); who has joined stays."""
        found = get_object_or_404(Invitation, team=self.team(), pk=pk)
        invitations.revoke_invitation(actor=self.actor, invitation=found)
        return Response(status=204)


class SpendingLimit(TeamResource):
    @extend_schema(request=SpendingLimitIn, responses=TeamOut)
    def put(self, request: Request, name: str) -> Response:
        """Limit what the team's jobs may cost in a calendar month; null takes the limit away."""
        team = services.set_spending_limit(actor=self.actor, team=self.team(), **self.read(SpendingLimitIn))
        return Response(self.shown(TeamOut, team))


class RunningLimit(TeamResource):
    @extend_schema(request=RunningLimitIn, responses=TeamOut)
    def put(self, request: Request, name: str) -> Response:
        """Limit how many runs workers may have in hand for a team at once; null takes the limit away. Operators only,
        for any team."""
        team = get_object_or_404(selectors.limitable_teams(request.user), name=name)
        team = services.set_running_limit(actor=self.actor, team=team, **self.read(RunningLimitIn))
        return Response(self.shown(TeamOut, team))


class AuditEvents(TeamResource, ListAPIView[AuditEvent]):
    """Who did what in a team, newest first."""

    serializer_class = AuditEventOut
    queryset = AuditEvent.objects.none()

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return selectors.audit_events(self.team())


class Tokens(Resource, ListAPIView[Token]):
    """The caller's API tokens."""

    scope = "admin"
    serializer_class = TokenOut
    queryset = Token.objects.none()

    def get_queryset(self) -> QuerySet[Token]:
        return selectors.tokens(self.actor)

    @extend_schema(request=TokenIn, responses={201: NewToken})
    def post(self, request: Request) -> Response:
        """Make a token; its secret is in this answer and nowhere else. A token makes none that may more than itself."""
        values = self.read(TokenIn)
        require_scopes(request, values["scopes"])
        token, secret = services.create_token(actor=self.actor, **values)
        token.secret = secret  # type: ignore[attr-defined]
        return Response(self.shown(NewToken, token), status=201, headers={"Cache-Control": "no-store"})


class TokenDetail(Resource):
    scope = "admin"
    serializer_class = TokenOut

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke a token, at once and for ever."""
        token = get_object_or_404(selectors.tokens(self.actor), pk=pk)
        services.revoke_token(actor=self.actor, token=token)
        return Response(status=204)


urlpatterns = [
    path("me/", MeResource.as_view(), name="me"),
    path("teams/", Teams.as_view(), name="teams"),
    path("teams/<str:name>/", TeamDetail.as_view(), name="team"),
    path("teams/<str:name>/members/", Members.as_view(), name="members"),
    path("teams/<str:name>/members/<str:username>/", MemberDetail.as_view(), name="member"),
    path("teams/<str:name>/spending-limit/", SpendingLimit.as_view(), name="spending_limit"),
    path("teams/<str:name>/running-limit/", RunningLimit.as_view(), name="running_limit"),
    path("teams/<str:name>/invitations/", Invitations.as_view(), name="invitations"),
    path("teams/<str:name>/invitations/<int:pk>/", InvitationDetail.as_view(), name="invitation"),
    path("teams/<str:name>/audit-events/", AuditEvents.as_view(), name="audit_events"),
    path("tokens/", Tokens.as_view(), name="tokens"),
    path("tokens/<int:pk>/", TokenDetail.as_view(), name="token"),
]
