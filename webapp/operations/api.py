"""REST of operations: the disk. For operators of the platform only."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.selectors import require_operator
from webapp.operations.disk import disk
from webapp.rest import Resource


class GrowthOut(serializers.Serializer[Any]):
    bytes = serializers.IntegerField(help_text="More than then; negative: less.")
    since = serializers.DateTimeField()


class KindOut(serializers.Serializer[Any]):
    """A kind of things in the database. rows: an estimate; null: not counted. week, month: bytes more than then."""

    key = serializers.CharField()
    title = serializers.CharField()
    bytes = serializers.IntegerField()
    rows = serializers.IntegerField(allow_null=True)
    week = serializers.IntegerField(allow_null=True)
    month = serializers.IntegerField(allow_null=True)


class TeamSizeOut(serializers.Serializer[Any]):
    """An estimate: tables are divided by how many scores, runs, questions and reports each team has."""

    team = serializers.CharField(source="name", help_text="Empty: all further teams together.")
    bytes = serializers.IntegerField()
    scores = serializers.IntegerField()


class VolumeOut(serializers.Serializer[Any]):
    what = serializers.CharField(help_text="What of the platform lies on this disk.")
    total = serializers.IntegerField()
    free = serializers.IntegerField()


class FolderOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    bytes = serializers.IntegerField()
    more = serializers.BooleanField(help_text="There are more files than were looked at.")


class KeptOut(serializers.Serializer[Any]):
    """What is thrown away. days: for how long it is kept; null: for ever. due, coming: rows or files now, and within
    a week; more: neither is counted to its end."""

    key = serializers.CharField(source="rule.key")
    title = serializers.CharField(source="rule.title")
    variable = serializers.CharField(source="rule.variable", help_text="The setting; empty: it has none.")
    days = serializers.IntegerField(allow_null=True)
    due = serializers.IntegerField(source="outlook.due")
    coming = serializers.IntegerField(source="outlook.coming")
    more = serializers.BooleanField(source="outlook.more")


class DiskOut(serializers.Serializer[Any]):
    """Bytes. measured_at: when the teams' parts were estimated; null: not yet."""

    at = serializers.DateTimeField()
    database = serializers.IntegerField(source="total")
    week = GrowthOut(allow_null=True)
    month = GrowthOut(allow_null=True)
    kinds = KindOut(many=True)
    measured_at = serializers.DateTimeField(allow_null=True)
    teams = TeamSizeOut(many=True)
    other_teams = TeamSizeOut(allow_null=True)
    volumes = VolumeOut(many=True)
    folders = FolderOut(many=True)
    retention = KeptOut(source="kept", many=True)


class DiskUsage(Resource):
    """How much the platform takes on the disk, and what it will throw away. For operators."""

    serializer_class = DiskOut
    pagination_class = None  # type: ignore[assignment]

    @extend_schema(responses=DiskOut)
    def get(self, request: Request) -> Response:
        require_operator(self.actor)
        return Response(self.shown(DiskOut, disk()))


urlpatterns = [path("disk-usage/", DiskUsage.as_view(), name="disk_usage")]
