"""REST of searches."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import Team
from webapp.catalog.selectors import suite_versions
from webapp.jobs import quota
from webapp.jobs.serializers import contenders
from webapp.rest import PublicResource, repeatable, told_apart
from webapp.searches import selectors, services
from webapp.searches.models import Search
from webapp.searches.serializers import SearchDetailOut, SearchIn, SearchOut, SearchPlanOut, StopIn
from webapp.searches.services import SearchRequest


class Searches(PublicResource, ListAPIView[Search]):
    """Searches, newest first."""

    serializer_class = SearchOut
    queryset = Search.objects.none()

    def get_queryset(self) -> QuerySet[Search]:
        return selectors.searches(self.request.user)

    @extend_schema(
        request=SearchIn,
        parameters=repeatable("search"),
        responses={202: SearchOut, 200: OpenApiResponse(SearchPlanOut, "The plan, for `dry_run`.")},
    )
    def post(self, request: Request) -> Response:
        """Start a search. Its batches are decided by the analysis worker: follow `Location`."""
        values = self.read(SearchIn)
        if values.pop("dry_run"):
            return Response(self._plan(values))
        team: Team = values.pop("team")
        with quota.refusals_recorded(actor=self.actor, team=team), transaction.atomic():
            search, new = services.submit_search(actor=self.actor, team=team, request=self._request(values))
        body = self.shown(SearchOut, selectors.searches(request.user).get(pk=search.pk))
        headers = {"Location": body["url"]} | ({} if new else {"Idempotent-Replay": "true"})
        return Response(body, status=202, headers=headers)

    def _plan(self, values: dict[str, Any]) -> Any:
        """Planned in a transaction that is rolled back: a dry run leaves nothing behind."""
        team: Team = values.pop("team")
        with transaction.atomic():
            plan = services.plan_search(actor=self.actor, team=team, request=self._request(values))
            shown = self.shown(SearchPlanOut, plan)
            transaction.set_rollback(True)
        return shown

    def _request(self, values: dict[str, Any]) -> SearchRequest:
        return SearchRequest(
            contenders=contenders(values),
            versions=values.pop("benchmarks") if "benchmarks" in values else suite_versions(values["suite"]),
            **told_apart(self.request),
            **values,
        )


class NamedSearch(PublicResource):
    serializer_class = SearchDetailOut

    def get_object(self) -> Search:
        return get_object_or_404(selectors.searches(self.request.user), pk=self.kwargs["pk"])


class SearchDetail(NamedSearch, RetrieveAPIView[Search]):
    """A search with what is known by now."""


class StopSearch(NamedSearch):
    @extend_schema(request=StopIn, responses=SearchDetailOut)
    def post(self, request: Request, pk: int) -> Response:
        """Decide on no more batches; what was found is kept. Safe to call twice."""
        services.stop_search(actor=self.actor, search=self.get_object(), **self.read(StopIn))
        return Response(self.shown(SearchDetailOut, self.get_object()))


urlpatterns = [
    path("searches/", Searches.as_view(), name="searches"),
    path("searches/<int:pk>/", SearchDetail.as_view(), name="search"),
    path("searches/<int:pk>/stop/", StopSearch.as_view(), name="stop_search"),
]
