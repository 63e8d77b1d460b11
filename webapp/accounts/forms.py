"""What people type about themselves, their teams and tokens."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.invitations import INVITED, MAX_DAYS, MAX_USES
from webapp.accounts.models import Role, Scope, slug
from webapp.accounts.services import MAX_RUNNING, MAX_TOKEN_DAYS
from webapp.forms import ServiceForm


class SignUpForm(ServiceForm):
    username = forms.CharField(
        max_length=60,
        validators=[slug],
        help_text="Lower-case letters, digits, dots, dashes. Your first team gets this name.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}),
    )
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = forms.CharField(
        strip=False,
        help_text="At least 10 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class TeamForm(ServiceForm):
    name = forms.CharField(
        max_length=63,
        validators=[slug],
        help_text="Stands in addresses. Lower-case letters, digits, dots, dashes.",
        widget=forms.TextInput(attrs={"autocapitalize": "none"}),
    )
    title = forms.CharField(max_length=120)


class MemberForm(ServiceForm):
    username = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocapitalize": "none"}))
    role = forms.ChoiceField(choices=Role, initial=Role.VIEWER)


class InvitationForm(ServiceForm):
    role = forms.ChoiceField(choices=[(role.value, role.label) for role in INVITED], initial=Role.VIEWER)
    days = forms.IntegerField(
        min_value=1, max_value=MAX_DAYS, initial=7, label="Days it holds", help_text=f"1 to {MAX_DAYS}."
    )
    uses = forms.IntegerField(
        min_value=1, max_value=MAX_USES, initial=1, label="People who can use it", help_text=f"1 to {MAX_USES}."
    )


class SpendingLimitForm(ServiceForm):
    usd = forms.DecimalField(
        label="USD a month",
        min_value=0,
        max_digits=12,
        decimal_places=2,
        required=False,
        help_text="Empty: no limit. 0: only what costs nothing.",
    )


class RunningLimitForm(ServiceForm):
    runs = forms.IntegerField(
        label="Runs at once",
        min_value=0,
        max_value=MAX_RUNNING,
        required=False,
        help_text="Empty: as many as there are workers. Others take turns with it in any case.",
    )


class TokenForm(ServiceForm):
    name = forms.CharField(max_length=80, help_text="What will use it, for example “nightly job”.")
    scopes = forms.MultipleChoiceField(
        choices=Scope, initial=[Scope.READ, Scope.SUBMIT], widget=forms.CheckboxSelectMultiple
    )
    days = forms.IntegerField(
        label="Days until it expires", min_value=1, max_value=MAX_TOKEN_DAYS, initial=90, help_text="1 to 365."
    )

    def arguments(self) -> dict[str, Any]:
        return {**self.cleaned_data, "scopes": list(self.cleaned_data["scopes"])}
