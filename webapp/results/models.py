"""What came back: scores sample by sample, the same scores packed for analyses, reports, and measured speeds."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from webapp.accounts.models import Owned, User
from webapp.catalog.models import Contender
from webapp.jobs.models import Run


class Score(models.Model):
    """What is stored of an attempt. The primary key itself says that no attempt is scored twice.

    Counts, times and the cost are as measured by `evaluation.records.Attempt`; None: not known, which is never 0.
    """

    pk = models.CompositePrimaryKey("run_id", "index", "attempt")
    # The primary key begins with it: an index of its own would cost every insert, and find nothing sooner.
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="scores", db_index=False)
    index = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=0)
    score = models.FloatField()
    answer = models.TextField()
    output = models.TextField()
    choice = models.SmallIntegerField(null=True)
    log_likelihoods = ArrayField(models.FloatField(), default=list)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    tokens_cached = models.PositiveIntegerField(null=True)  # of tokens_in, those that the server had already read
    seconds = models.FloatField(null=True)  # of the device's or the server's time, shared with what ran beside it
    latency = models.FloatField(null=True)
    seconds_to_first = models.FloatField(null=True)
    cost_usd = models.FloatField(null=True)  # at the run's unit prices

    class Meta:
        constraints = [
            # PostgreSQL holds NaN equal to NaN and above all numbers, so this refuses NaN and both infinities.
            models.CheckConstraint(condition=models.Q(score__gt=-1e308, score__lt=1e308), name="score_is_finite")
        ]

    def __str__(self) -> str:
        return f"sample {self.index}: {self.score}"


class PackedScores(models.Model):
    """The scores of a finished run in one array, so that a table of contenders x samples loads in one pass.

    values: (sample, attempt), row by row and little-endian; dtype "u1" holds 0/1 scores (255 = hole), "f8" any others
    (NaN = hole).
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="packed")
    dtype = models.CharField(max_length=2)
    attempts = models.PositiveSmallIntegerField(default=1)
    values = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["run"], condition=~models.Q(dtype="u1"), name="packed_graded")]

    def __str__(self) -> str:
        return f"scores of {self.run}"


class FeatureUpload(Owned):
    """A table of features that somebody uploaded for an audit; it never changes.

    names: of the features; label: of the column of labels. values: (row, feature + 1) little-endian float64, row by
    row, the label last.
    """

    name = models.CharField(max_length=200)
    label = models.CharField(max_length=100)
    names = models.JSONField()
    rows = models.PositiveIntegerField()
    values = models.BinaryField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(rows__gt=0, rows__lte=20_000), name="features_are_bounded")
        ]

    def __str__(self) -> str:
        return self.name


class Report(Owned):
    """The stored output of an analysis, with its version and parameters.

    A requested report is queued, then computed by the analysis worker; the live report behind a board is always done.
    `changes` grows with each change that a viewer can see.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    title = models.CharField(max_length=120, blank=True)
    analysis = models.CharField(max_length=60)
    analysis_version = models.CharField(max_length=20)
    # All of them, defaults too: so that a later default changes no old report.
    parameters = models.JSONField(default=dict)
    # What went in: "runs" by id, so that anybody can compute it again; "about", and "left_out" with names, in words.
    inputs = models.JSONField(default=dict)
    result = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.TextField(default="Waiting for the analysis worker.")
    attempt = models.PositiveSmallIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    changes = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="done") | models.Q(result__isnull=False), name="done_has_a_result"
            )
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state__in=["queued", "running"]), name="reports_waiting")
        ]

    def __str__(self) -> str:
        return self.title or f"{self.analysis} report {self.pk}"


class Measurement(models.Model):
    """How fast and heavy a contender is by the fixed protocol: asked for by somebody, or made by an idle worker.

    result: `evaluation.protocol.Efficiency.to_dict`. device, protocol and versions (a hash of what multiplied) say with
    what it may be compared. settings: those of a run that the loaded weights depend on. attempts: claims by workers.
    leased_until: when the worker that claimed it, and gives no more signs of life, has lost it.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    contender = models.ForeignKey(Contender, on_delete=models.CASCADE, related_name="measurements")
    settings = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    reason = models.TextField(default="Waiting for a worker.")
    device = models.CharField(max_length=120, blank=True)
    protocol = models.CharField(max_length=40, blank=True)
    versions = models.CharField(max_length=64, blank=True)
    result = models.JSONField(null=True, blank=True)
    worker = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    asked_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["contender"], condition=models.Q(state__in=["queued", "running"]), name="measurement_asked_once"
            ),
            models.UniqueConstraint(
                fields=["contender", "device", "protocol", "versions"],
                condition=models.Q(state="done"),
                name="measurement_once",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="done") | models.Q(result__isnull=False), name="measured_has_a_result"
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state__in=["queued", "running"]), name="measurements_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.contender} on {self.device or 'no device yet'}"
