"""What people type to ask for a report: the form follows from the parameters that the analysis describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Parameter, described
from webapp.forms import ServiceForm
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
