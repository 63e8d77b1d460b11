"""REST of saved views: what of a board somebody keeps under a name."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.leaderboards import saved_views, selectors
from webapp.leaderboards.api import BoardResource
from webapp.leaderboards.models import SavedView
from webapp.rest import Strict


class SavedViewOut(serializers.ModelSerializer[SavedView]):
    """query: what follows the `?` of the board's address, on its page and in REST."""

    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = SavedView
        fields = ["id", "name", "query", "shared", "created_by", "created_at"]


class SavedViewIn(Strict):
    """The same name again replaces one's view."""

    name = serializers.CharField(max_length=60)
    query = serializers.CharField(max_length=8000, allow_blank=True, default="")
    shared = serializers.BooleanField(default=False, help_text="With the members of the board's team.")


class Views(BoardResource):
    """What a person sees of the views of a board."""

    serializer_class = SavedViewOut
    pagination_class = None  # type: ignore[assignment]

    def views(self) -> QuerySet[SavedView]:
        return selectors.saved_views(self.get_object(), self.request.user)


class SavedViews(Views):
    @extend_schema(responses=SavedViewOut(many=True))
    def get(self, request: Request, team: str, name: str) -> Response:
        """Your own views of a board, and those that members shared with its team; none without a sign-in."""
        return Response(self.shown(SavedViewOut, self.views(), many=True))

    @extend_schema(request=SavedViewIn, responses={201: SavedViewOut})
    def post(self, request: Request, team: str, name: str) -> Response:
        """Keep a view under a name; what is unknown or usual in its query is left out."""
        saved = saved_views.save_view(actor=self.actor, board=self.get_object(), **self.read(SavedViewIn))
        return Response(self.shown(SavedViewOut, saved), status=201)


class SavedViewDetail(Views):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, team: str, name: str, pk: int) -> Response:
        """One's own; a shared one also by owners of the team."""
        saved_views.delete_view(actor=self.actor, view=get_object_or_404(self.views(), pk=pk))
        return Response(status=204)


urlpatterns = [
    path("leaderboards/<str:team>/<str:name>/views/", SavedViews.as_view(), name="saved_views"),
    path("leaderboards/<str:team>/<str:name>/views/<int:pk>/", SavedViewDetail.as_view(), name="saved_view"),
]
