"""The operator's view of people and teams: reads; changes go through services, so that the audit log has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from webapp.accounts.models import AuditEvent, Invitation, Membership, Team, Token, User
from webapp.live import look_again

if TYPE_CHECKING:  # only the type checker knows Django's admin as generic
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class ReadOnly(ModelAdmin):
    """Shows rows; adds, changes and deletes nothing."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ReadOnly):
    """An operator may lock a person out, and name other operators."""

    list_display = ["username", "email", "is_active", "is_staff", "date_joined"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["username", "email"]
    fields = ["username", "email", "is_active", "is_staff", "is_superuser", "date_joined", "last_login"]
    readonly_fields = ["username", "email", "date_joined", "last_login"]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        look_again(person=obj.pk)  # who is locked out hears nothing more


@admin.register(Team)
class TeamAdmin(ReadOnly):
    list_display = ["name", "title", "created_at"]
    search_fields = ["name", "title"]


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    list_display = ["user", "team", "role", "created_at"]
    list_filter = ["role"]
    list_select_related = ["user", "team"]


@admin.register(Token)
class TokenAdmin(ReadOnly):
    list_display = ["prefix", "user", "name", "expires_at", "last_used_at", "revoked_at"]
    list_select_related = ["user"]
    exclude = ["digest"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ["prefix", "team", "role", "created_by", "expires_at", "used", "uses", "revoked_at"]
    list_select_related = ["team", "created_by"]
    exclude = ["digest"]


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ["at", "actor_name", "verb", "target"]
    list_filter = ["verb"]
    search_fields = ["actor_name", "target"]
    fields = ["at", "actor_name", "verb", "target", "before", "after"]
