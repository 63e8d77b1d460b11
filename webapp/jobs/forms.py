"""What people type to submit a job."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.models import User
from webapp.catalog.models import CalibrationSet
from webapp.catalog.selectors import calibration_sets, suite_versions
from webapp.forms import JSONText
from webapp.jobs.asking import AskingForm
from webapp.jobs.resources import AUTOMATIC, RESOURCES, in_words
from webapp.jobs.services import JobRequest


class SetChoices(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, chosen: CalibrationSet) -> str:
        return f"{chosen} · {chosen.team.name} · {chosen.size:,} texts"


class SubmitForm(AskingForm):
    """Entries x schemes on a suite. All but the entries has a default, so that a first job is three clicks."""

    SETTINGS = ("seed", "batch_size", "limit", "repeat", "attempts", "temperature")
    HELP = {
        "schemes": "How weights are stored and multiplied. Choose several to compare them with their reference. An "
        "endpoint is evaluated as it is served, once, whatever is chosen here.",
        "team": "Whose job it is.",
    }

    calibration = SetChoices(
        CalibrationSet.objects.none(),
        required=False,
        empty_label="None",
        label="Calibration set",
        help_text="What schemes marked “calibrated” look at before they are applied. The others ignore it.",
    )
    bits = JSONText(
        required=False,
        label="Map of bits per layer",
        help_text="For evopress_map alone: the content of a file that the page of a searched run offers for download.",
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "class": "mono"}),
    )
    limit = forms.IntegerField(
        min_value=1,
        required=False,
        label="Samples per benchmark",
        help_text="Empty: all. Fewer is a trial, kept off boards.",
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, initial=1234)
    attempts = forms.IntegerField(
        min_value=1,
        max_value=64,
        initial=1,
        required=False,
        label="Attempts per sample",
        help_text="More than one needs a temperature. Multiple choice is answered once in any case.",
    )
    temperature = forms.FloatField(
        min_value=0,
        max_value=2,
        initial=0,
        required=False,
        help_text="0 takes the likeliest token each time; 0.7 is usual for several attempts.",
    )
    repeat = forms.IntegerField(
        min_value=0, max_value=1000, initial=0, help_text="Another number runs again what is there already."
    )
    priority = forms.IntegerField(
        min_value=-10, max_value=10, initial=0, help_text="-10 to 10; of your team’s runs, higher goes first."
    )
    resource = forms.ChoiceField(
        choices=[(AUTOMATIC, "As the weights need"), *((name, in_words(name).capitalize()) for name in RESOURCES)],
        required=False,
        label="Device",
        help_text="Runs wait for a worker that has it. GPU sizes are the least memory that will do.",
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["calibration"].queryset = calibration_sets(user)  # type: ignore[attr-defined]

    @property
    def more(self) -> list[forms.BoundField]:
        """What stands behind “More settings”."""
        names = ("team", "title", "visibility", "limit", "attempts", "temperature", "batch_size", "seed", "repeat")
        return [self[name] for name in (*names, "priority", "resource", "bits")]

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        settings = {name: data[name] for name in self.SETTINGS if name == "limit" or data[name] is not None}
        if data["calibration"]:
            settings["calibration"] = data["calibration"].pk
        if data["bits"] is not None:
            settings["bits"] = data["bits"]
        request = JobRequest(
            contenders=self.contenders(),
            versions=suite_versions(data["suite"]),
            suite=data["suite"],
            title=data["title"],
            settings=settings,
            priority=data["priority"],
            visibility=data["visibility"],
            resource=data["resource"],
            key=self.request_key(),
        )
        return {"team": data["team"], "request": request}
