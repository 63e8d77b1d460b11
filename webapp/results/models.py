"""What came back: scores sample by sample, the same scores packed for analyses, and reports."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from webapp.accounts.models import Owned
from webapp.jobs.models import Run


class Score(models.Model):
    """What is stored of an attempt. The primary key itself says that no attempt is scored twice."""

    pk = models.CompositePrimaryKey("run_id", "index", "attempt")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="scores")
    index = models.PositiveIntegerField()
    attempt = models.PositiveSmallIntegerField(default=0)
    score = models.FloatField()
    answer = models.TextField()
    output = models.TextField()
    choice = models.SmallIntegerField(null=True)
    log_likelihoods = ArrayField(models.FloatField(), default=list)
    tokens_in = models.PositiveIntegerField(null=True)
    tokens_out = models.PositiveIntegerField(null=True)
    seconds = models.FloatField(null=True)

    class Meta:
        constraints = [
            # PostgreSQL holds NaN equal to NaN and above all numbers, so this refuses NaN and both infinities.
            models.CheckConstraint(condition=models.Q(score__gt=-1e308, score__lt=1e308), name="score_is_finite")
        ]

    def __str__(self) -> str:
        return f"sample {self.index}: {self.score}"


class PackedScores(models.Model):
    """The scores of a finished run in one array, so that a table of contenders x samples loads in one pass.

    values: little-endian; dtype "u1" holds 0/1 scores (255 = hole), "f8" any others (NaN = hole).
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE, related_name="packed")
    dtype = models.CharField(max_length=2)
    values = models.BinaryField()

    def __str__(self) -> str:
        return f"scores of {self.run}"


class Report(Owned):
    """The stored output of an analysis, with its version and parameters."""

    analysis = models.CharField(max_length=60)
    analysis_version = models.CharField(max_length=20)
    parameters = models.JSONField(default=dict)
    # What went in: run ids, so that anybody can compute it again.
    inputs = models.JSONField(default=dict)
    result = models.JSONField()

    def __str__(self) -> str:
        return f"{self.analysis} report {self.pk}"
