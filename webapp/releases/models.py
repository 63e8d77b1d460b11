"""A leaderboard as it stood, under a name, for good."""

from __future__ import annotations

from django.db import models

from webapp.accounts.models import Owned, User, slug
from webapp.leaderboards.models import Leaderboard


class Release(Owned):
    """What a board showed at `as_of`; the database refuses to change it (migration 0002).

    frozen: see `snapshots`; sha256: of its canonical JSON. review: the number of the published review that froze it.
    A release that turned out wrong is withdrawn with a reason: it stays readable, and says so.
    """

    leaderboard = models.ForeignKey(Leaderboard, on_delete=models.CASCADE, related_name="releases")
    name = models.CharField(max_length=63, validators=[slug])
    title = models.CharField(max_length=120)
    note = models.TextField(max_length=4000, blank=True)
    as_of = models.DateTimeField()
    frozen = models.JSONField()
    sha256 = models.CharField(max_length=64)
    review = models.PositiveBigIntegerField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["leaderboard", "name"], name="release_name_in_board"),
            models.CheckConstraint(
                condition=models.Q(withdrawn_at__isnull=True, withdrawn_by__isnull=True, withdrawn_reason="")
                | models.Q(withdrawn_at__isnull=False, withdrawn_by__isnull=False) & ~models.Q(withdrawn_reason=""),
                name="release_withdrawn_with_a_reason",
            ),
        ]
        indexes = [models.Index(fields=["leaderboard", "-as_of"], name="release_by_board")]

    def __str__(self) -> str:
        return self.title
