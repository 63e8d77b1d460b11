"""REST of notices: each person's own; and of webhooks, for owners with the scope `admin`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import Team
from webapp.accounts.selectors import May, require, teams_where
from webapp.notices import selectors, services
from webapp.notices import webhooks as hooks
from webapp.notices.models import Delivery, Kind, Notice, Webhook
from webapp.notices.selectors import Channels
from webapp.notices.serializers import (
    DeliveryOut,
    NewWebhook,
    NoticeOut,
    ReadOut,
    WebhookChange,
    WebhookIn,
    WebhookOut,
    WishesIn,
    WishesOut,
)
from webapp.rest import Resource, require_scopes

UNREAD_WORDS = ("1", "true")
UNREAD = OpenApiParameter("unread", str, enum=UNREAD_WORDS, description="Only what is unread.")
KIND = OpenApiParameter("kind", str, enum=Kind.values, description="Only notices of this kind.")


class Notices(Resource, ListAPIView[Notice]):
    """What the caller was told, newest first."""

    serializer_class = NoticeOut
    queryset = Notice.objects.none()

    def get_queryset(self) -> QuerySet[Notice]:
        query = self.request.query_params
        kind = query.get("kind", "")
        if kind and kind not in Kind.values:
            raise ValidationError({"kind": [f"Use one of {', '.join(Kind.values)}."]})
        return selectors.notices(self.actor, unread=query.get("unread") in UNREAD_WORDS, kind=kind)

    @extend_schema(parameters=[UNREAD, KIND])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class ReadNotices(Resource):
    scope = "read"

    @extend_schema(operation_id="notices_read_all", request=None, responses=ReadOut)
    def post(self, request: Request) -> Response:
        """Mark all of the caller's notices as read."""
        return Response({"read": services.mark_read(actor=self.actor)})


class ReadNotice(Resource):
    scope = "read"

    @extend_schema(request=None, responses=NoticeOut)
    def post(self, request: Request, pk: int) -> Response:
        """Mark a notice as read. Safe to repeat."""
        notice = get_object_or_404(selectors.notices(self.actor), pk=pk)
        services.mark_read(actor=self.actor, notice=notice)
        notice.refresh_from_db(fields=["read_at"])
        return Response(self.shown(NoticeOut, notice))


class Preferences(Resource):
    scope = "admin"

    @extend_schema(responses=WishesOut)
    def get(self, request: Request) -> Response:
        """How the caller is told of each kind of notice."""
        return self._answer()

    @extend_schema(request=WishesIn, responses=WishesOut)
    def patch(self, request: Request) -> Response:
        """Change how the caller is told; kinds that are not named stay as they are."""
        said = self.read(WishesIn)["preferences"]
        wishes = {Kind(one["kind"]): Channels(one["in_app"], one["by_email"]) for one in said}
        services.set_preferences(actor=self.actor, wishes=wishes)
        return self._answer()

    def _answer(self) -> Response:
        wishes = selectors.preferences(self.actor).items()
        rows = [{"kind": kind, "in_app": wish.in_app, "by_email": wish.by_email} for kind, wish in wishes]
        return Response(self.shown(WishesOut, {"preferences": rows}))


class TeamsWebhooks(Resource):
    """What lies below a team that the caller owns. An address can hold a secret, so reading needs `admin`, too."""

    scope = "admin"

    def team(self) -> Team:
        require_scopes(self.request, ["admin"])
        team = get_object_or_404(teams_where(self.request.user), name=self.kwargs["name"])
        require(self.request.user, team, May.MANAGE)
        return team

    def webhook(self) -> Webhook:
        return get_object_or_404(selectors.webhooks(self.team()), pk=self.kwargs["webhook"])

    def with_secret(self, webhook: Webhook, secret: str, status: int, **headers: str) -> Response:
        webhook.secret = secret  # type: ignore[attr-defined]
        headers = {"Cache-Control": "no-store", **headers}
        return Response(self.shown(NewWebhook, webhook), status=status, headers=headers)


class Webhooks(TeamsWebhooks, ListAPIView[Webhook]):
    """The webhooks of a team that the caller owns."""

    serializer_class = WebhookOut
    queryset = Webhook.objects.none()

    def get_queryset(self) -> QuerySet[Webhook]:
        return selectors.webhooks(self.team())

    @extend_schema(request=WebhookIn, responses={201: NewWebhook})
    def post(self, request: Request, name: str) -> Response:
        """Make a webhook; its secret is in this answer and nowhere else."""
        made, secret = hooks.create_webhook(actor=self.actor, team=self.team(), **self.read(WebhookIn))
        location = request.build_absolute_uri(reverse("api:webhook", args=[name, made.pk]))
        return self.with_secret(made, secret, 201, Location=location)


class WebhookDetail(TeamsWebhooks, RetrieveAPIView[Webhook]):
    """A webhook of a team that the caller owns."""

    serializer_class = WebhookOut

    def get_object(self) -> Webhook:
        return self.webhook()

    @extend_schema(request=WebhookChange, responses=WebhookOut)
    def patch(self, request: Request, name: str, webhook: int) -> Response:
        """Change address, events or whether it is active. Switched off, it forgets what still waits."""
        found = self.webhook()
        now = {"url": found.url, "events": found.events, "active": found.active}
        changed = hooks.change_webhook(actor=self.actor, webhook=found, **{**now, **self.read(WebhookChange)})
        return Response(self.shown(WebhookOut, changed))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str, webhook: int) -> Response:
        """Delete the webhook with its log."""
        hooks.delete_webhook(actor=self.actor, webhook=self.webhook())
        return Response(status=204)


class WebhookSecret(TeamsWebhooks):
    @extend_schema(request=None, responses=NewWebhook)
    def post(self, request: Request, name: str, webhook: int) -> Response:
        """Make a new secret, which is in this answer and nowhere else; the old one ends at once."""
        return self.with_secret(*hooks.renew_secret(actor=self.actor, webhook=self.webhook()), status=200)


class Ping(TeamsWebhooks):
    @extend_schema(request=None, responses={202: DeliveryOut})
    def post(self, request: Request, name: str, webhook: int) -> Response:
        """Send a test, also to a webhook that is switched off."""
        return Response(self.shown(DeliveryOut, hooks.ping(actor=self.actor, webhook=self.webhook())), status=202)


class Deliveries(TeamsWebhooks, ListAPIView[Delivery]):
    """What was sent to a webhook, and how it answered, for as long as that is kept; newest first."""

    serializer_class = DeliveryOut
    queryset = Delivery.objects.none()

    def get_queryset(self) -> QuerySet[Delivery]:
        return selectors.deliveries(self.webhook())


class Replay(TeamsWebhooks):
    @extend_schema(request=None, responses={202: DeliveryOut})
    def post(self, request: Request, name: str, webhook: int, delivery: int) -> Response:
        """Send the same message again: same id, same body."""
        found = get_object_or_404(selectors.deliveries(self.webhook()), pk=delivery)
        return Response(self.shown(DeliveryOut, hooks.replay(actor=self.actor, delivery=found)), status=202)


BELOW = "teams/<str:name>/webhooks/"
urlpatterns = [
    path("notices/", Notices.as_view(), name="notices"),
    path("notices/read/", ReadNotices.as_view(), name="read_notices"),
    path("notices/<int:pk>/read/", ReadNotice.as_view(), name="read_notice"),
    path("notice-preferences/", Preferences.as_view(), name="notice_preferences"),
    path(BELOW, Webhooks.as_view(), name="webhooks"),
    path(f"{BELOW}<int:webhook>/", WebhookDetail.as_view(), name="webhook"),
    path(f"{BELOW}<int:webhook>/secret/", WebhookSecret.as_view(), name="webhook_secret"),
    path(f"{BELOW}<int:webhook>/ping/", Ping.as_view(), name="ping_webhook"),
    path(f"{BELOW}<int:webhook>/deliveries/", Deliveries.as_view(), name="deliveries"),
    path(f"{BELOW}<int:webhook>/deliveries/<int:delivery>/replay/", Replay.as_view(), name="replay_delivery"),
]
