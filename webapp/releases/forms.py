"""What people type about a release."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.models import Visibility, slug
from webapp.forms import ServiceForm


class FreezeForm(ServiceForm):
    name = forms.CharField(max_length=63, validators=[slug], help_text="For example 2026-q4. It never changes.")
    title = forms.CharField(max_length=120, required=False, help_text="Left empty: the board’s title and the name.")
    on = forms.DateField(
        required=False,
        label="As of",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The end of a day in UTC; left empty: now.",
    )
    visibility = forms.ChoiceField(choices=Visibility, help_text="Wider than the board’s own: owners only.")
    note = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class WithdrawForm(ServiceForm):
    reason = forms.CharField(max_length=300, label="Why nobody should rely on it")


class DayForm(forms.Form):
    on = forms.DateField(required=False)

    @property
    def day(self) -> Any:
        return self.cleaned_data["on"] if self.is_valid() else None
