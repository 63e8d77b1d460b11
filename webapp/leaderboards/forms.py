"""What people type about a board."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.models import Team, User, Visibility, slug
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.catalog.models import Suite
from webapp.catalog.selectors import suites
from webapp.forms import ServiceForm
from webapp.leaderboards.ordering import ORDERS


def _order_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=lambda: [(key, analysis.title) for key, analysis in ORDERS.items()],
        help_text="What ranks contenders that have a result on every benchmark of the suite.",
    )


class LeaderboardForm(ServiceForm):
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    suite = forms.ModelChoiceField(Suite.objects.none(), empty_label=None, help_text="Its benchmarks are the columns.")
    title = forms.CharField(max_length=120)
    name = forms.CharField(max_length=63, validators=[slug], help_text="Stands in the board’s address.")
    description = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    order = _order_field()

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = teams_where(user, May.SUBMIT)  # type: ignore[attr-defined]
        self.fields["team"].initial = usual_team(user)
        self.fields["suite"].queryset = suites(user)  # type: ignore[attr-defined]


class SettingsForm(ServiceForm):
    title = forms.CharField(max_length=120)
    description = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    order = _order_field()
    visibility = forms.ChoiceField(choices=Visibility)

    def arguments(self) -> dict[str, Any]:
        """Only what changed: who may see a board is the owners' to say, the rest is not."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


class SavedViewForm(ServiceForm):
    name = forms.CharField(max_length=60)
    shared = forms.BooleanField(required=False)
    query = forms.CharField(max_length=8000, required=False, widget=forms.HiddenInput)
