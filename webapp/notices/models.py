"""What people are told, and how it reaches them: notices, e-mails, webhooks and their deliveries."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from webapp.accounts.models import Team, User


class Kind(models.TextChoices):
    """What a notice is of."""

    REVIEW_REQUESTED = "review_requested", "Somebody asks for my review"
    REVIEW_RULED = "review_ruled", "A ruling on a review that I asked for"
    COMMENT = "comment", "A comment on a review of mine, or in a thread that I am in"
    MENTION = "mention", "Somebody mentions me in a comment"
    REVIEW_STALE = "review_stale", "An approval that I asked for or gave no longer counts"
    REVIEW_PUBLISHED = "review_published", "A review that I asked for or was asked for is published"
    JOB_ENDED = "job_ended", "A job of mine is done, failed or cancelled"
    JOINED = "joined", "Somebody joins a team by my invitation"
    ENTRY_DELETED = "entry_deleted", "An entry of a team of mine is deleted"
    WEBHOOK_OFF = "webhook_off", "A webhook of a team that I own was switched off"


class Notice(models.Model):
    """Something that one person is told. path: of the page that it is about.

    in_inbox: False where its person wants it by e-mail only.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind)
    text = models.CharField(max_length=500)
    path = models.CharField(max_length=300)
    in_inbox = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(path__startswith="/"), name="notice_path_is_ours")]
        indexes = [
            models.Index(fields=["user", "-id"], condition=Q(in_inbox=True), name="notice_by_user"),
            models.Index(fields=["user"], condition=Q(in_inbox=True, read_at=None), name="notice_unread"),
            models.Index(fields=["read_at"], condition=Q(read_at__isnull=False), name="notice_read"),
            models.Index(fields=["created_at"], condition=Q(in_inbox=False, read_at=None), name="notice_outside"),
        ]

    def __str__(self) -> str:
        return self.text


class Preference(models.Model):
    """How a person wants to be told of a kind of notice, where they do not take what is usual (`selectors.USUAL`)."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20, choices=Kind)
    in_app = models.BooleanField()
    by_email = models.BooleanField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="preference_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind}"


class Waiting(models.Model):
    """Something that a worker sends, again and again until it arrives or is given up; Postgres keeps the times."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        SENT = "sent", "Delivered"
        FAILED = "failed", "Given up"

    state = models.CharField(max_length=6, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Email(Waiting):
    """A letter to one person. Its words are written when it is sent, so no one-time link is ever stored.

    notice: what it tells of; None: it carries a link with which the person sets a new password.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    notice = models.OneToOneField(Notice, null=True, blank=True, on_delete=models.CASCADE, related_name="email")

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="queued"), name="email_due"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="email_ended"),
            models.Index(fields=["user", "-created_at"], condition=Q(notice=None), name="email_resets"),
        ]

    def __str__(self) -> str:
        return f"to {self.user}: {self.notice or 'new password'}"


class Event(models.TextChoices):
    """What a webhook can be told of; the database knows them by their names in requests."""

    JOB_ENDED = "job.ended", "A job is done, failed or cancelled"
    REVIEW_REQUESTED = "review.requested", "A review is asked for"
    REVIEW_RULED = "review.ruled", "Somebody rules on a review"
    REVIEW_COMMENTED = "review.commented", "Somebody comments on a review"
    REVIEW_STALE = "review.stale", "An approved review is no longer approved"
    REVIEW_PUBLISHED = "review.published", "A review is published"
    MEMBER_JOINED = "member.joined", "Somebody joins the team by an invitation"


class Webhook(models.Model):
    """An address outside that is told what happens in a team. sealed_secret: signs each request, encrypted at rest.

    failing_since: of the first failure after the last success. off_because: in words, while it is not active.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="webhooks")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    url = models.CharField(max_length=500)
    sealed_secret = models.BinaryField()
    events = ArrayField(models.CharField(max_length=20, choices=Event))
    active = models.BooleanField(default=True)
    off_because = models.CharField(max_length=300, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(events__len__gt=0), name="webhook_has_events")]

    def __str__(self) -> str:
        return self.url


class Delivery(Waiting):
    """A message to a webhook: the same id and body at every attempt and replay, so that receivers can tell a repeat.

    tries: of each attempt {"at", "seconds", "status", "body", "error"}; body: the first KB of the answer.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    message = models.UUIDField(default=uuid.uuid4)
    event = models.CharField(max_length=20)
    body = models.TextField()
    tries = models.JSONField(default=list)
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replays")

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(state="queued"), name="delivery_due"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="delivery_ended"),
            models.Index(fields=["webhook", "-id"], name="delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"
