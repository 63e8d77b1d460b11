"""Files of results on their way in: uploaded in pieces, read by the analysis worker, landed whole or not at all."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.accounts.models import Owned
from webapp.jobs.models import Run

SAME_AS = "same_as"  # in the provenance of a copy: the id of the run that was made here
UNDER_WAY = ["uploading", "queued", "running", "ready"]


class Import(Owned):
    """A file of results, and what became of it.

    sha256: of its bytes; "" until they are known. received: bytes that have arrived. look: stop when the file has been
    read, for somebody to see what it would make. summary: what it holds and makes (`planning.Plan.to_json`).
    problem: what is wrong with the file, by `file`, `line`, `field`, `message` and `remedy`. changes: grows with each
    change that a page can see.
    """

    class State(models.TextChoices):
        UPLOADING = "uploading", "Uploading"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Being read"
        READY = "ready", "Ready to load"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, blank=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)
    received = models.BigIntegerField(default=0)
    look = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADING)
    reason = models.TextField(default="Waiting for its bytes.")
    attempt = models.PositiveSmallIntegerField(default=0)
    summary = models.JSONField(default=dict, blank=True)
    problem = models.JSONField(default=dict, blank=True)
    rows = models.PositiveIntegerField(null=True, blank=True)
    touched_at = models.DateTimeField(auto_now_add=True)  # when bytes arrived last
    finished_at = models.DateTimeField(null=True, blank=True)
    changes = models.PositiveIntegerField(default=1)
    runs = models.ManyToManyField(Run, through="ImportRun", related_name="imports")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(size__gt=0), name="import_has_bytes"),
            models.CheckConstraint(
                condition=Q(received__gte=0, received__lte=models.F("size")), name="import_received"
            ),
        ]
        indexes = [
            models.Index(fields=["team", "-id"], name="import_by_team"),
            models.Index(fields=["team", "sha256"], name="import_by_content"),
            models.Index(fields=["id"], condition=Q(state__in=UNDER_WAY), name="imports_under_way"),
        ]

    def __str__(self) -> str:
        return self.name


class ImportChunk(models.Model):
    """Some of a file's bytes, until the import is over: in the database, which web and workers share."""

    owner = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks")
    offset = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "offset"], name="import_chunk_once")]

    def __str__(self) -> str:
        return f"{self.owner} from byte {self.offset}"


class ImportProgress(models.Model):
    """How far the worker is, in a row of its own: the worker holds the import's lock all the time.

    step: reading or loading. stop: somebody cancelled it.
    """

    owner = models.OneToOneField(Import, primary_key=True, on_delete=models.CASCADE, related_name="progress")
    step = models.CharField(max_length=10, blank=True)
    rows = models.PositiveIntegerField(default=0)
    stop = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.owner}: {self.rows} rows"


class ImportRun(models.Model):
    """A run that a file held. made: by this import; otherwise it was there already, from an earlier one."""

    owner = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="parts")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="import_parts")
    made = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "run"], name="import_run_once")]

    def __str__(self) -> str:
        return f"{self.owner}: {self.run}"
