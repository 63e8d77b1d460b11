"""REST of measured efficiency."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.catalog.selectors import contender_called
from webapp.catalog.serializers import EntryReference
from webapp.catalog.services import contender
from webapp.rest import PublicResource, Strict
from webapp.results import measurements
from webapp.results.models import Measurement

CONTENDER = OpenApiParameter("contender", str, description="Only those of contenders of this name, such as small@int8.")


class MeasurementIn(Strict):
    """A contender: an entry under a scheme. An endpoint is measured as it is served, whatever the scheme."""

    entry = EntryReference()
    scheme = serializers.CharField(
        max_length=50, default="fp32", help_text="With a variant as in `evopress_map.1a2b3c4d` where it has several."
    )


class MeasurementOut(serializers.ModelSerializer[Measurement]):
    """How fast and heavy a contender is. Compare only within one device and one protocol.

    result is null until it is measured; what it holds as null was not measured. Rates are tokens per second, times are
    seconds, joules are those of a thousand tokens written.
    """

    team = serializers.CharField(source="contender.version.entry.team.name")
    contender = serializers.CharField(source="contender.name")
    result = serializers.JSONField(allow_null=True)

    class Meta:
        model = Measurement
        fields = [
            "id", "team", "contender", "state", "reason", "device", "protocol", "result", "worker", "asked_at",
            "measured_at",
        ]  # fmt: skip


class Measurements(PublicResource, ListAPIView[Measurement]):
    """Measurements by the fixed protocol, newest first."""

    serializer_class = MeasurementOut
    queryset = Measurement.objects.none()

    def get_queryset(self) -> QuerySet[Measurement]:
        rows = measurements.measurements(self.request.user)
        name = self.request.query_params.get("contender", "")
        return rows.filter(contender__name=name) if name else rows

    @extend_schema(parameters=[CONTENDER])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=MeasurementIn, responses={202: MeasurementOut})
    def post(self, request: Request) -> Response:
        """Ask a worker to measure a contender between two runs; one that waits already is the same request."""
        values = self.read(MeasurementIn)
        with transaction.atomic():
            called = contender_called(values["entry"], values["scheme"])
            chosen = called or contender(version=values["entry"], scheme=values["scheme"])
            made = measurements.request_measurement(actor=self.actor, contender=chosen)
        shown = measurements.measurements(request.user).get(pk=made.pk)
        return Response(self.shown(MeasurementOut, shown), status=202)


class MeasurementDetail(PublicResource):
    """One measurement, to follow a request."""

    serializer_class = MeasurementOut
    queryset = Measurement.objects.none()

    @extend_schema(responses=MeasurementOut)
    def get(self, request: Request, pk: int) -> Response:
        found = get_object_or_404(measurements.measurements(request.user), pk=pk)
        return Response(self.shown(MeasurementOut, found))


urlpatterns = [
    path("measurements/", Measurements.as_view(), name="measurements"),
    path("measurements/<int:pk>/", MeasurementDetail.as_view(), name="measurement"),
]
