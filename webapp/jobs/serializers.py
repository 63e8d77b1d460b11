"""How jobs, runs and workers look in REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from webapp.accounts.serializers import TeamField, VisibilityField
from webapp.catalog.models import Contender
from webapp.catalog.serializers import BenchmarkReference, EntryReference, SuiteReference
from webapp.catalog.services import contender
from webapp.jobs import selectors
from webapp.jobs.models import Job, Run, RunEvent, Worker
from webapp.jobs.planning import Cell
from webapp.rest import Strict


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


class JobIn(Strict):
    """Entries x schemes on the benchmarks of a suite, or on benchmarks named one by one."""

    team = TeamField()
    entries = serializers.ListField(child=EntryReference(), allow_empty=False, max_length=500)
    schemes = serializers.ListField(child=serializers.CharField(max_length=40), allow_empty=False, max_length=50)
    suite = SuiteReference(required=False)
    benchmarks = serializers.ListField(child=BenchmarkReference(), required=False, allow_empty=False, max_length=500)
    title = serializers.CharField(max_length=160, required=False, allow_blank=True)
    settings = SettingsIn(required=False)
    priority = serializers.IntegerField(required=False, min_value=-10, max_value=10)
    visibility = VisibilityField(required=False)
    max_seconds = serializers.IntegerField(required=False, min_value=1, max_value=7 * 86_400)
    dry_run = serializers.BooleanField(default=False, help_text="Answer with the plan and submit nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("suite" in attrs) == ("benchmarks" in attrs):
            raise serializers.ValidationError({"suite": ["Give either a suite or benchmarks."]})
        return attrs


def contenders(values: dict[str, Any]) -> list[Contender]:
    """Takes entries and schemes out of validated values; an endpoint is one contender whatever the schemes."""
    versions, schemes = values.pop("entries"), values.pop("schemes")
    return list(dict.fromkeys(contender(version=v, scheme=scheme) for v in versions for scheme in schemes))


class ProgressOut(serializers.Serializer[Any]):
    """Samples done of all; null where it is not known."""

    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True)


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

    class Meta(JobOut.Meta):
        fields = [*JobOut.Meta.fields, "progress", "waiting"]

    @extend_schema_field(ProgressOut)
    def get_progress(self, job: Job) -> dict[str, Any]:
        return ProgressOut(selectors.job_progress(job, self._runs(job))).data

    def get_waiting(self, job: Job) -> str:
        return selectors.waiting_reason(self._runs(job))

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

    class Meta:
        model = Run
        fields = [
            "id", "team", "contender", "benchmark", "benchmark_version", "settings", "state", "reason", "visibility",
            "priority", "queued_at", "started_at", "finished_at", "attempt", "worker", "done", "total", "mean",
            "standard_error", "low", "high", "seconds", "tokens_in", "tokens_out",
        ]  # fmt: skip


class RunDetailOut(RunOut):
    provenance = serializers.DictField(help_text="Versions, hashes, hardware and the command that made the numbers.")
    queue_position = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField()

    class Meta(RunOut.Meta):
        fields = [*RunOut.Meta.fields, "provenance", "queue_position", "progress"]

    def get_queue_position(self, run: Run) -> int | None:
        return selectors.queue_position(run) if run.state == Run.State.QUEUED else None

    @extend_schema_field(ProgressOut)
    def get_progress(self, run: Run) -> dict[str, Any]:
        return ProgressOut(selectors.run_progress(run)).data


class RunEventOut(serializers.ModelSerializer[RunEvent]):
    class Meta:
        model = RunEvent
        fields = ["at", "attempt", "state", "text"]


class PlannedRunOut(serializers.Serializer[Any]):
    """A planned run. existing: the id of the identical run that would be reused."""

    contender = serializers.CharField(source="contender.name")
    benchmark = serializers.CharField(source="version.benchmark.name")
    benchmark_version = serializers.IntegerField(source="version.number")
    samples = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True, source="remaining_seconds", help_text="Estimate from history.")
    existing = serializers.IntegerField(source="existing.pk", allow_null=True, default=None)


class PlanOut(serializers.Serializer[Any]):
    """What a job would do. samples and seconds: of what is left to do, null where something is not known."""

    runs = PlannedRunOut(many=True)
    new = serializers.IntegerField()
    reused = serializers.IntegerField()
    samples = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)


def plan_of(cells: list[Cell]) -> dict[str, Any]:
    new = [cell for cell in cells if cell.existing is None]
    return {
        "runs": cells,
        "new": len(new),
        "reused": len(cells) - len(new),
        "samples": _sum([cell.samples for cell in new]),
        "seconds": _sum([cell.remaining_seconds for cell in cells]),
    }


def _sum(values: list[Any]) -> Any:
    return None if None in values else sum(values)


class WorkerOut(serializers.ModelSerializer[Worker]):
    """run: what it works on, where the caller may see that run."""

    schemes = serializers.ListField(child=serializers.CharField())
    environment = serializers.DictField(help_text="Versions of what is installed there.")
    busy = serializers.SerializerMethodField()
    run = serializers.SerializerMethodField()

    class Meta:
        model = Worker
        fields = [
            "name",
            "host",
            "device",
            "schemes",
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
