"""How jobs, runs and workers look in REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from webapp.accounts.serializers import TeamField, VisibilityField
from webapp.catalog.models import Contender
from webapp.catalog.serializers import BenchmarkReference, Dollars, EntryReference, SuiteReference
from webapp.catalog.services import crossed
from webapp.jobs import quota, selectors
from webapp.jobs.estimates import Estimate
from webapp.jobs.models import Job, Run, RunEvent, Worker
from webapp.jobs.queue import queue_position
from webapp.jobs.resources import RESOURCES
from webapp.rest import JSONObject, Strict


class SettingsIn(Strict):
    """What the numbers depend on beside contender and benchmark."""

    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    batch_size = serializers.IntegerField(required=False, min_value=1, max_value=4096)
    limit = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=10_000_000, help_text="Only so many samples: a trial."
    )
    repeat = serializers.IntegerField(
        required=False, min_value=0, max_value=1000, help_text="Another number makes the same run anew."
    )
    attempts = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=64,
        help_text="At each sample of benchmarks that are answered in writing; more than one needs a temperature.",
    )
    temperature = serializers.FloatField(
        required=False, min_value=0, max_value=2, help_text="0 takes the likeliest token each time."
    )
    calibration = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, help_text="Id of a calibration set, for schemes that need one."
    )
    bits = JSONObject(
        required=False, allow_null=True, help_text="Bits per layer, for `evopress_map`: what a searched run offers."
    )


class JobIn(Strict):
    """Entries x schemes on the benchmarks of a suite, or on benchmarks named one by one."""

    team = TeamField()
    entries = serializers.ListField(child=EntryReference(), allow_empty=False, max_length=500)
    schemes = serializers.ListField(child=serializers.CharField(max_length=40), allow_empty=False, max_length=50)
    suite = SuiteReference(required=False)
    benchmarks = serializers.ListField(child=BenchmarkReference(), required=False, allow_empty=False, max_length=500)
    title = serializers.CharField(max_length=160, required=False, allow_blank=True)
    settings = SettingsIn(required=False)
    priority = serializers.IntegerField(
        required=False, min_value=-10, max_value=10, help_text="Of the team's runs, higher goes first."
    )
    visibility = VisibilityField(required=False)
    resource = serializers.ChoiceField(
        choices=RESOURCES, required=False, help_text="What its runs need; without it, computed from their weights."
    )
    max_seconds = serializers.IntegerField(required=False, min_value=1, max_value=7 * 86_400)
    dry_run = serializers.BooleanField(default=False, help_text="Answer with the plan and submit nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("suite" in attrs) == ("benchmarks" in attrs):
            raise serializers.ValidationError({"suite": ["Give either a suite or benchmarks."]})
        return attrs


def contenders(values: dict[str, Any]) -> list[Contender]:
    """Takes entries and schemes out of validated values."""
    return crossed(values.pop("entries"), values.pop("schemes"))


class Spent(Dollars):
    """An amount that was computed: a sample may cost less than a millionth of a dollar."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_digits=20, decimal_places=9, **more)


class ProgressOut(serializers.Serializer[Any]):
    """Samples done of all; null where it is not known."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)


class PlannedRunOut(serializers.Serializer[Any]):
    """A planned run. existing: the id of the identical run that would be reused."""

    contender = serializers.CharField(source="contender.name")
    benchmark = serializers.CharField(source="version.benchmark.name")
    benchmark_version = serializers.IntegerField(source="version.number")
    samples = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True, source="remaining_seconds", help_text="Estimate from history.")
    cost_usd = Spent(allow_null=True, source="remaining_cost_usd", help_text="At today's price. Null: not known.")
    existing = serializers.IntegerField(source="existing.pk", allow_null=True, default=None)


class EstimateOut(serializers.Serializer[Any]):
    """What a job takes beyond what is there; samples, seconds and cost_usd are null where something is not known.

    known_cost_usd leaves out runs of entries that have no price (`unpriced`), and runs of benchmarks that nobody has
    finished yet (`unmeasured` counts them).
    """

    new = serializers.IntegerField()
    samples = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    cost_usd = Spent(allow_null=True, source="whole_cost_usd")
    known_cost_usd = Spent(source="cost_usd")
    unmeasured = serializers.IntegerField()
    unpriced = serializers.ListField(child=serializers.CharField())


class PlanOut(EstimateOut):
    """What a job would do. refusal: why the team's spending limit would stop it, empty when it would not."""

    runs = serializers.SerializerMethodField()
    reused = serializers.IntegerField()
    refusal = serializers.SerializerMethodField()

    @extend_schema_field(PlannedRunOut(many=True))
    def get_runs(self, expected: Estimate) -> Any:
        return PlannedRunOut(self.context["cells"], many=True).data

    def get_refusal(self, expected: Estimate) -> str:
        return str(quota.refuse(self.context["spending"], expected) or "")


class TakenOut(serializers.Serializer[Any]):
    """What a job's own runs have taken by now. uncosted: runs of which no cost is known; they are not in cost_usd."""

    seconds = serializers.FloatField()
    cost_usd = Spent()
    uncosted = serializers.IntegerField()


class SpendingOut(serializers.Serializer[Any]):
    """US dollars of a team this month (UTC). spent: of runs that ended; expected: of runs that wait or run."""

    month = serializers.DateField()
    limit_usd = Spent(source="limit", allow_null=True)
    spent_usd = Spent(source="spent")
    expected_usd = Spent(source="expected")
    uncosted_runs = serializers.IntegerField(source="uncosted", help_text="Neither cost nor estimate is known.")
    resets_on = serializers.DateField()


class JobOut(serializers.ModelSerializer[Job]):
    url = serializers.SerializerMethodField()
    team = serializers.CharField(source="team.name")
    suite = serializers.CharField(source="suite.name", allow_null=True, default=None)
    created_by = serializers.CharField(source="created_by.username")
    settings = serializers.DictField()
    runs_total = serializers.IntegerField()
    runs_done = serializers.IntegerField()
    runs_failed = serializers.IntegerField()
    runs_running = serializers.IntegerField()

    class Meta:
        model = Job
        fields = [
            "id", "url", "team", "title", "suite", "state", "reason", "settings", "priority", "visibility",
            "created_by", "created_at", "finished_at", "runs_total", "runs_done", "runs_failed", "runs_running",
        ]  # fmt: skip

    def get_url(self, job: Job) -> str:
        return reverse("api:job", [job.pk], request=self.context["request"])


class JobDetailOut(JobOut):
    """A job with its progress, and with why its first waiting run waits."""

    progress = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField()
    estimate = serializers.SerializerMethodField()
    taken = serializers.SerializerMethodField()

    class Meta(JobOut.Meta):
        fields = [*JobOut.Meta.fields, "progress", "waiting", "estimate", "taken"]

    @extend_schema_field(ProgressOut)
    def get_progress(self, job: Job) -> dict[str, Any]:
        return ProgressOut(selectors.job_progress(job, self._runs(job))).data

    def get_waiting(self, job: Job) -> str:
        return selectors.waiting_reason(self._runs(job))

    @extend_schema_field(EstimateOut(allow_null=True))
    def get_estimate(self, job: Job) -> dict[str, Any] | None:
        expected = Estimate.from_json(job.estimate)
        return None if expected is None else EstimateOut(expected).data

    @extend_schema_field(TakenOut)
    def get_taken(self, job: Job) -> dict[str, Any]:
        return TakenOut(selectors.taken(self._runs(job))).data

    def _runs(self, job: Job) -> list[Run]:
        """Read once for both fields."""
        runs: list[Run] | None = getattr(job, "planned", None)
        if runs is None:
            runs = job.planned = selectors.job_runs(job)  # type: ignore[attr-defined]
        return runs


class RunOut(serializers.ModelSerializer[Run]):
    """One contender on one benchmark. mean, low and high: the result with its 95 % interval, null until it is done."""

    team = serializers.CharField(source="team.name")
    contender = serializers.CharField(source="contender.name")
    benchmark = serializers.CharField(source="version.benchmark.name")
    benchmark_version = serializers.IntegerField(source="version.number")
    settings = serializers.DictField()
    cost_usd = Spent(allow_null=True, help_text="Null while the cost of an attempt is not known.")
    partial = serializers.BooleanField(  # type: ignore[assignment]
        source="is_partial", help_text="A search chose which samples to ask: kept off boards and comparisons."
    )

    class Meta:
        model = Run
        fields = [
            "id", "team", "contender", "benchmark", "benchmark_version", "settings", "state", "reason", "visibility",
            "resource", "priority", "queued_at", "started_at", "finished_at", "attempt", "worker", "done", "total",
            "mean", "standard_error", "low", "high", "seconds", "tokens_in", "tokens_out", "cost_usd", "partial",
        ]  # fmt: skip


class RunDetailOut(RunOut):
    subset = serializers.ListField(
        child=serializers.IntegerField(), allow_null=True, help_text="The samples of a partial run; null: all."
    )
    unit_prices = serializers.DictField(help_text="What it was costed with, from which source; empty: no price.")
    provenance = serializers.DictField(help_text="Versions, hashes, hardware and the command that made the numbers.")
    queue_position = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()

    class Meta(RunOut.Meta):
        fields = [*RunOut.Meta.fields, "subset", "unit_prices", "provenance", "queue_position", "progress"]

    def get_queue_position(self, run: Run) -> int | None:
        return queue_position(run) if run.state == Run.State.QUEUED else None

    @extend_schema_field(ProgressOut)
    def get_progress(self, run: Run) -> dict[str, Any]:
        return ProgressOut(selectors.run_progress(run)).data


class RunEventOut(serializers.ModelSerializer[RunEvent]):
    class Meta:
        model = RunEvent
        fields = ["at", "attempt", "state", "text"]


class WorkerOut(serializers.ModelSerializer[Worker]):
    """run: what it works on, where the caller may see that run. mode: what operators want of it. memory_*: bytes of the
    device, and of the process (rss). samples_last_hour: scored in `counted_seconds` of that hour."""

    resources = serializers.ListField(child=serializers.CharField(), help_text="Classes of runs that it serves.")
    schemes = serializers.ListField(child=serializers.CharField())
    environment = serializers.DictField(help_text="Versions of what is installed there.")
    busy = serializers.SerializerMethodField()
    run = serializers.SerializerMethodField()

    class Meta:
        model = Worker
        fields = [
            "id",
            "name",
            "host",
            "device",
            "schemes",
            "resources",
            "mode",
            "mode_reason",
            "memory_total",
            "memory_free",
            "memory_rss",
            "samples_last_hour",
            "counted_seconds",
            "environment",
            "started_at",
            "seen_at",
            "stopped_at",
            "busy",
            "run",
        ]

    def get_busy(self, worker: Worker) -> bool:
        return worker.name in self.context["current"]

    def get_run(self, worker: Worker) -> int | None:
        run = self.context["current"].get(worker.name)
        return run.pk if run and run.pk in self.context["visible"] else None


class SchemeOut(serializers.Serializer[Any]):
    """How weights are stored and multiplied, and whether a running worker can do it.

    bits: nominal, per changed weight, scales included; 0: as its author stored it. emulated: the answers are those of
    the format, speed and memory are not. reason: why no running worker offers it; empty when one does, or none runs.
    """

    key = serializers.CharField(source="info.key")
    title = serializers.CharField(source="info.title")
    family = serializers.CharField(source="info.family")
    bits = serializers.FloatField(source="info.bits")
    devices = serializers.ListField(source="info.devices", child=serializers.CharField())
    packages = serializers.ListField(source="info.packages", child=serializers.CharField())
    needs_calibration = serializers.BooleanField(source="info.needs_calibration")
    emulated = serializers.BooleanField(source="info.emulated")
    available = serializers.BooleanField()
    reason = serializers.CharField()
