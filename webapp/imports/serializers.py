"""How imports look in REST."""

from __future__ import annotations

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from evaluation.importing import FORMATS
from webapp.accounts.serializers import TeamField, VisibilityField
from webapp.imports.models import Import
from webapp.imports.services import AUTO
from webapp.rest import Strict


class ImportIn(Strict):
    """A file of results that will be sent in pieces."""

    team = TeamField()
    name = serializers.CharField(max_length=200, help_text="The file's name; its ending tells the format.")
    size = serializers.IntegerField(min_value=1, max_value=2**62, help_text="Bytes.")
    sha256 = serializers.RegexField(
        r"^[0-9a-f]{64}$", required=False, help_text="Of all bytes. Known bytes are not uploaded twice."
    )
    kind = serializers.ChoiceField(choices=[AUTO, *FORMATS], default=AUTO, help_text="auto: by the file's name.")
    visibility = VisibilityField(required=False)
    preview = serializers.BooleanField(
        default=False, source="look", help_text="Stop when the file has been read; `load` goes on."
    )


class ImportOut(serializers.ModelSerializer[Import]):
    """offset: where the upload goes on. rows_read: how far the worker is. problem: {} unless the file is at fault."""

    url = serializers.SerializerMethodField()
    team = serializers.CharField(source="team.name")
    created_by = serializers.CharField(source="created_by.username")
    offset = serializers.IntegerField(source="received")
    chunk_bytes = serializers.SerializerMethodField(help_text="The most that one call may bring.")
    preview = serializers.BooleanField(source="look")
    step = serializers.CharField(source="progress.step", help_text="reading or loading")
    rows_read = serializers.IntegerField(source="progress.rows")
    summary = serializers.DictField(help_text="What the file holds and makes, once it has been read.")
    problem = serializers.DictField(help_text="file, line, field, message, remedy.")
    runs = serializers.SerializerMethodField(help_text="Ids of its runs, those that were there already too.")

    class Meta:
        model = Import
        fields = [
            "id", "url", "team", "created_by", "created_at", "visibility", "name", "kind", "size", "sha256", "offset",
            "chunk_bytes", "preview", "state", "reason", "step", "rows_read", "rows", "summary", "problem", "runs",
            "finished_at",
        ]  # fmt: skip

    def get_url(self, found: Import) -> str:
        return str(reverse("api:import", args=[found.pk], request=self.context.get("request")))

    def get_chunk_bytes(self, found: Import) -> int:
        return int(settings.IMPORT_CHUNK_BYTES)

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_runs(self, found: Import) -> list[int]:
        return sorted(part.run_id for part in found.parts.all())
