"""A search: what it looks for, what it may spend, and the batches that it decided on one after the other."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.accounts.models import Owned
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.jobs.models import Job, Run


class Search(Owned):
    """Ask a few samples at a time, and decide by the answers what is asked next.

    Its runs are partial ones, and belong to a job that grows. All that it decides follows from its own fields and from
    the scores of finished runs, so a worker that dies takes nothing with it: whoever looks next decides the same.
    """

    class Goal(models.TextChoices):
        BEST = "best", "Find the best within a budget"
        ESTIMATE = "estimate", "Estimate one contender from few samples"

    class Method(models.TextChoices):
        UCB_E = "ucb-e", "UCB-E"
        AIPW = "aipw", "AIPW: random samples, helped by other contenders’ scores"
        LURE = "lure", "LURE: samples drawn where other contenders fail"
        RANDOM = "random", "Random samples"

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"

    title = models.CharField(max_length=160)
    goal = models.CharField(max_length=8, choices=Goal)
    method = models.CharField(max_length=8, choices=Method)
    job = models.OneToOneField(Job, on_delete=models.CASCADE, related_name="search")
    contenders = models.ManyToManyField(Contender, related_name="+")
    versions = models.ManyToManyField(BenchmarkVersion, related_name="+")
    size = models.PositiveIntegerField()  # samples of all its benchmarks together
    # Samples: that may be evaluated to find the best; that an estimate rests on, known ones included.
    budget = models.PositiveIntegerField()
    batch = models.PositiveIntegerField()
    seed = models.PositiveIntegerField()
    exploration = models.FloatField(default=1.0)  # UCB-E's a
    stop_error = models.FloatField(default=0.0)  # error rate at which the best is called found; 0: spend all
    floor = models.FloatField(default=0.2)  # LURE: share of the draws that is uniform
    half_width = models.FloatField(default=0.0)  # of an interval that is narrow enough to stop; 0: spend all
    # Ids of the complete runs of other contenders that an estimate leans on, fixed when it was asked for.
    sources = models.JSONField(default=list)

    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    reason = models.TextField(default="What to ask first is decided.")
    stop_requested = models.BooleanField(default=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    # What was known when it was last looked at: `knowledge.Found`.
    found = models.JSONField(default=dict, blank=True)
    idempotency_key = models.CharField(max_length=100, blank=True)
    request_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"], condition=~Q(idempotency_key=""), name="search_idempotency"
            ),
            models.CheckConstraint(
                condition=Q(goal="best", method="ucb-e") | Q(goal="estimate", method__in=["aipw", "lure", "random"]),
                name="search_method_fits_its_goal",
            ),
            models.CheckConstraint(condition=Q(budget__gt=0, batch__gt=0, size__gt=0), name="search_asks_something"),
        ]
        indexes = [
            models.Index(fields=["team", "-id"], name="search_by_team"),
            models.Index(fields=["id"], condition=Q(state__in=["queued", "running"]), name="searches_under_way"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_over(self) -> bool:
        return self.state not in {self.State.QUEUED, self.State.RUNNING}

    @property
    def finds_best(self) -> bool:
        return self.goal == self.Goal.BEST


class Batch(models.Model):
    """One decision: these samples of this contender, by their places in the search's order.

    fresh: how many had to be asked; the others were known. bound: what could have been the contender's mean; None
    before its first sample. leader, chance_wrong: what was known when it was decided.
    """

    search = models.ForeignKey(Search, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)
    contender = models.ForeignKey(Contender, on_delete=models.CASCADE, related_name="+")
    start = models.PositiveIntegerField()
    stop = models.PositiveIntegerField()
    fresh = models.PositiveIntegerField()
    bound = models.FloatField(null=True, blank=True)
    leader = models.ForeignKey(Contender, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    chance_wrong = models.FloatField(null=True, blank=True)
    runs = models.ManyToManyField(Run, related_name="search_batches")

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["search", "number"], name="search_batch_once"),
            models.CheckConstraint(condition=Q(stop__gt=models.F("start")), name="search_batch_asks_something"),
        ]

    def __str__(self) -> str:
        return f"batch {self.number} of {self.search}"
