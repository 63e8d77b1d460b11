"""Exports: streamed files, for tokens and for the links on pages alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, register_converter
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import renderers
from rest_framework.request import Request

from webapp.accounts.selectors import audit_events, teams_where
from webapp.errors import DomainError
from webapp.exports import scores, selectors, tables
from webapp.exports.files import FORMATS, Encoding
from webapp.leaderboards.selectors import board as board_of
from webapp.leaderboards.viewing import View
from webapp.rest import PublicResource, Resource
from webapp.streaming import download


class FormatConverter:
    """The last part of an export's address."""

    regex = "|".join(FORMATS)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(FormatConverter, "format")
FORMAT = OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=list(FORMATS), description="The kind of file.")
QUESTIONS = OpenApiParameter(
    "questions",
    str,
    enum=list(scores.QUESTIONS),
    description="Prompts, targets and documents: once per sample (what an import needs), in every row, or nowhere.",
)
SOURCES = [
    OpenApiParameter("runs", str, description="Ids of finished runs, with commas."),
    OpenApiParameter("job", int, description="All finished runs of a job."),
    OpenApiParameter("leaderboard", str, description="`team/name`: the runs behind its cells; a view narrows them."),
    OpenApiParameter("report", int, description="The runs that went into a report."),
]
STREAMED = OpenApiResponse(OpenApiTypes.BINARY, "The file, streamed.")
FILE = {(200, content_type.partition(";")[0]): STREAMED for content_type, _ in FORMATS.values()}


class AnyFile(renderers.JSONRenderer):
    """Problems are JSON whatever was asked for; the files themselves are not rendered by the framework."""

    media_type = "*/*"


class ScoreExport(PublicResource):
    queryset = None
    renderer_classes = [AnyFile]

    @extend_schema(parameters=[FORMAT, *SOURCES, QUESTIONS], responses=FILE)
    def get(self, request: Request, kind: str) -> HttpResponseBase:
        """Raw scores, sample by sample, in the format that imports read: of runs, a job, a board or a report."""
        query = request.query_params
        questions = query.get("questions", "once")
        if questions not in scores.QUESTIONS:
            known = ", ".join(scores.QUESTIONS)
            raise DomainError(f"“{questions[:40]}” is not known.", field="questions", remedy=f"Use one of {known}.")
        runs = selectors.finished(request.user, query)
        return streamed(request, scores.ENCODING, scores.pages(runs, questions), "scores", kind)


class StandingsExport(PublicResource):
    queryset = None
    renderer_classes = [AnyFile]

    @extend_schema(parameters=[FORMAT], responses=FILE)
    def get(self, request: Request, team: str, name: str, kind: str) -> HttpResponseBase:
        """A board as the view in the query shows it, all of its pages: places, values, and each cell unrounded."""
        found = selectors.find_board(request.user, f"{team}/{name}")
        columns, pages = tables.standings(board_of(found, View.of(request.query_params)))
        return streamed(request, tables.encoding(columns), pages, name, kind)


class AuditExport(Resource):
    queryset = None
    renderer_classes = [AnyFile]

    @extend_schema(parameters=[FORMAT], responses=FILE)
    def get(self, request: Request, name: str, kind: str) -> HttpResponseBase:
        """The team's audit log, newest first; for members."""
        team = get_object_or_404(teams_where(request.user), name=name)
        columns, pages = tables.audit(audit_events(team))
        return streamed(request, tables.encoding(columns), pages, f"{name}-audit", kind)


def streamed(
    request: Request, encoding: Encoding[Any], pages: Iterable[Sequence[Any]], name: str, kind: str
) -> StreamingHttpResponse:
    content_type, write = FORMATS[kind]
    pieces, packed = write(encoding, pages), kind == "parquet"
    return download(request._request, pieces, name=f"{name}.{kind}", content_type=content_type, packed=packed)


urlpatterns = [
    path("exports/scores.<format:kind>", ScoreExport.as_view(), name="export_scores"),
    path("leaderboards/<str:team>/<str:name>/standings.<format:kind>", StandingsExport.as_view(), name="export_board"),
    path("teams/<str:name>/audit-events.<format:kind>", AuditExport.as_view(), name="export_audit"),
]
