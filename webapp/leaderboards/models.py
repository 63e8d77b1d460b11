"""The live page: a leaderboard over a suite, and its standings."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from webapp.accounts.models import Owned, User, slug
from webapp.catalog.models import Contender, Suite
from webapp.results.models import Report


class Leaderboard(Owned):
    """A board over one suite. `version` grows with each change that a viewer can see.

    stale_since: a run behind the board changed then, and the standings do not show it yet. stale_versions: the columns
    whose cells are to be read for that, none where only the order is left; null stands for all.
    """

    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120)
    description = models.TextField(max_length=4000, blank=True)
    suite = models.ForeignKey(Suite, on_delete=models.PROTECT, related_name="leaderboards")
    order = models.CharField(max_length=40, default="swiss")
    parameters = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=0)
    # What the paired comparison of the contenders says in words.
    verdict = models.TextField(blank=True)
    stale_since = models.DateTimeField(null=True, blank=True)
    stale_versions = ArrayField(models.BigIntegerField(), null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    # The latest output of the order's analysis, kept up to date as runs land.
    report = models.OneToOneField(Report, null=True, blank=True, on_delete=models.SET_NULL, related_name="leaderboard")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "name"], name="leaderboard_name_in_team")]

    def __str__(self) -> str:
        return self.title


class Standing(models.Model):
    """A row of the board. cells: one per benchmark of the suite, in order (see cells.Cell), as they are since the
    version `changed_in` of the board.

    position is null while a contender is not complete: missing is never zero, and never ranked. signed_off: the number
    of the published review that covers these cells, as they were when their fingerprint was signed_hash.
    """

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.CASCADE, related_name="standings")
    contender = models.ForeignKey(Contender, on_delete=models.CASCADE, related_name="standings")
    position = models.PositiveIntegerField(null=True)
    rank_low = models.PositiveIntegerField(null=True)
    rank_high = models.PositiveIntegerField(null=True)
    value = models.FloatField(null=True)
    error = models.FloatField(null=True)
    cells = models.JSONField(default=list)
    changed_in = models.PositiveIntegerField(default=0)
    signed_off = models.PositiveBigIntegerField(null=True)
    signed_hash = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        ordering = [models.F("position").asc(nulls_last=True), "contender__name"]
        constraints = [models.UniqueConstraint(fields=["leaderboard", "contender"], name="standing_once")]

    def __str__(self) -> str:
        return f"{self.contender} in {self.leaderboard}"


class ColumnChange(models.Model):
    """Runs of a team on a benchmark version were queued, cancelled or shown to more people: boards are yet to be told.

    The database writes it in the transaction that changes runs (migration 0008). No foreign keys: who submits a job
    locks no row for it, and what is gone by then has no board.
    """

    team = models.BigIntegerField()
    version = models.BigIntegerField()

    def __str__(self) -> str:
        return f"team {self.team}, benchmark version {self.version}"


class SavedView(models.Model):
    """A view of a board that somebody named. query: as in the address. shared: the board's team sees it, too."""

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.CASCADE, related_name="saved_views")
    created_by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=8000, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["leaderboard", "created_by", "name"], name="saved_view_name_once")
        ]

    def __str__(self) -> str:
        return self.name
