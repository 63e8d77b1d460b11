"""How deletions look in REST."""

from __future__ import annotations

from rest_framework import serializers

from webapp.accounts.serializers import TeamField
from webapp.removals.models import Removal
from webapp.removals.obstacles import Link, Obstacle
from webapp.removals.selectors import Preview
from webapp.rest import Strict


class LinkOut(serializers.Serializer[Link]):
    label = serializers.CharField()  # type: ignore[assignment]
    path = serializers.CharField(help_text="Of a page.")


class ObstacleOut(serializers.Serializer[Obstacle]):
    text = serializers.CharField(help_text="What stands in the way.")
    remedy = serializers.CharField(help_text="What to do about it.")
    links = LinkOut(many=True)


class PreviewOut(serializers.Serializer[Preview]):
    """What a deletion would mean. It is possible while `obstacles` is empty."""

    kind = serializers.ChoiceField(["entry", "team", "account"])
    name = serializers.CharField(help_text="To be sent again as a confirmation.")
    goes = serializers.DictField(child=serializers.IntegerField(), help_text="Rows that are taken away, by kind.")
    bytes = serializers.IntegerField(source="size", help_text="About how many bytes these rows take on disk.")
    at_once = serializers.ListField(child=serializers.CharField())
    stays = serializers.ListField(child=serializers.CharField())
    obstacles = ObstacleOut(many=True)
    links = LinkOut(many=True, help_text="What shows it now, or can be kept before it goes.")


class ConfirmIn(Strict):
    name = serializers.CharField(max_length=150, help_text="The name of what is to be deleted, as a confirmation.")


class AccountConfirmIn(ConfirmIn):
    password = serializers.CharField(
        required=False, allow_blank=True, default="", trim_whitespace=False, max_length=4096,
        help_text="Of the account, if it has one.",
    )  # fmt: skip


class HandOverIn(Strict):
    to = TeamField(help_text="A team that the caller owns, too.")


class HandedOver(serializers.Serializer[object]):
    handed_over = serializers.ListField(child=serializers.CharField(), help_text="Names of what moved.")


class RemovalOut(serializers.ModelSerializer[Removal]):
    """expected: rows by kind when it was asked for; removed: those that are gone by now."""

    expected = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    removed = serializers.DictField(child=serializers.IntegerField(), read_only=True)

    class Meta:
        model = Removal
        fields = ["id", "kind", "name", "state", "expected", "removed", "created_at", "finished_at"]
