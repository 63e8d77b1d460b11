"""A request and its life: jobs, runs (leased, fenced), events, workers."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Owned, Team, User, Visibility
from webapp.catalog.models import BenchmarkVersion, Contender, Suite


def default_settings() -> dict[str, Any]:
    return {"seed": 1234, "batch_size": 64, "limit": None, "repeat": 0, "attempts": 1, "temperature": 0.0}


class Run(models.Model):
    """One contender on one benchmark version.

    A run is *leased*: a worker claims it, keeps it by heartbeats, and fences every write with `attempt`, which grows
    with each claim. `last_attempt` is the attempt after which a lost run is given up. A finished run with the same
    `identity` is reused by later jobs; the partial unique constraint makes that a fact, not a hope.

    An imported run was measured elsewhere: no worker ever had it, it is done from its first moment, and its identity
    is never that of a run made here.
    """

    class Origin(models.TextChoices):
        HERE = "here", "Run here"
        IMPORTED = "imported", "Imported, not run here"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.TEAM)
    contender = models.ForeignKey(Contender, on_delete=models.CASCADE, related_name="runs")
    version = models.ForeignKey(BenchmarkVersion, on_delete=models.CASCADE, related_name="runs")
    settings = models.JSONField(default=default_settings)
    identity = models.CharField(max_length=64)
    # Of the request that queued it, for the lines that its worker logs (logs.py); "": no request did.
    request_id = models.CharField(max_length=64, blank=True, default="", db_default="")
    # The samples that a partial run asks, in their order; None: the whole benchmark (or its start, with a limit).
    subset = ArrayField(models.PositiveIntegerField(), null=True, blank=True)
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.HERE)
    # What it needs of a worker, beside each other in the index of the queue: the contender's scheme, which the database
    # copies (migration 0006), and a class of resources (resources.py).
    scheme = models.CharField(max_length=40, blank=True)
    resource = models.CharField(max_length=12, default="cpu")
    priority = models.SmallIntegerField(default=0)
    max_seconds = models.PositiveIntegerField()

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.TextField(default="Waiting for a worker.")
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    cancel_requested = models.BooleanField(default=False)

    attempt = models.PositiveSmallIntegerField(default=0)
    last_attempt = models.PositiveSmallIntegerField(default=3)
    worker = models.CharField(max_length=200, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    total = models.PositiveIntegerField(null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    score_sum = models.FloatField(default=0.0)
    done_before = models.PositiveIntegerField(default=0)  # samples that earlier attempts had finished
    mean = models.FloatField(null=True, blank=True)
    standard_error = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)  # 95 % interval of the mean
    high = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    tokens_in = models.BigIntegerField(null=True, blank=True)
    tokens_out = models.BigIntegerField(null=True, blank=True)
    # `UnitPrices.to_json`, fixed when a worker first claims the run; {}: nobody had priced its entry then.
    unit_prices = models.JSONField(default=dict, blank=True)
    # The sum over its attempts at samples; None while the cost of one of them is unknown, for unknown is not free.
    cost_usd = models.FloatField(null=True, blank=True)
    estimated_usd = models.FloatField(null=True, blank=True)  # when it was planned; None: unknown
    provenance = models.JSONField(default=dict, blank=True)
    # Attempt -> versions of what computed it: a run that another version goes on with says so.
    software = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["identity"], condition=Q(state__in=["queued", "running", "done"]), name="run_identity_once"
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(leased_until__isnull=False), name="running_has_a_lease"
            ),
            models.CheckConstraint(condition=~Q(state="done") | Q(mean__isnull=False), name="done_has_a_mean"),
            models.CheckConstraint(
                condition=Q(origin="here") | Q(origin="imported", state="done", attempt=0), name="imported_run_is_done"
            ),
        ]
        indexes = [
            models.Index(
                fields=["team", "scheme", "resource", "-priority", "queued_at", "id"],
                condition=Q(state="queued"),
                name="run_queue",
            ),
            models.Index(fields=["team", "-started_at"], condition=Q(started_at__isnull=False), name="run_served"),
            models.Index(fields=["leased_until"], condition=Q(state="running"), name="run_leases"),
            models.Index(fields=["team", "version", "contender"], name="run_by_cell"),
            models.Index(fields=["team"], condition=Q(state__in=["queued", "running"]), name="run_under_way"),
            models.Index(fields=["team", "finished_at"], condition=Q(finished_at__isnull=False), name="run_ended"),
            models.Index(fields=["version", "-id"], condition=Q(state="done"), name="run_history"),
            models.Index(fields=["-id"], condition=Q(visibility="public"), name="run_public"),
            models.Index(fields=["worker"], condition=Q(state="done"), name="run_done_by"),
            # The newest run of each contender on a benchmark, with all that says who may see it.
            models.Index(
                fields=["version", "contender", "-id"],
                include=["team", "visibility", "created_by"],
                condition=Q(state="done", subset=None),
                name="run_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contender} on {self.version}"

    @property
    def is_partial(self) -> bool:
        return self.subset is not None


class Job(Owned):
    """A team's request: contenders x benchmarks of a suite."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    title = models.CharField(max_length=160)
    suite = models.ForeignKey(Suite, null=True, blank=True, on_delete=models.SET_NULL, related_name="jobs")
    settings = models.JSONField(default=default_settings)
    priority = models.SmallIntegerField(default=0)
    runs = models.ManyToManyField(Run, through="JobRun", related_name="jobs")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.TextField(default="Waiting for a worker.")
    finished_at = models.DateTimeField(null=True, blank=True)
    # More runs may join it: while it grows it is not over when all its runs are.
    grows = models.BooleanField(default=False)
    # What was expected of it when it was submitted: `estimates.Estimate.to_json`; {} for jobs older than estimates.
    estimate = models.JSONField(default=dict, blank=True)
    # What pages compare to know whether they show the latest state.
    changes = models.PositiveIntegerField(default=0)
    idempotency_key = models.CharField(max_length=100, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)
    # Of the request that submitted it; the runs that are made for it carry it on.
    request_id = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"], condition=~Q(idempotency_key=""), name="job_idempotency"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-id"], name="job_by_team"),
            models.Index(fields=["state", "-id"], name="job_by_state"),
        ]

    def __str__(self) -> str:
        return self.title


class JobRun(models.Model):
    """A run that a job asked for; reused: it was there already, finished or on its way."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="parts")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="parts")
    reused = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "run"], name="job_run_once")]

    def __str__(self) -> str:
        return f"{self.job}: {self.run}"


class RunEvent(models.Model):
    """The diary of a run: each change of state with its reason, who, and when."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10)
    text = models.TextField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["at"], name="run_event_at")]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.text}"


class Ending(models.Model):
    """An attempt at a run that has ended and is in no total yet (endings.py): how it ended, and after how long.

    The database writes it in the transaction that ends the run (migration 0007); of a lost attempt the sweep does.
    """

    class Kind(models.TextChoices):
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        LOST = "lost", "Its worker went silent"

    kind = models.CharField(max_length=10, choices=Kind)
    microseconds = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.kind} after {self.microseconds} µs"


class EndingTotal(models.Model):
    """How many attempts ended in a way within `edge` seconds, and not within the edge before; infinity: later.

    microseconds: of them all, a whole number, so that sums are exact and never shrink when more is added.
    """

    kind = models.CharField(max_length=10, choices=Ending.Kind)
    edge = models.FloatField()
    count = models.BigIntegerField()
    microseconds = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "edge"], name="ending_total_once")]

    def __str__(self) -> str:
        return f"{self.count} {self.kind} within {self.edge} s"


class SpendingTotal(models.Model):
    """What a team spent in a month (its first day, UTC) on runs that are deleted since (quota.py).

    uncosted: such runs of which nobody knew what they cost.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    usd = models.FloatField()
    uncosted = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "month"], name="spending_total_once")]

    def __str__(self) -> str:
        return f"${self.usd:.2f} in {self.month:%B %Y}"


class Worker(models.Model):
    """A worker process that has been heard of, and what people want of it.

    schemes: what it can load; resources: the classes that it serves. memory_*: bytes of its device, and of the process
    (rss). samples_last_hour: scored by it, in `counted_seconds` of that hour.
    """

    class Mode(models.TextChoices):
        WORKING = "working", "Takes runs"
        PAUSED = "paused", "Paused"
        DRAINING = "draining", "Draining"

    name = models.CharField(max_length=200, unique=True)
    host = models.CharField(max_length=120)
    device = models.CharField(max_length=120)
    schemes = ArrayField(models.CharField(max_length=40), default=list)
    resources = ArrayField(models.CharField(max_length=12), default=list)
    environment = models.JSONField(default=dict)
    # It outlives the process: a paused worker that starts again is still paused.
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.WORKING)
    mode_reason = models.CharField(max_length=300, blank=True)
    memory_total = models.BigIntegerField(null=True, blank=True)
    memory_free = models.BigIntegerField(null=True, blank=True)
    memory_rss = models.BigIntegerField(null=True, blank=True)
    samples_last_hour = models.PositiveIntegerField(default=0)
    counted_seconds = models.FloatField(default=0.0)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(mode__in=["working", "paused", "draining"]), name="worker_mode"),
        ]

    def __str__(self) -> str:
        return self.name
