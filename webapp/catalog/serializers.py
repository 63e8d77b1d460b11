"""How entries, benchmarks and suites look in REST, and how calls name them: `team/name`, or `team/name:version`."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from rest_framework import serializers

from webapp.accounts.selectors import Viewer, teams_where
from webapp.accounts.serializers import NameField, TeamField, VisibilityField
from webapp.catalog import selectors
from webapp.catalog.models import (
    Benchmark,
    BenchmarkVersion,
    CalibrationSet,
    EntryVersion,
    ModelEntry,
    Price,
    Sample,
    Source,
    Suite,
    SuiteItem,
)
from webapp.catalog.sources import SourceRequest
from webapp.prepared import Asked
from webapp.rest import JSONObject, Named, Strict

OWNED = ["team", "name", "title", "description", "visibility", "created_by", "created_at"]


class Reference(Named):
    """`team/name` means the newest version, `team/name:2` the second one. Only what the caller may see."""

    what = ""
    owner = ""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=140, help_text="`team/name`, or `team/name:version`.", **more)

    def versions(self, user: Viewer) -> QuerySet[Any]:
        raise TypeError("a reference says what it refers to")

    def newest(self, user: Viewer, team: str, name: str) -> Asked[Any]:
        raise TypeError("a reference says which version is the newest")

    def ask(self, text: str) -> Asked[Any] | None:
        team, _, name = text.partition("/")
        return None if ":" in text else self.newest(self.context["request"].user, team, name)

    def find(self, text: str, asked: Any) -> Any:
        version = self._numbered(text) if asked is None else asked.first()
        if version is None:
            raise serializers.ValidationError(f"There is no {self.what} {text}. Write team/name or team/name:version.")
        return version

    def _numbered(self, text: str) -> Any:
        path, _, number = text.partition(":")
        if not number.isdecimal() or len(number) >= 9:
            return None
        team, _, name = path.partition("/")
        called = {f"{self.owner}__team__name": team, f"{self.owner}__name": name, "number": int(number)}
        return self.versions(self.context["request"].user).filter(**called).first()


class EntryReference(Reference):
    what = owner = "entry"

    def versions(self, user: Viewer) -> QuerySet[EntryVersion]:
        return selectors.entry_versions(user)

    def newest(self, user: Viewer, team: str, name: str) -> Asked[EntryVersion]:
        return selectors.ask_newest_entry_version(user, team, name)


class BenchmarkReference(Reference):
    what = owner = "benchmark"

    def versions(self, user: Viewer) -> QuerySet[BenchmarkVersion]:
        return selectors.benchmark_versions(user)

    def newest(self, user: Viewer, team: str, name: str) -> Asked[BenchmarkVersion]:
        return selectors.ask_newest_benchmark_version(user, team, name)


class SuiteReference(Named):
    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=130, help_text="`team/name`.", **more)

    def _called(self, text: str) -> tuple[Any, str, str]:
        team, _, name = text.partition("/")
        return self.context["request"].user, team, name

    def ask(self, text: str) -> Asked[SuiteItem]:
        return selectors.ask_suite(*self._called(text))

    def find(self, text: str, asked: Any) -> Suite:
        suite = selectors.suite_named(*self._called(text), asked)
        if suite is None:
            raise serializers.ValidationError(f"There is no suite {text}. Write team/name.")
        return suite


class OwnedIn(Strict):
    """What a call says of anything that a team owns."""

    team = TeamField()
    name = NameField()
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    visibility = VisibilityField(required=False)


class OwnedOut(serializers.ModelSerializer[Any]):
    team = serializers.CharField(source="team.name")
    created_by = serializers.CharField(source="created_by.username")


class EntryVersionOut(serializers.ModelSerializer[EntryVersion]):
    """One immutable state of an entry. Of an endpoint's key only its presence is told."""

    location = serializers.SerializerMethodField(
        help_text="Directory, repository or address; empty for people outside the team, except of a repository."
    )
    tokenizer = serializers.SerializerMethodField(help_text="The tokenizer's directory; empty for people outside.")
    has_key = serializers.SerializerMethodField()

    class Meta:
        model = EntryVersion
        fields = [
            "number", "source", "location", "revision", "endpoint_model", "endpoint_style", "tokenizer", "has_key",
            "fingerprint", "weights_hash", "tokenizer_hash", "chat_template_hash", "architecture", "parameters",
            "size_bytes", "created_at",
        ]  # fmt: skip

    def get_location(self, version: EntryVersion) -> str:
        return version.location if version.source == Source.HUB or self._inside(version) else ""

    def get_tokenizer(self, version: EntryVersion) -> str:
        return version.tokenizer if self._inside(version) else ""

    def get_has_key(self, version: EntryVersion) -> bool:
        return bool(version.sealed_key)

    def _inside(self, version: EntryVersion) -> bool:
        """Folders and addresses of a team's machines are told to its members only."""
        request = self.context["request"]
        mine: set[int] | None = getattr(request, "teams_inside", None)
        if mine is None:
            mine = request.teams_inside = set(teams_where(request.user).values_list("pk", flat=True))
        return version.entry.team_id in mine


class EntryOut(OwnedOut):
    versions = EntryVersionOut(many=True)

    class Meta:
        model = ModelEntry
        fields = [*OWNED, "tags", "released_on", "versions"]


class SourceIn(Strict):
    """Where the weights are."""

    source = serializers.ChoiceField(choices=Source.registered())  # type: ignore[assignment]
    location = serializers.CharField(
        max_length=500, help_text="Absolute directory, `owner/name`, or address up to /v1."
    )
    revision = serializers.CharField(max_length=40, required=False, allow_blank=True)
    endpoint_model = serializers.CharField(max_length=200, required=False, allow_blank=True)
    endpoint_style = serializers.ChoiceField(choices=EntryVersion.Style.choices, required=False)
    tokenizer = serializers.CharField(max_length=500, required=False, allow_blank=True)
    api_key = serializers.CharField(max_length=500, required=False, allow_blank=True, write_only=True)


SOURCE_FIELDS = tuple(SourceRequest.__dataclass_fields__)


def source_request(values: dict[str, Any]) -> SourceRequest:
    """Takes the source's fields out of validated values."""
    return SourceRequest(**{name: values.pop(name) for name in SOURCE_FIELDS if name in values})


class EntryIn(OwnedIn, SourceIn):
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=20)
    released_on = serializers.DateField(required=False, allow_null=True)


class EntryDescriptionIn(Strict):
    """What is said of an entry; its numbers do not depend on it."""

    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    description = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False, max_length=20)
    released_on = serializers.DateField(required=False, allow_null=True)


class PriceOut(serializers.ModelSerializer[Price]):
    """US dollars per million tokens, or per hour of the device. An empty scheme stands for every one."""

    created_by = serializers.CharField(source="created_by.username")
    withdrawn_by = serializers.CharField(source="withdrawn_by.username", allow_null=True, default=None)

    class Meta:
        model = Price
        fields = [
            "id", "scheme", "input_usd", "output_usd", "cached_usd", "hour_usd", "source", "source_url", "valid_from",
            "valid_to", "created_by", "created_at", "withdrawn_at", "withdrawn_by", "withdrawn_reason",
        ]  # fmt: skip


class Dollars(serializers.DecimalField):
    """An amount of US dollars, as a decimal string."""

    def __init__(self, *, max_digits: int = 14, decimal_places: int = 6, **more: Any) -> None:
        super().__init__(max_digits=max_digits, decimal_places=decimal_places, min_value=0, **more)


class PriceIn(Strict):
    """Either input and output (and cached input), or the hour."""

    scheme = serializers.CharField(max_length=40, required=False, allow_blank=True)
    input_usd = Dollars(required=False, allow_null=True)
    output_usd = Dollars(required=False, allow_null=True)
    cached_usd = Dollars(required=False, allow_null=True)
    hour_usd = Dollars(required=False, allow_null=True)
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    source_url = serializers.URLField(max_length=500, required=False, allow_blank=True)
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(required=False, allow_null=True)


class ReasonIn(Strict):
    reason = serializers.CharField(max_length=300)


class ListingIn(Strict):
    """A listing of the price list, by the ids that it has there."""

    provider = serializers.CharField(max_length=80)
    model = serializers.CharField(max_length=200)
    scheme = serializers.CharField(max_length=40, required=False, allow_blank=True)


class DatedPriceOut(serializers.Serializer[Any]):
    """US dollars per million tokens. valid_from: null as far back as the list knows."""

    input_usd = Dollars()
    output_usd = Dollars()
    cached_usd = Dollars(allow_null=True)
    valid_from = serializers.DateField(allow_null=True)
    valid_to = serializers.DateField(allow_null=True)


class ListingOut(serializers.Serializer[Any]):
    """What a provider asks for a model, oldest price first."""

    provider = serializers.CharField()
    provider_title = serializers.CharField()
    model = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    prices = DatedPriceOut(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class ExpertCostIn(Strict):
    """usd: per sample; null takes the figure away."""

    usd = Dollars(max_digits=12, decimal_places=4, allow_null=True)
    source = serializers.CharField(max_length=300, required=False, allow_blank=True)  # type: ignore[assignment]


class BenchmarkVersionOut(serializers.ModelSerializer[BenchmarkVersion]):
    class Meta:
        model = BenchmarkVersion
        fields = [
            "number", "content_hash", "kind", "metric", "higher_is_better", "harness_task", "samples", "chance",
            "created_at",
        ]  # fmt: skip


class BenchmarkVersionDetail(BenchmarkVersionOut):
    class Meta(BenchmarkVersionOut.Meta):
        fields = [*BenchmarkVersionOut.Meta.fields, "definition"]


class BenchmarkOut(OwnedOut):
    """expert_cost_usd: what one sample costs when a human expert answers it; null where nobody has said so."""

    versions = BenchmarkVersionOut(many=True)

    class Meta:
        model = Benchmark
        fields = [*OWNED, "expert_cost_usd", "expert_cost_source", "versions"]


class BenchmarkDetailOut(BenchmarkOut):
    versions = BenchmarkVersionDetail(many=True)


class ContentIn(Strict):
    """What a benchmark asks: a definition with documents (a list, or a file of JSON lines), or a task of lm-eval."""

    definition = JSONObject(required=False, help_text="Kind, prompt template and metric of the benchmark.")
    documents = serializers.ListField(child=serializers.DictField(), required=False)
    file = serializers.FileField(required=False, help_text="JSON lines; only in a multipart body.")
    harness_task = serializers.CharField(max_length=120, required=False)

    def validate_file(self, file: Any) -> Any:
        if file.size > settings.BENCHMARK_UPLOAD_BYTES:
            raise serializers.ValidationError(f"The file has more than {settings.BENCHMARK_UPLOAD_BYTES} bytes.")
        return file


class BenchmarkIn(OwnedIn, ContentIn):
    pass


def content(values: dict[str, Any]) -> dict[str, Any]:
    """Replaces the documents or the file among validated values by lines."""
    documents, file = values.pop("documents", []), values.pop("file", None)
    values["lines"] = file if file is not None else [json.dumps(document).encode() for document in documents]
    return values


class SampleOut(serializers.ModelSerializer[Sample]):
    document = JSONObject(help_text="As it was uploaded.")
    choices = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Sample
        fields = ["index", "prompt", "choices", "target", "subject", "document", "document_hash"]


class SuiteItemOut(serializers.ModelSerializer[SuiteItem]):
    team = serializers.CharField(source="version.benchmark.team.name")
    benchmark = serializers.CharField(source="version.benchmark.name")
    title = serializers.CharField(source="version.benchmark.title")
    version = serializers.IntegerField(source="version.number")
    kind = serializers.CharField(source="version.kind")
    metric = serializers.CharField(source="version.metric")
    samples = serializers.IntegerField(source="version.samples", allow_null=True)

    class Meta:
        model = SuiteItem
        fields = ["position", "team", "benchmark", "title", "version", "kind", "metric", "samples"]


class SuiteOut(OwnedOut):
    benchmarks = SuiteItemOut(source="items", many=True)

    class Meta:
        model = Suite
        fields = [*OWNED, "benchmarks"]


class SuiteIn(OwnedIn):
    benchmarks = serializers.ListField(child=BenchmarkReference(), allow_empty=False, max_length=500)


class CalibrationSetOut(OwnedOut):
    """Texts that some schemes see before they are applied. content_hash: part of what a run with them is."""

    suite = serializers.CharField(source="suite.name", allow_null=True, default=None)

    class Meta:
        model = CalibrationSet
        fields = ["id", "team", "name", "title", "visibility", "created_by", "created_at", "suite", "size",
                  "content_hash"]  # fmt: skip


class CalibrationSetDetailOut(CalibrationSetOut):
    texts = serializers.ListField(child=serializers.CharField())

    class Meta(CalibrationSetOut.Meta):
        fields = [*CalibrationSetOut.Meta.fields, "texts"]


class CalibrationSetIn(Strict):
    team = TeamField()
    name = NameField()
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    visibility = VisibilityField(required=False)
    suite = SuiteReference(required=False)
    texts = serializers.ListField(child=serializers.CharField(trim_whitespace=False), allow_empty=False)
