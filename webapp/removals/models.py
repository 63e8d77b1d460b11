"""What is being deleted: hidden at once, and taken away in batches until nothing of it is left."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from webapp.accounts.models import Team, User


class Removal(models.Model):
    """An entry or a team that goes. target: its id; name: what it was called, for it outlives what it speaks of.

    expected: rows by kind when it was asked for, as its preview said; removed: rows by kind that are gone by now.
    """

    class Kind(models.TextChoices):
        ENTRY = "entry", "Entry"
        TEAM = "team", "Team"

    class State(models.TextChoices):
        RUNNING = "running", "Being deleted"
        DONE = "done", "Deleted"

    kind = models.CharField(max_length=5, choices=Kind)
    target = models.BigIntegerField()
    name = models.CharField(max_length=130)
    # Of the entry, or the team itself. No foreign-key actions: it is told of when the team is gone.
    team = models.ForeignKey(Team, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    # When rows of it were taken away last: the sweep rings for those with which nobody goes on.
    touched_at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=7, choices=State, default=State.RUNNING)
    expected = models.JSONField(default=dict)
    removed = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "target"], name="removal_once"),
            models.CheckConstraint(condition=Q(kind__in=["entry", "team"]), name="removal_kind"),
            models.CheckConstraint(
                condition=Q(state="running", finished_at=None) | Q(state="done", finished_at__isnull=False),
                name="removal_done_has_a_time",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(state="running"), name="removals_under_way")]

    def __str__(self) -> str:
        return f"of {self.kind} {self.name}"
