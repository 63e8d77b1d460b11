"""The operator's view: what waits to be sent, and why it has not arrived."""

from __future__ import annotations

from django.contrib import admin

from webapp.accounts.admin import ReadOnly
from webapp.notices.models import Delivery, Email, Notice, Preference, Webhook


@admin.register(Notice)
class NoticeAdmin(ReadOnly):
    list_display = ["created_at", "user", "team", "kind", "read_at"]
    list_filter = ["kind"]
    list_select_related = ["user", "team"]


@admin.register(Preference)
class PreferenceAdmin(ReadOnly):
    list_display = ["user", "kind", "in_app", "by_email"]
    list_filter = ["kind"]
    list_select_related = ["user"]


@admin.register(Email)
class EmailAdmin(ReadOnly):
    list_display = ["created_at", "user", "state", "attempts", "next_at", "error"]
    list_filter = ["state"]
    list_select_related = ["user"]


@admin.register(Webhook)
class WebhookAdmin(ReadOnly):
    list_display = ["url", "team", "active", "failing_since", "off_because"]
    list_filter = ["active"]
    list_select_related = ["team"]
    exclude = ["sealed_secret"]


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    list_display = ["created_at", "webhook", "event", "state", "attempts", "next_at", "error"]
    list_filter = ["state", "event"]
    list_select_related = ["webhook"]
