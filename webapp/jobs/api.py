"""REST of jobs, runs and workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import Team
from webapp.accounts.selectors import teams_where
from webapp.catalog.selectors import suite_versions
from webapp.jobs import modes, planning, quota, selectors, services
from webapp.jobs.models import Job, Run, RunEvent, Worker
from webapp.jobs.offers import offers
from webapp.jobs.serializers import (
    JobDetailOut,
    JobIn,
    JobOut,
    PlanOut,
    RunDetailOut,
    RunEventOut,
    RunOut,
    SchemeOut,
    SpendingOut,
    WorkerOut,
    contenders,
)
from webapp.jobs.services import JobRequest
from webapp.rest import SEARCH, Page, PublicResource, Resource, repeatable, told_apart

STATE = OpenApiParameter("state", str, enum=Run.State.values, description="Only those in this state.")


def wanted_state(request: Request) -> str:
    state = request.query_params.get("state", "")
    if state and state not in Run.State.values:
        raise ValidationError({"state": [f"Use one of {', '.join(Run.State.values)}."]})
    return state


class Jobs(PublicResource, ListAPIView[Job]):
    """Jobs, newest first."""

    serializer_class = JobOut
    queryset = Job.objects.none()

    def get_queryset(self) -> QuerySet[Job]:
        search = self.request.query_params.get("q", "")
        return selectors.jobs(self.request.user, state=wanted_state(self.request), search=search)

    @extend_schema(parameters=[STATE, SEARCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=JobIn,
        parameters=repeatable("job"),
        responses={202: JobOut, 200: OpenApiResponse(PlanOut, "The plan, for `dry_run`.")},
    )
    def post(self, request: Request) -> Response:
        """Submit a job. It is planned at once and evaluated by workers: follow `Location`."""
        values = self.read(JobIn)
        if values.pop("dry_run"):
            return Response(self._plan(values))
        team: Team = values.pop("team")
        job, new = services.submit_job(actor=self.actor, team=team, request=self._request(values))
        mine = Job.objects.select_related("team", "created_by", "suite")
        body = self.shown(JobOut, job if new else selectors.counted(mine).get(pk=job.pk))
        headers = {"Location": body["url"]} | ({} if new else {"Idempotent-Replay": "true"})
        return Response(body, status=202, headers=headers)

    def _plan(self, values: dict[str, Any]) -> Any:
        """Planned in a transaction that is rolled back: a dry run leaves nothing behind."""
        team: Team = values.pop("team")
        with transaction.atomic():
            cells = services.plan_job(actor=self.actor, team=team, request=self._request(values))
            context = {"cells": cells, "spending": quota.spending([team])[0]}
            plan = PlanOut(planning.estimate(cells), context=context).data
            transaction.set_rollback(True)
        return plan

    def _request(self, values: dict[str, Any]) -> JobRequest:
        return JobRequest(
            contenders=contenders(values),
            versions=values.pop("benchmarks") if "benchmarks" in values else suite_versions(values["suite"]),
            **told_apart(self.request),
            **values,
        )


class NamedJob(PublicResource):
    serializer_class = JobDetailOut

    def get_object(self) -> Job:
        return get_object_or_404(selectors.jobs(self.request.user), pk=self.kwargs["pk"])

    def act(self, action: Callable[..., Job]) -> Response:
        action(actor=self.actor, job=self.get_object())
        return Response(self.shown(JobDetailOut, self.get_object()))


class JobDetail(NamedJob, RetrieveAPIView[Job]):
    """A job with its progress."""


class CancelJob(NamedJob):
    @extend_schema(request=None, responses=JobDetailOut)
    def post(self, request: Request, pk: int) -> Response:
        """Stop what only this job needs; finished samples are kept. Safe to call twice."""
        return self.act(services.cancel_job)


class RetryJob(NamedJob):
    @extend_schema(request=None, responses=JobDetailOut)
    def post(self, request: Request, pk: int) -> Response:
        """Queue again only what failed or was cancelled. Safe to call twice."""
        return self.act(services.retry_job)


class JobRuns(PublicResource, ListAPIView[Run]):
    """The runs of a job."""

    serializer_class = RunOut
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        job = get_object_or_404(selectors.jobs(self.request.user), pk=self.kwargs["pk"])
        return selectors.runs(self.request.user).filter(jobs=job)


class Runs(PublicResource, ListAPIView[Run]):
    """Runs, newest first."""

    serializer_class = RunOut
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Run]:
        state = wanted_state(self.request)
        runs = selectors.runs(self.request.user)
        return runs.filter(state=state) if state else runs

    @extend_schema(parameters=[STATE])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class NamedRun(PublicResource):
    def run(self) -> Run:
        return get_object_or_404(selectors.runs(self.request.user), pk=self.kwargs["pk"])


class RunDetail(NamedRun, RetrieveAPIView[Run]):
    """A run with its provenance."""

    serializer_class = RunDetailOut

    def get_object(self) -> Run:
        return self.run()


class OldestFirst(Page):
    ordering = "id"


class RunEvents(NamedRun, ListAPIView[RunEvent]):
    """The diary of a run, oldest entry first."""

    serializer_class = RunEventOut
    queryset = RunEvent.objects.none()
    pagination_class = OldestFirst

    def get_queryset(self) -> QuerySet[RunEvent]:
        return self.run().events.all()


class TeamSpending(Resource):
    """What a team has spent this month, what is expected of runs under way, and its limit."""

    @extend_schema(responses=SpendingOut)
    def get(self, request: Request, name: str) -> Response:
        team = get_object_or_404(teams_where(request.user), name=name)
        return Response(self.shown(SpendingOut, quota.spending([team])[0]))


class Workers(Resource):
    """Worker processes heard of within a day, living ones first."""

    serializer_class = WorkerOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(responses=WorkerOut(many=True))
    def get(self, request: Request) -> Response:
        return Response(WorkerOut(selectors.workers(), many=True, context=_current(request)).data)


def _current(request: Request) -> dict[str, Any]:
    """What workers have in hand, and which of it the caller may see."""
    current = selectors.current_runs()
    mine = selectors.runs(request.user).filter(pk__in=[run.pk for run in current.values()])
    return {"current": current, "visible": set(mine.values_list("pk", flat=True))}


class NamedWorker(Resource):
    """Operators of the platform only."""

    scope = "admin"
    serializer_class = WorkerOut

    def act(self, action: Callable[..., Worker], pk: int) -> Response:
        worker = action(actor=self.actor, worker=get_object_or_404(Worker, pk=pk))
        return Response(WorkerOut(worker, context=_current(self.request)).data)


class PauseWorker(NamedWorker):
    @extend_schema(request=None, responses=WorkerOut)
    def post(self, request: Request, pk: int) -> Response:
        """Take nothing new; the run in hand goes on. It outlives a restart of the worker. Safe to call twice."""
        return self.act(modes.pause, pk)


class DrainWorker(NamedWorker):
    @extend_schema(request=None, responses=WorkerOut)
    def post(self, request: Request, pk: int) -> Response:
        """Finish the run in hand and end. Started again it waits until it is resumed. Safe to call twice."""
        return self.act(modes.drain, pk)


class ResumeWorker(NamedWorker):
    @extend_schema(request=None, responses=WorkerOut)
    def post(self, request: Request, pk: int) -> Response:
        """Take runs again. Safe to call twice."""
        return self.act(modes.resume, pk)


class Schemes(PublicResource):
    """The schemes that an entry can be evaluated with, and why some cannot be run now."""

    serializer_class = SchemeOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(responses=SchemeOut(many=True))
    def get(self, request: Request) -> Response:
        return Response(self.shown(SchemeOut, offers(), many=True))


urlpatterns = [
    path("jobs/", Jobs.as_view(), name="jobs"),
    path("jobs/<int:pk>/", JobDetail.as_view(), name="job"),
    path("jobs/<int:pk>/cancel/", CancelJob.as_view(), name="cancel_job"),
    path("jobs/<int:pk>/retry/", RetryJob.as_view(), name="retry_job"),
    path("jobs/<int:pk>/runs/", JobRuns.as_view(), name="job_runs"),
    path("runs/", Runs.as_view(), name="runs"),
    path("runs/<int:pk>/", RunDetail.as_view(), name="run"),
    path("runs/<int:pk>/events/", RunEvents.as_view(), name="run_events"),
    path("teams/<str:name>/spending/", TeamSpending.as_view(), name="team_spending"),
    path("schemes/", Schemes.as_view(), name="schemes"),
    path("workers/", Workers.as_view(), name="workers"),
    path("workers/<int:pk>/pause/", PauseWorker.as_view(), name="pause_worker"),
    path("workers/<int:pk>/drain/", DrainWorker.as_view(), name="drain_worker"),
    path("workers/<int:pk>/resume/", ResumeWorker.as_view(), name="resume_worker"),
]
