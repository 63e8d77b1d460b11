"""What people say of a file of results that they bring."""

from __future__ import annotations

from typing import Any

from django import forms

from evaluation.importing import FORMATS
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.forms import ServiceForm

ENDINGS = ",".join(ending for one in FORMATS.values() for ending in one.endings)


class ImportForm(ServiceForm):
    """A file, and for whom. With JavaScript its bytes go in pieces over REST; without, all of them at once."""

    aliases = {"name": "file", "size": "file", "kind": "file"}

    file = forms.FileField(
        label="File of results",
        help_text="An output directory of lm-eval packed as .zip or .tar.gz, a log of Inspect, or a table of scores.",
        widget=forms.FileInput(attrs={"accept": ENDINGS}),
        error_messages={"empty": "The file is empty.", "required": "Choose a file."},
    )
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None, to_field_name="name")
    visibility = forms.ChoiceField(choices=Visibility.choices, initial=Visibility.TEAM)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = teams_where(user, May.SUBMIT)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]
        self.fields["team"].initial = teams.filter(pk=usual_team(user) or 0).first()
