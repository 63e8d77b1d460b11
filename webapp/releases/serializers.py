"""How releases look in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from webapp.accounts.serializers import NameField, VisibilityField
from webapp.catalog.serializers import OwnedOut
from webapp.leaderboards.serializers import BoardReference
from webapp.releases.models import Release
from webapp.rest import Strict


class ReleaseOut(OwnedOut):
    """A release without its numbers. sha256: of what is frozen, as canonical JSON (sorted keys, no spaces, UTF-8)."""

    url = serializers.SerializerMethodField()
    leaderboard = serializers.SerializerMethodField(help_text="`team/name`.")
    withdrawn_by = serializers.CharField(source="withdrawn_by.username", default=None, allow_null=True)
    review = serializers.IntegerField(allow_null=True, help_text="The published review that froze it.")

    class Meta:
        model = Release
        fields = [
            "id", "url", "team", "leaderboard", "name", "title", "note", "as_of", "visibility", "created_by",
            "created_at", "sha256", "review", "withdrawn_at", "withdrawn_by", "withdrawn_reason",
        ]  # fmt: skip

    def get_url(self, release: Release) -> str:
        return reverse("api:release", [release.pk], request=self.context["request"])

    def get_leaderboard(self, release: Release) -> str:
        return f"{release.leaderboard.team.name}/{release.leaderboard.name}"


class ReleaseDetailOut(ReleaseOut):
    frozen = serializers.DictField(help_text="The board as it stood: columns, standings, order, verdict.")

    class Meta(ReleaseOut.Meta):
        fields = [*ReleaseOut.Meta.fields, "frozen"]


class ReleaseIn(Strict):
    leaderboard = BoardReference()
    name = NameField()
    title = serializers.CharField(max_length=120, required=False, allow_blank=True)
    note = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    on = serializers.DateField(required=False, help_text="Freeze the board as it stood at the end of this day (UTC).")
    visibility = VisibilityField(required=False)


class ReleaseChange(Strict):
    visibility = VisibilityField()


class WithdrawReleaseIn(Strict):
    reason = serializers.CharField(max_length=300)


class FrozenOut(serializers.Serializer[Any]):
    """A board as it stood at a moment, in the order by which it goes now."""

    as_of = serializers.DateTimeField()
    sha256 = serializers.CharField()
    frozen = serializers.DictField()
