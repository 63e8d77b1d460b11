"""What people type to ask for a report: the form follows from the parameters that the analysis describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Parameter, described
from evaluation.features import MAXIMUM_BYTES
from webapp.accounts.models import User, Visibility
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.forms import ServiceForm
from webapp.results.audits import AUDIT
from webapp.results.candidates import Candidates
from webapp.results.figures import words


class ReportForm(ServiceForm):
    """A field for each parameter of the analysis, and a title."""

    def __init__(
        self, analysis: str, data: Any = None, files: Any = None, *, initial: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(data, files, initial=dict(initial or {}))
        self.parameters = described(ANALYSES[analysis].Params)
        for about in self.parameters:
            self.fields[about.name] = _field(about)
        made = "Empty: made from the analysis and its data"
        self.fields["title"] = forms.CharField(max_length=120, required=False, help_text=made)

    def arguments(self) -> dict[str, Any]:
        parameters = {about.name: self.cleaned_data[about.name] for about in self.parameters}
        return {"parameters": parameters, "title": self.cleaned_data["title"]}


class RequestForm(ReportForm):
    """The same for data that were just chosen: who takes part, a baseline among them, and a second run as noise."""

    def __init__(self, analysis: str, found: Candidates, data: Any = None) -> None:
        super().__init__(analysis, data)
        complete = [(row.pk, row.name) for row in found.complete]
        self.fields["contenders"] = forms.TypedMultipleChoiceField(
            choices=complete,
            coerce=int,
            initial=[pk for pk, _ in complete],
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Choose at least one contender."},
        )
        if "baseline" in self.fields:
            best = [("", "The best of them"), *((name, name) for _, name in complete)]
            help_text = self.fields["baseline"].help_text
            self.fields["baseline"] = forms.ChoiceField(choices=best, required=False, help_text=help_text)
        if self.fields.pop("repeat", None) is None:
            return
        self.parameters = tuple(about for about in self.parameters if about.name != "repeat")
        if found.repeated:
            twice = [("", "Leave it out"), *((row.pk, row.name) for row in found.repeated)]
            text = "A contender that ran twice. How often its own two runs differ is what chance alone does."
            self.fields["noise"] = forms.TypedChoiceField(
                choices=twice, coerce=int, empty_value=None, required=False, label="Noise floor", help_text=text
            )

    @property
    def own(self) -> list[forms.BoundField]:
        """Every field but the contenders, which stand apart."""
        return [field for field in self.visible_fields() if field.name != "contenders"]

    def arguments(self) -> dict[str, Any]:
        chosen = {"contenders": self.cleaned_data["contenders"], "noise": self.cleaned_data.get("noise")}
        return {**super().arguments(), **chosen}


class AuditForm(ReportForm):
    """A table of features as a file or pasted, its column of labels, and the parameters of the audit."""

    MOST_PASTED = 1_000_000

    def __init__(self, user: User, data: Any = None, files: Any = None) -> None:
        super().__init__(AUDIT, data, files)
        self.fields["table"] = forms.FileField(
            required=False, help_text="A CSV file with a header: numbers that describe each example, and its label."
        )
        self.fields["pasted"] = forms.CharField(
            required=False,
            max_length=self.MOST_PASTED,
            strip=False,
            label="Or paste the table",
            widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        )
        self.fields["label"] = forms.CharField(
            max_length=100, label="Label column", help_text="Its name in the header; the labels are 0 and 1."
        )
        self.fields["team"] = forms.ModelChoiceField(teams_where(user, May.SUBMIT), empty_label=None)
        self.fields["visibility"] = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
        self.initial["team"] = usual_team(user)
        self.order_fields(["table", "pasted", "label", "epsilon", "epsilon_kind", "delta", "ridge", "standardize"])

    @property
    def data_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("table", "pasted", "label")]

    @property
    def own(self) -> list[forms.BoundField]:
        """What is asked, and for whom."""
        return [field for field in self.visible_fields() if field.name not in ("table", "pasted", "label")]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        file = data.get("table")
        if file and (file.size or 0) > MAXIMUM_BYTES:
            self.add_error("table", f"The file is larger than {MAXIMUM_BYTES // 2**20} MB. Take a sample of its rows.")
        if not file and not data.get("pasted") and not {"table", "pasted"} & set(self.errors):
            self.add_error("table", "Choose a file, or paste a table.")
        return data

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        file = data["table"]
        source = {"content": file.read(), "name": file.name} if file else {"content": data["pasted"].encode()}
        chosen = {name: data[name] for name in ("label", "team", "visibility")}
        return {"name": "pasted table", **source, **chosen, **super().arguments()}


def _field(about: Parameter) -> forms.Field:
    same: dict[str, Any] = {"label": words(about.name).capitalize(), "help_text": about.help, "initial": about.default}
    if about.kind == "choice":
        return forms.ChoiceField(choices=[(choice, choice) for choice in about.choices], **same)
    if about.kind == "flag":
        return forms.BooleanField(required=False, **same)
    if about.kind == "text":
        return forms.CharField(required=bool(about.default), max_length=2000, **same)
    if about.kind == "number":
        return forms.FloatField(min_value=about.minimum, max_value=about.maximum, **same)
    low, high = (None if bound is None else int(bound) for bound in (about.minimum, about.maximum))
    return forms.IntegerField(min_value=low, max_value=high, **same)
