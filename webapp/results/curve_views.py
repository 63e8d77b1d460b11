"""Running means of a job's runs, and of one run: fragments for their pages, which ask by address, and REST."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.jobs.selectors import jobs, runs
from webapp.requests import PageRequest
from webapp.rest import PublicResource
from webapp.results.curve_drawing import plot
from webapp.results.curves import Curves, curves, job_curves


@login_not_required
def job_curves_fragment(request: PageRequest, pk: int) -> HttpResponse:
    found = job_curves(get_object_or_404(jobs(request.user), pk=pk))
    return render(request, "results/_job_curves.html", {"plot": plot(found)})


@login_not_required
def run_curve_fragment(request: PageRequest, pk: int) -> HttpResponse:
    found = Curves(curves([get_object_or_404(runs(request.user), pk=pk)]))
    return render(request, "results/_run_curve.html", {"plot": plot(found)})


class PointOut(serializers.Serializer[Any]):
    """The mean over the first n samples in the order of the benchmark. low, high: 95 % interval, null below two."""

    n = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class CurveOut(serializers.Serializer[Any]):
    """How the score of a run settles. state: of the run; total: samples that it will have."""

    run = serializers.IntegerField()
    contender = serializers.CharField()
    benchmark = serializers.CharField()
    state = serializers.CharField()
    total = serializers.IntegerField(allow_null=True)
    points = PointOut(many=True)


class CurvesOut(serializers.Serializer[Any]):
    """curves: at most eight, of runs at work first. left_out: runs with scores that are not among them."""

    curves = CurveOut(many=True)
    left_out = serializers.IntegerField()


class JobCurves(PublicResource):
    serializer_class = CurvesOut

    @extend_schema(responses=CurvesOut)
    def get(self, request: Request, pk: int) -> Response:
        """Running means of a job's runs, at a few dozen numbers of samples each: the numbers of its page."""
        return Response(asdict(job_curves(get_object_or_404(jobs(request.user), pk=pk))))


class RunCurve(PublicResource):
    serializer_class = CurvesOut

    @extend_schema(responses=CurvesOut)
    def get(self, request: Request, pk: int) -> Response:
        """The running mean of one run; no curve before its first sample."""
        return Response(asdict(Curves(curves([get_object_or_404(runs(request.user), pk=pk)]))))


rest_patterns = [
    path("jobs/<int:pk>/curves/", JobCurves.as_view(), name="job_curves"),
    path("runs/<int:pk>/curve/", RunCurve.as_view(), name="run_curve"),
]
