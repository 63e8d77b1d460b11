"""What people type to ask for a report: the form follows from the parameters that the analysis describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from evaluation.analyses import ANALYSES
from evaluation.analyses.base import Parameter, described
from webapp.forms import ServiceForm
from webapp.results.figures import words


class ReportForm(ServiceForm):
    """A field for each parameter of the analysis, and a title."""

    def __init__(self, analysis: str, data: Any = None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        self.parameters = described(ANALYSES[analysis].Params)
        for about in self.parameters:
            self.fields[about.name] = _field(about)
        made = "Empty: made from the analysis and the board"
        self.fields["title"] = forms.CharField(max_length=120, required=False, help_text=made)

    def arguments(self) -> dict[str, Any]:
        parameters = {about.name: self.cleaned_data[about.name] for about in self.parameters}
        return {"parameters": parameters, "title": self.cleaned_data["title"]}


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
