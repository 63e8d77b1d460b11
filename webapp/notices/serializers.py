"""How notices and webhooks look in REST."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.notices.models import Delivery, Event, Kind, Notice, Webhook
from webapp.notices.webhooks import LONGEST_URL
from webapp.rest import Strict


class NoticeOut(serializers.ModelSerializer[Notice]):
    """Something that the caller was told. url: of the page that it is about; read_at: null while it is unread."""

    team = serializers.CharField(source="team.name")
    kind = serializers.ChoiceField(choices=Kind.choices)
    url = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = ["id", "team", "kind", "text", "url", "created_at", "read_at"]

    def get_url(self, notice: Notice) -> str:
        return f"{settings.SITE_URL}{notice.path}"


class ReadOut(serializers.Serializer[dict[str, int]]):
    read = serializers.IntegerField(help_text="How many notices were unread before.")


class WishOut(serializers.Serializer[object]):
    """How the caller is told of a kind of notice."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    in_app = serializers.BooleanField()
    by_email = serializers.BooleanField()


class WishIn(Strict):
    kind = serializers.ChoiceField(choices=Kind.choices)
    in_app = serializers.BooleanField()
    by_email = serializers.BooleanField()


class WishesIn(Strict):
    """What it does not name stays as it is."""

    preferences = WishIn(many=True, allow_empty=False)


class WishesOut(serializers.Serializer[object]):
    preferences = WishOut(many=True)


class EventsField(serializers.ListField):
    def __init__(self, **more: Any) -> None:
        child = serializers.ChoiceField(choices=Event.choices)
        super().__init__(child=child, allow_empty=False, max_length=len(Event), **more)


class WebhookOut(serializers.ModelSerializer[Webhook]):
    """failing_since: of the first failure after the last success; off_because: why it is not active."""

    events = serializers.ListField(child=serializers.ChoiceField(choices=Event.choices))
    created_by = serializers.CharField(source="created_by.username")

    class Meta:
        model = Webhook
        fields = ["id", "url", "events", "active", "failing_since", "off_because", "created_by", "created_at"]


class NewWebhook(WebhookOut):
    secret = serializers.CharField(help_text="Shown this once. It signs each request: see the page of the webhook.")

    class Meta(WebhookOut.Meta):
        fields = [*WebhookOut.Meta.fields, "secret"]


class WebhookIn(Strict):
    url = serializers.CharField(max_length=LONGEST_URL, help_text="http(s), of a public address; no redirects.")
    events = EventsField()
    active = serializers.BooleanField(default=True)


class WebhookChange(Strict):
    """What is left out stays as it is."""

    url = serializers.CharField(max_length=LONGEST_URL, required=False)
    events = EventsField(required=False)
    active = serializers.BooleanField(required=False)


class AttemptOut(serializers.Serializer[object]):
    """One request. status: 0 when there was no answer; body: the first KB of the answer."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField()
    body = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField()


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    """A message to a webhook, and its attempts. message: its id, the same when it is sent again."""

    message = serializers.SerializerMethodField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    next_at = serializers.SerializerMethodField()
    attempts = AttemptOut(source="tries", many=True)
    replay_of = serializers.IntegerField(source="replay_of_id", allow_null=True)

    class Meta:
        model = Delivery
        fields = [
            "id", "message", "event", "state", "error", "created_at", "next_at", "ended_at", "body", "attempts",
            "replay_of",
        ]  # fmt: skip

    def get_message(self, delivery: Delivery) -> str:
        return f"msg_{delivery.message.hex}"

    @extend_schema_field(serializers.DateTimeField(allow_null=True, help_text="Of the next attempt, if there is one."))
    def get_next_at(self, delivery: Delivery) -> str | None:
        return delivery.next_at.isoformat() if delivery.state == Delivery.State.QUEUED else None
