"""How scored samples and analyses look in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty

from evaluation.features import MAXIMUM_FEATURES, MAXIMUM_NAME, MAXIMUM_ROWS
from webapp.accounts.serializers import TeamField, VisibilityField
from webapp.catalog.serializers import BenchmarkReference, SuiteReference
from webapp.rest import JSONObject, Strict
from webapp.results.models import Report, Score
from webapp.results.uploads import uploads


class ScoreOut(serializers.ModelSerializer[Score]):
    """A scored sample. prompt, choices and target are null where the benchmark is not visible to the caller."""

    log_likelihoods = serializers.ListField(child=serializers.FloatField(), help_text="In nats, one per choice.")
    prompt = serializers.SerializerMethodField()
    choices = serializers.SerializerMethodField()
    target = serializers.SerializerMethodField()

    class Meta:
        model = Score
        fields = [
            "index", "attempt", "score", "answer", "output", "choice", "log_likelihoods", "tokens_in", "tokens_out",
            "tokens_cached", "seconds", "latency", "seconds_to_first", "cost_usd", "prompt", "choices", "target",
        ]  # fmt: skip

    def _question(self, score: Score, name: str) -> Any:
        return getattr(self.context["questions"].get(score.index), name, None)

    def get_prompt(self, score: Score) -> str | None:
        prompt: str | None = self._question(score, "prompt")
        return prompt

    def get_choices(self, score: Score) -> list[str] | None:
        choices: list[str] | None = self._question(score, "choices")
        return choices

    def get_target(self, score: Score) -> str | None:
        target: str | None = self._question(score, "target")
        return target


class ParameterOut(serializers.Serializer[Any]):
    """One parameter of an analysis; bounds are inclusive."""

    name = serializers.CharField()
    kind = serializers.CharField()
    default = serializers.JSONField()
    help = serializers.CharField()
    minimum = serializers.FloatField(allow_null=True)
    maximum = serializers.FloatField(allow_null=True)
    choices = serializers.ListField(child=serializers.CharField())


class AnalysisOut(serializers.Serializer[Any]):
    """A pure function over scores. orders_boards: whether a leaderboard can be ordered by it."""

    key = serializers.CharField()
    title = serializers.CharField()
    version = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]
    needs = serializers.CharField()
    orders_boards = serializers.BooleanField()
    parameters = ParameterOut(many=True)


class AnalysisIn(Strict):
    """An analysis of the newest finished runs on a suite or a benchmark, or of runs that are named."""

    SOURCES: tuple[str, ...] = ("suite", "benchmark", "runs")

    analysis = serializers.CharField(max_length=60, help_text="Its key: see `/analyses/`.")
    parameters = serializers.DictField(required=False, help_text="Of the analysis: see `/analyses/`.")
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    suite = SuiteReference(required=False)
    benchmark = BenchmarkReference(required=False)
    runs = serializers.ListField(
        child=serializers.IntegerField(min_value=1), required=False, min_length=1, max_length=5000,
        help_text="Ids of finished runs of one team. Name the suite or the benchmark instead to take the newest ones.",
    )  # fmt: skip
    team = serializers.CharField(max_length=63, required=False, help_text="Whose runs; else the team of the data.")
    contenders = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, min_length=1, max_length=5000,
        help_text="Only these, by name; else all that have all their results.",
    )  # fmt: skip
    noise = serializers.CharField(
        max_length=200, required=False, help_text="A contender that ran twice: its own flips are the noise floor."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in self.SOURCES if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError(f"Name one of {', '.join(self.SOURCES)}.")
        return attrs


class UploadField(serializers.IntegerField):
    """A kept table, by its id: see `inputs` of the report that it was uploaded for."""

    def run_validation(self, data: Any = empty) -> Any:
        found = uploads(self.context["request"].user).filter(pk=super().run_validation(data)).first()
        if found is None:
            raise serializers.ValidationError("There is no such table.")
        return found


class AuditIn(Strict):
    """A table to audit: a CSV file (in a multipart body), its text, arrays, a kept table, or margins on a benchmark.

    A margin is the best minus the second log-likelihood of a sample's choices: how sure a contender was.
    """

    SOURCES: tuple[str, ...] = ("file", "csv", "features", "upload", "benchmark")
    NEEDS: dict[str, set[str]] = {
        "features": {"team", "names", "labels"}, "upload": set(), "benchmark": {"contenders", "outcome"}
    }  # fmt: skip

    team = TeamField(required=False)
    label = serializers.CharField(max_length=100, required=False, help_text="The column of labels, 0 or 1, in a CSV.")  # type: ignore[assignment]
    file = serializers.FileField(required=False, help_text="CSV with a header; only in a multipart body.")
    csv = serializers.CharField(required=False, trim_whitespace=False, help_text="The same as text.")
    names = serializers.ListField(
        child=serializers.CharField(max_length=MAXIMUM_NAME), required=False, help_text="Of the features, with arrays."
    )
    features = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), max_length=MAXIMUM_FEATURES),
        required=False, min_length=1, max_length=MAXIMUM_ROWS, help_text="A list of numbers per row.",
    )  # fmt: skip
    labels = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=1), required=False, help_text="0 or 1, one per row."
    )
    upload = UploadField(required=False, min_value=1, help_text="The id of a table that was kept; then no team.")
    benchmark = BenchmarkReference(required=False)
    contenders = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, min_length=1, max_length=MAXIMUM_FEATURES,
        help_text="Whose margins on the benchmark are the features, by name.",
    )  # fmt: skip
    outcome = serializers.CharField(max_length=200, required=False, help_text="The label: whether this one is right.")
    name = serializers.CharField(max_length=200, required=False, help_text="What to call a table that is no file.")
    parameters = JSONObject(required=False, help_text="Of the analysis linear-multiplicity: see `/analyses/`.")
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    visibility = VisibilityField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in self.SOURCES if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError(f"Send the table as one of {', '.join(self.SOURCES)}.")
        missing = sorted(self.NEEDS.get(named[0], {"team", "label"}) - set(attrs))
        if missing:
            raise serializers.ValidationError({name: ["This field is required."] for name in missing})
        return attrs


class ReportOut(serializers.ModelSerializer[Report]):
    """A report without its result. inputs: ids of the runs it was computed from, what they stand for, who is left out.

    seconds: how long it took; null for the live report of a board, and until it is done.
    """

    team = serializers.CharField(source="team.name")
    created_by = serializers.CharField(source="created_by.username")
    parameters = serializers.DictField()
    inputs = serializers.DictField()

    class Meta:
        model = Report
        fields = [
            "id", "team", "title", "analysis", "analysis_version", "parameters", "inputs", "state", "reason", "seconds",
            "visibility", "created_by", "created_at", "finished_at",
        ]  # fmt: skip


class ReportDetailOut(ReportOut):
    """result: what the analysis gave, null until it is done. A number that is not there is null, infinity is "inf"."""

    result = serializers.JSONField(allow_null=True)

    class Meta(ReportOut.Meta):
        fields = [*ReportOut.Meta.fields, "result"]
