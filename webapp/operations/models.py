"""What operations remember: how large the platform was, day by day."""

from __future__ import annotations

from django.db import models


class SizeOfDay(models.Model):
    """How large the database was when it was last measured on a day (UTC).

    total: bytes of the whole database. kinds: bytes by the keys of `kinds.KINDS`. teams: by the id of the team, its
    estimated bytes and its number of scores; the ids outlive their teams.
    """

    day = models.DateField(unique=True)
    at = models.DateTimeField()
    total = models.BigIntegerField()
    kinds = models.JSONField()
    teams = models.JSONField()

    def __str__(self) -> str:
        return f"{self.day}: {self.total} bytes"
