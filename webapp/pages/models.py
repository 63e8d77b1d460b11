"""What a person has seen of the first steps."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from webapp.accounts.models import User


class FirstSteps(models.Model):
    """seen: keys of the steps that are done by looking. hidden: the person wants them out of the way."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="first_steps")
    seen = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    hidden = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "first steps"

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(self.seen) or 'nothing'}"
