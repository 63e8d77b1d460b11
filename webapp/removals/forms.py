"""What people type to confirm."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.models import Team, User
from webapp.accounts.selectors import May, teams_where
from webapp.forms import ServiceForm


class ConfirmForm(ServiceForm):
    """The name, typed again; the password where there is one to ask for."""

    name = forms.CharField(
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, name: str, needs_password: bool = False, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["name"].label = f"Type {name} to confirm"
        if not needs_password:
            del self.fields["password"]


class HandOverForm(ServiceForm):
    to = forms.ModelChoiceField(Team.objects.none(), label="To which team", empty_label=None)

    def __init__(self, user: User, team: Team, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        field: Any = self.fields["to"]
        field.queryset = teams_where(user, May.MANAGE).exclude(pk=team.pk)
