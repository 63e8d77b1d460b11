"""REST of scored samples, of the analyses that read them, and of reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Analysis, described
from webapp.jobs.selectors import jobs, runs
from webapp.jobs.serializers import RunOut
from webapp.rest import SEARCH, Page, PublicResource
from webapp.results import candidates, selectors
from webapp.results.costing import price_runs
from webapp.results.models import Report, Score
from webapp.results.reports import request_analysis
from webapp.results.serializers import AnalysisOut, ReportDetailOut, ReportOut, ScoreOut

RUN = OpenApiParameter("pk", int, OpenApiParameter.PATH, description="The run's id.")
OUTCOME = OpenApiParameter("outcome", str, enum=list(selectors.OUTCOMES), description="Only right or wrong answers.")


class ByIndex(Page):
    ordering = ("index", "attempt")


class RunSamples(PublicResource, ListAPIView[Score]):
    """The scored samples of a run, in order, beside their questions."""

    serializer_class = ScoreOut
    queryset = Score.objects.none()
    pagination_class = ByIndex

    @extend_schema(parameters=[RUN, OUTCOME, SEARCH])
    def get(self, request: Request, pk: int) -> Response:
        run = get_object_or_404(runs(request.user), pk=pk)
        query = request.query_params
        outcome = query.get("outcome", "all")
        if outcome not in selectors.OUTCOMES:
            raise ValidationError({"outcome": [f"Use one of {', '.join(selectors.OUTCOMES)}."]})
        scores = selectors.scores(run, request.user, outcome=outcome, search=query.get("q", ""))
        page = self.paginate_queryset(scores) or []
        questions = selectors.questions(run, request.user, [score.index for score in page])
        shown = ScoreOut(page, many=True, context={"questions": questions})
        return self.get_paginated_response(shown.data)


class PriceJob(PublicResource):
    serializer_class = RunOut
    pagination_class = None  # type: ignore[assignment]
    scope = "admin"

    @extend_schema(request=None, responses=RunOut(many=True))
    def post(self, request: Request, pk: int) -> Response:
        """Cost a job's finished runs that had no price, at the price that held when they ran; safe to call twice.

        For owners. Answers with the runs that have a cost now. A run that has its price keeps it.
        """
        job = get_object_or_404(jobs(request.user), pk=pk)
        priced = price_runs(actor=self.actor, team=job.team, runs=job.runs.filter(team=job.team))
        shown = runs(request.user).filter(pk__in=[run.pk for run in priced]).order_by("pk")
        return Response(self.shown(RunOut, shown, many=True))


class Analyses(PublicResource):
    """The analyses that are registered, with their parameters and sources."""

    serializer_class = AnalysisOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(responses=AnalysisOut(many=True))
    def get(self, request: Request) -> Response:
        rows = [_described(key, analysis) for key, analysis in ANALYSES.items()]
        return Response(self.shown(AnalysisOut, rows, many=True))


def _described(key: str, analysis: Analysis[Any, Any, Any]) -> dict[str, Any]:
    names = ("title", "version", "source", "needs")
    about = {name: getattr(analysis, name) for name in names}
    ordering = analysis.ranking is not None and analysis.needs == "means"
    return {"key": key, **about, "orders_boards": ordering, "parameters": described(analysis.Params)}


class Reports(PublicResource, ListAPIView[Report]):
    """Reports without their results. Boards, which stand right of here, add how to ask for one of a board."""

    serializer_class = ReportOut
    queryset = Report.objects.none()

    def get_queryset(self) -> QuerySet[Report]:
        return selectors.reports(self.request.user, self.request.query_params.get("q", ""))

    @extend_schema(parameters=[SEARCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def requested(self, asked: Mapping[str, Any]) -> Report:
        """The report that a call asks for of a suite, a benchmark or runs."""
        runs = ",".join(map(str, asked.get("runs", ())))
        pks = {key: str(asked[key].pk) for key in ("suite", "benchmark") if key in asked}
        data = candidates.find(self.actor, {**pks, "runs": runs, "team": asked.get("team", "")})
        assert data is not None  # noqa: S101 - the serializer has seen to it
        found = candidates.candidates(self.actor, data)
        named = asked.get("contenders")
        return request_analysis(
            actor=self.actor,
            found=found,
            analysis=asked["analysis"],
            parameters=asked.get("parameters", {}),
            contenders=None if named is None else [found.named(name, "contenders") for name in named],
            title=asked.get("title", ""),
            noise=found.named(asked["noise"], "noise") if "noise" in asked else None,
        )


class ReportDetail(PublicResource):
    """A report with its result."""

    serializer_class = ReportDetailOut
    queryset = Report.objects.none()

    @extend_schema(responses=ReportDetailOut)
    def get(self, request: Request, pk: int) -> Response:
        found = get_object_or_404(selectors.reports(request.user), pk=pk)
        return Response(self.shown(ReportDetailOut, found))


urlpatterns = [
    path("jobs/<int:pk>/price/", PriceJob.as_view(), name="price_job"),
    path("runs/<int:pk>/samples/", RunSamples.as_view(), name="run_samples"),
    path("reports/<int:pk>/", ReportDetail.as_view(), name="report"),
    path("analyses/", Analyses.as_view(), name="analyses"),
]
