"""A team rules on what it will rely on: reviews, the people who are asked, their verdicts, comments."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from webapp.accounts.models import Owned, Team, User
from webapp.catalog.models import BenchmarkVersion
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import Report


class Review(Owned):
    """A request to rule on a report, or on a frozen set of runs.

    subject_hash: of the numbers under review when they were last frozen (`selectors.subject_hash`): an approval counts
    only for the hash it was given for. approvals: how many are needed, required reviewers aside.
    `changes` grows with each change that a viewer can see.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPROVED = "approved", "Approved"
        PUBLISHED = "published", "Published"
        SUPERSEDED = "superseded", "Superseded"
        WITHDRAWN = "withdrawn", "Withdrawn"

    title = models.CharField(max_length=160)
    description = models.TextField(max_length=8000, blank=True)
    report = models.ForeignKey(Report, null=True, blank=True, on_delete=models.PROTECT, related_name="reviews")
    runs = ArrayField(models.BigIntegerField())
    leaderboard = models.ForeignKey(
        Leaderboard, null=True, blank=True, on_delete=models.SET_NULL, related_name="reviews"
    )
    subject_hash = models.CharField(max_length=64)
    # What the runs said when they were frozen (`selectors.snapshot`): the record stands on it, whatever comes later.
    frozen = models.JSONField(default=list)
    frozen_at = models.DateTimeField()
    approvals = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=20, choices=State, default=State.DRAFT)
    # What the state stands on, in words.
    reason = models.TextField(blank=True)
    changed_at = models.DateTimeField(auto_now=True)
    changes = models.PositiveIntegerField(default=0)
    # When the sweep last looked whether its numbers are still the latest.
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    superseded_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="supersedes"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(runs__len__gt=0), name="review_has_runs"),
            models.CheckConstraint(condition=Q(approvals__gte=1), name="review_needs_an_approval"),
        ]
        indexes = [
            models.Index(fields=["team", "-id"], name="review_by_team"),
            models.Index(
                models.F("checked_at").asc(nulls_first=True),
                "id",
                condition=Q(state="approved"),
                name="review_approved",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Reviewer(models.Model):
    """Somebody who was asked. required: without their approval there is none."""

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="reviewers")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="asked_to_review")
    required = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "user"], name="reviewer_once")]

    def __str__(self) -> str:
        return f"{self.user} on {self.review}"


class Verdict(models.Model):
    """One submitted review of one person. Only its dismissal is written later; the database refuses other changes."""

    class Ruling(models.TextChoices):
        APPROVE = "approve", "Approve"
        REQUEST_CHANGES = "request_changes", "Request changes"
        COMMENT = "comment", "Comment"

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="verdicts")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="verdicts")
    ruling = models.CharField(max_length=16, choices=Ruling)
    body = models.TextField(max_length=8000, blank=True)
    subject_hash = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    dismissal = models.TextField(max_length=2000, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ruling__in=["approve", "request_changes", "comment"]), name="ruling_known"
            ),
            models.CheckConstraint(
                condition=Q(dismissed_at__isnull=True) | ~Q(dismissal=""), name="dismissal_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author}: {self.ruling}"


class Comment(models.Model):
    """A remark, alone or in answer to another one, on the whole or on a place: a run, a sample of it, a plot.

    anchor: {}, {"run": id}, {"run": id, "sample": index} or {"plot": name}. resolved: the thread is settled.
    """

    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="comments")
    verdict = models.ForeignKey(Verdict, null=True, blank=True, on_delete=models.CASCADE, related_name="comments")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="answers")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    anchor = models.JSONField(default=dict, blank=True)
    body = models.TextField(max_length=8000)
    at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.author}: {self.body[:40]}"


class SampleComment(models.Model):
    """What a team says about a question, whoever answered it: it stands beside all its answers.

    A comment is not edited; its author or an owner takes it back, and then only that it was there is shown.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(BenchmarkVersion, on_delete=models.CASCADE, related_name="+")
    index = models.PositiveIntegerField()
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    body = models.TextField(max_length=4000)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["version", "index", "id"], name="comment_by_sample")]

    def __str__(self) -> str:
        return f"comment {self.pk} on sample {self.index}"
