"""REST of deletions: GET says what one would mean, POST with the name as a confirmation begins it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import logout
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts import door
from webapp.accounts.models import Team
from webapp.accounts.selectors import May, require, teams_where
from webapp.catalog.models import ModelEntry
from webapp.catalog.selectors import entries
from webapp.removals import leaving, selectors, services
from webapp.removals.models import Removal
from webapp.removals.serializers import (
    AccountConfirmIn,
    ConfirmIn,
    HandedOver,
    HandOverIn,
    PreviewOut,
    RemovalOut,
)
from webapp.rest import Resource


class Deletion(Resource):
    scope = "admin"
    serializer_class = PreviewOut

    def begun(self, removal: Removal) -> Response:
        address = reverse("api:removal", args=[removal.pk])
        return Response(self.shown(RemovalOut, removal), status=202, headers={"Location": address})


class EntryDeletion(Deletion):
    """What deleting an entry means, and the deletion itself; for owners of its team."""

    def entry(self) -> ModelEntry:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        found: ModelEntry = get_object_or_404(entries(self.request.user), **named)
        require(self.request.user, found.team, May.MANAGE)
        return found

    def get(self, request: Request, team: str, name: str) -> Response:
        """What would go, what would stay, and what stands in the way."""
        return Response(self.shown(PreviewOut, selectors.of_entry(self.entry())))

    @extend_schema(request=ConfirmIn, responses={202: RemovalOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Delete the entry with all its runs. It is hidden at once, and taken away by a worker."""
        return self.begun(services.remove_entry(actor=self.actor, entry=self.entry(), **self.read(ConfirmIn)))


class OwnedTeam(Resource):
    scope = "admin"

    def team(self) -> Team:
        found = get_object_or_404(teams_where(self.request.user), name=self.kwargs["name"])
        require(self.request.user, found, May.MANAGE)
        return found


class TeamDeletion(Deletion, OwnedTeam):
    """What deleting a team means, and the deletion itself; for its owners."""

    def get(self, request: Request, name: str) -> Response:
        """What would go, what would stay, and what stands in the way."""
        return Response(self.shown(PreviewOut, selectors.of_team(self.team())))

    @extend_schema(request=ConfirmIn, responses={202: RemovalOut})
    def post(self, request: Request, name: str) -> Response:
        """Delete the team with all that it owns. Its people lose it at once, and a worker takes it away."""
        return self.begun(services.remove_team(actor=self.actor, team=self.team(), **self.read(ConfirmIn)))


class HandOver(OwnedTeam):
    serializer_class = HandedOver

    @extend_schema(request=HandOverIn, responses=HandedOver)
    def post(self, request: Request, name: str) -> Response:
        """Give what other teams use of this team to another one that the caller owns, so that it outlives the team."""
        moved = services.hand_over(actor=self.actor, team=self.team(), **self.read(HandOverIn))
        return Response({"handed_over": [one.name for one in moved]})


class AccountDeletion(Deletion):
    """What deleting one's own account means, and the deletion itself: in person, not by a token."""

    def get(self, request: Request) -> Response:
        """What would go, what would stay, and what stands in the way."""
        return Response(self.shown(PreviewOut, leaving.of_account(self.actor)))

    @extend_schema(request=AccountConfirmIn, responses={204: None})
    def post(self, request: Request) -> Response:
        """Make the account nameless and forget what was its own. A token cannot do so: sign in."""
        if request.auth is not None:
            raise PermissionDenied("A token cannot delete an account. Sign in, and delete it on your profile page.")
        stated: dict[str, Any] = self.read(AccountConfirmIn)
        door.knock(request._request, self.actor.username)
        leaving.remove_account(actor=self.actor, **stated)
        logout(request._request)
        return Response(status=204)


class RemovalDetail(Resource, RetrieveAPIView[Removal]):
    """How far a deletion has come."""

    serializer_class = RemovalOut
    queryset = Removal.objects.none()

    def get_queryset(self) -> QuerySet[Removal]:
        return selectors.removals(self.actor)


urlpatterns = [
    path("me/deletion/", AccountDeletion.as_view(), name="account_deletion"),
    path("entries/<str:team>/<str:name>/deletion/", EntryDeletion.as_view(), name="entry_deletion"),
    path("teams/<str:name>/deletion/", TeamDeletion.as_view(), name="team_deletion"),
    path("teams/<str:name>/hand-over/", HandOver.as_view(), name="hand_over"),
    path("removals/<int:pk>/", RemovalDetail.as_view(), name="removal"),
]
