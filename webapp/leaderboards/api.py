"""REST of boards."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.errors import Unprocessable
from webapp.leaderboards import selectors, services
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import Beside
from webapp.leaderboards.serializers import BoardOut, LeaderboardChange, LeaderboardIn, LeaderboardOut, ReportIn
from webapp.leaderboards.viewing import View
from webapp.rest import SEARCH, PublicResource, require_scopes
from webapp.results.api import Reports
from webapp.results.models import Report
from webapp.results.serializers import ReportDetailOut, ReportOut

VIEW = [
    OpenApiParameter(
        "sort",
        str,
        description="`rank`, `name`, `value` or a benchmark; `-` turns one round; several: `sums,-name`.",
    ),
    OpenApiParameter(
        "q",
        str,
        description="Words, `@field:value`, `@score:>60`, `/regular expression/`; `-` turns one round.",
    ),
    OpenApiParameter("tag", str, description="Only contenders whose entry has this tag."),
    OpenApiParameter("complete", str, enum=["1"], description="Only contenders with a result on every benchmark."),
]
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200], description="Send it back as `If-None-Match`: 304 if equal."
)


class Leaderboards(PublicResource, ListAPIView[Leaderboard]):
    """Boards without their standings."""

    serializer_class = LeaderboardOut
    queryset = Leaderboard.objects.none()

    def get_queryset(self) -> QuerySet[Leaderboard]:
        return selectors.leaderboards(self.request.user, self.request.query_params.get("q", ""))

    @extend_schema(parameters=[SEARCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=LeaderboardIn, responses={201: LeaderboardOut})
    def post(self, request: Request) -> Response:
        """Make a board over a suite."""
        board = services.create_leaderboard(actor=self.actor, **self.read(LeaderboardIn))
        return Response(self.shown(LeaderboardOut, board), status=201)


class BoardResource(PublicResource):
    """Something about one board, named in the address."""

    def get_object(self) -> Leaderboard:
        named = {"team__name": self.kwargs["team"], "name": self.kwargs["name"]}
        return get_object_or_404(selectors.leaderboards(self.request.user), **named)


class LeaderboardDetail(BoardResource):
    serializer_class = BoardOut

    @extend_schema(
        parameters=[*VIEW, ETAG], responses={200: BoardOut, 304: OpenApiResponse(description="You have this version.")}
    )
    def get(self, request: Request, team: str, name: str) -> HttpResponseBase:
        """A board with its standings; cheap to ask for again with `If-None-Match`."""
        board, view = self.get_object(), View.of(request.query_params)
        beside = selectors.beside(board, view)
        tag = _etag(board, view, beside)
        response = get_conditional_response(request, etag=tag)
        if response is None:
            response = Response(self._drawn(board, view, beside))
        response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
        return response

    def _drawn(self, board: Leaderboard, view: View, beside: Beside) -> Any:
        shown = selectors.board(board, view, beside)
        wrong = [term.error for term in shown.terms if term.error]
        if wrong:
            raise Unprocessable(" ".join(wrong), field="q")
        board.shown = shown  # type: ignore[attr-defined]
        benchmarks = [column.name for column in shown.columns]
        return BoardOut(board, context={**self.get_serializer_context(), "benchmarks": benchmarks, "board": shown}).data

    @extend_schema(request=LeaderboardChange, responses=LeaderboardOut)
    def patch(self, request: Request, team: str, name: str) -> Response:
        """Change title, description, order, or who sees the board (owners only)."""
        changes = self.read(LeaderboardChange)
        if "visibility" in changes:
            require_scopes(request, ["admin"])
        board = services.change_leaderboard(actor=self.actor, board=self.get_object(), **changes)
        return Response(self.shown(LeaderboardOut, board))


class BoardReport(BoardResource):
    """What orders a board now: the output of its analysis, with parameters and runs."""

    serializer_class = ReportDetailOut

    @extend_schema(responses=ReportDetailOut)
    def get(self, request: Request, team: str, name: str) -> Response:
        """The live report of a board; 404 until a contender has all its results."""
        found = self.get_object().report
        if found is None:
            raise Http404
        return Response(self.shown(ReportDetailOut, found))


class BoardReports(Reports):
    """Reports without their results."""

    @extend_schema(
        request=ReportIn, responses={202: OpenApiResponse(ReportOut, "Queued; `Location` is where it will be.")}
    )
    def post(self, request: Request) -> Response:
        """Ask for an analysis of a board, a suite, a benchmark or runs (submitters and owners); it is queued."""
        asked = self.read(ReportIn)
        report = self._of_board(asked) if "leaderboard" in asked else self.requested(asked)
        location = request.build_absolute_uri(reverse("api:report", args=[report.pk]))
        return Response(self.shown(ReportOut, report), status=202, headers={"Location": location})

    def _of_board(self, asked: dict[str, Any]) -> Report:
        return services.request_report(
            actor=self.actor,
            board=asked["leaderboard"],
            analysis=asked["analysis"],
            parameters=asked.get("parameters", {}),
            title=asked.get("title", ""),
        )


def _etag(board: Leaderboard, view: View, beside: Beside) -> str:
    """Of all that the answer shows: the standings by their version, the rest by value."""
    shown = (board.pk, board.version, board.title, board.description, board.visibility, board.order, board.parameters)
    newer = (sorted(beside.old.entries), sorted(beside.old.benchmarks), beside.costs and beside.costs.costed)
    return f'"{hashlib.sha256(repr((*shown, board.refreshed_at, newer, view)).encode()).hexdigest()[:32]}"'


urlpatterns = [
    path("leaderboards/", Leaderboards.as_view(), name="leaderboards"),
    path("leaderboards/<str:team>/<str:name>/", LeaderboardDetail.as_view(), name="leaderboard"),
    path("leaderboards/<str:team>/<str:name>/report/", BoardReport.as_view(), name="leaderboard_report"),
    path("reports/", BoardReports.as_view(), name="reports"),
]
