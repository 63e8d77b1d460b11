"""REST of releases: freezing needs the scope `submit`, showing them to more people and withdrawing them `admin`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.errors import PROBLEM
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import leaderboards
from webapp.releases import selectors, services, snapshots
from webapp.releases.models import Release
from webapp.releases.serializers import (
    FrozenOut,
    ReleaseChange,
    ReleaseDetailOut,
    ReleaseIn,
    ReleaseOut,
    WithdrawReleaseIn,
)
from webapp.rest import SEARCH, Problem, PublicResource, Resource, require_scopes

BOARD = OpenApiParameter("leaderboard", str, description="Only releases of this board, as `team/name`.")
ON = OpenApiParameter("on", OpenApiTypes.DATE, description="The end of this day in UTC; left out: now.")

TO_COME = OpenApiResponse(Problem, "A day to come.")


class Releases(PublicResource, ListAPIView[Release]):
    """Releases without their numbers."""

    serializer_class = ReleaseOut
    queryset = Release.objects.none()

    def get_queryset(self) -> QuerySet[Release]:
        query = self.request.query_params
        found = selectors.releases(self.request.user, search=query.get("q", ""))
        return found.filter(leaderboard=self._board(query["leaderboard"])) if query.get("leaderboard") else found

    def _board(self, text: str) -> Leaderboard:
        team, _, name = text.partition("/")
        board = leaderboards(self.request.user).filter(team__name=team, name=name).first()
        if board is None:
            raise ValidationError({"leaderboard": [f"There is no leaderboard {text}. Write team/name."]})
        return board

    @extend_schema(parameters=[SEARCH, BOARD])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=ReleaseIn, responses={201: ReleaseOut})
    def post(self, request: Request) -> Response:
        """Freeze a board under a name, as it is now or as it stood on a day (submitters and owners).

        For more people than see the board: owners only, with the scope `admin`.
        """
        said = self.read(ReleaseIn)
        board = said.pop("leaderboard")
        if services.shows_more(board, said.get("visibility", "")):
            require_scopes(request, ["admin"])
        made = services.freeze(actor=self.actor, board=board, **said)
        body = self.shown(ReleaseOut, made)
        return Response(body, status=201, headers={"Location": body["url"]})


class ReleaseDetail(PublicResource):
    serializer_class: Any = ReleaseDetailOut
    queryset = Release.objects.none()
    scope = "admin"

    def get_object(self) -> Release:
        return get_object_or_404(selectors.releases(self.request.user).defer(None), pk=self.kwargs["pk"])

    @extend_schema(responses=ReleaseDetailOut)
    def get(self, request: Request, pk: int) -> Response:
        """A release with all that is frozen."""
        return Response(self.shown(ReleaseDetailOut, self.get_object()))

    @extend_schema(request=ReleaseChange, responses=ReleaseOut)
    def patch(self, request: Request, pk: int) -> Response:
        """Change who sees it (owners); its numbers never change."""
        said = self.read(ReleaseChange)
        return Response(self.shown(ReleaseOut, services.show_to(actor=self.actor, release=self.get_object(), **said)))


class WithdrawRelease(ReleaseDetail):
    http_method_names = ["post"]

    @extend_schema(request=WithdrawReleaseIn, responses=ReleaseOut)
    def post(self, request: Request, pk: int) -> Response:
        """Say why nobody should rely on it (owners). It stays readable; saying so twice changes nothing."""
        said = self.read(WithdrawReleaseIn)
        return Response(self.shown(ReleaseOut, services.withdraw(actor=self.actor, release=self.get_object(), **said)))


class DayIn(serializers.Serializer[Any]):
    on = serializers.DateField(required=False)


class BoardAsOf(Resource):
    """A board as it stood on a day; for members, for it is computed anew."""

    serializer_class = FrozenOut

    def get_object(self) -> Leaderboard:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        return get_object_or_404(leaderboards(self.request.user), **named)

    @extend_schema(parameters=[ON], responses={200: FrozenOut, (422, PROBLEM): TO_COME})
    def get(self, request: Request, team: str, name: str) -> Response:
        asked = DayIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        moment = services.end_of(asked.validated_data.get("on"))
        frozen = snapshots.looked_at(self.get_object(), moment)
        return Response({"as_of": frozen["as_of"], "sha256": snapshots.sha256(frozen), "frozen": frozen})


urlpatterns = [
    path("releases/", Releases.as_view(), name="releases"),
    path("releases/<int:pk>/", ReleaseDetail.as_view(), name="release"),
    path("releases/<int:pk>/withdraw/", WithdrawRelease.as_view(), name="withdraw_release"),
    path("leaderboards/<str:team>/<str:name>/as-of/", BoardAsOf.as_view(), name="leaderboard_as_of"),
]
