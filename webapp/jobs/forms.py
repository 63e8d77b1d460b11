"""What people type to submit a job."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.forms.boundfield import BoundWidget
from django.http import QueryDict

from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.catalog.models import CalibrationSet, EntryVersion, Source, Suite
from webapp.catalog.selectors import calibration_sets, latest_versions, suite_versions, suites
from webapp.catalog.services import contender
from webapp.forms import ServiceForm
from webapp.jobs.offers import Offer, families, offers
from webapp.jobs.resources import AUTOMATIC, RESOURCES, in_words
from webapp.jobs.services import JobRequest

DEFAULT_SCHEME = next(iter(SCHEMES))


class VersionChoices(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, version: EntryVersion) -> str:
        facts = [str(version), version.entry.team.name]
        if version.parameters:
            facts.append(f"{version.parameters:,} parameters")
        if version.source == Source.ENDPOINT:
            facts.append("endpoint, as served")
        if version.source == Source.IMPORTED:
            facts.append("imported, cannot be run")
        return " · ".join(facts)


class SetChoices(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, chosen: CalibrationSet) -> str:
        return f"{chosen} · {chosen.team.name} · {chosen.size:,} texts"


class SchemeBoxes(forms.CheckboxSelectMultiple):
    """reasons: why a scheme cannot be chosen, by its key."""

    reasons: Mapping[str, str] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        if self.reasons.get(str(value)):
            option["attrs"]["disabled"] = True
        return option


class SubmitForm(ServiceForm):
    """Entries x schemes on a suite. All but the entries has a default, so that a first job is three clicks."""

    aliases = {"contenders": "entries"}
    SETTINGS = ("seed", "batch_size", "limit", "repeat", "attempts", "temperature")

    suite = forms.ModelChoiceField(Suite.objects.none(), empty_label=None)
    entries = VersionChoices(
        EntryVersion.objects.none(),
        error_messages={"required": "Choose at least one entry."},
        widget=forms.CheckboxSelectMultiple,
    )
    schemes = forms.MultipleChoiceField(
        choices=[(info.key, f"{info.key}: {info.title}") for info in SCHEMES.values()],
        error_messages={"required": "Choose at least one scheme."},
        initial=[DEFAULT_SCHEME],
        help_text="How weights are stored and multiplied. Choose several to compare them with their reference. An "
        "endpoint is evaluated as it is served, once, whatever is chosen here.",
        widget=SchemeBoxes,
    )
    calibration = SetChoices(
        CalibrationSet.objects.none(),
        required=False,
        empty_label="None",
        label="Calibration set",
        help_text="What schemes marked “calibrated” look at before they are applied. The others ignore it.",
    )
    bits = forms.JSONField(
        required=False,
        label="Map of bits per layer",
        help_text="For evopress_map alone: the content of a file that the page of a searched run offers for download.",
        widget=forms.Textarea({"rows": 3, "spellcheck": "false", "class": "mono"}),
    )
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None, help_text="Whose job it is.")
    title = forms.CharField(max_length=160, required=False, help_text="Made from the contents when empty.")
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    limit = forms.IntegerField(
        min_value=1,
        required=False,
        label="Samples per benchmark",
        help_text="Empty: all. Fewer is a trial, kept off boards.",
    )
    batch_size = forms.IntegerField(min_value=1, max_value=4096, initial=64)
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
    priority = forms.IntegerField(min_value=-10, max_value=10, initial=0, help_text="-10 to 10; higher goes first.")
    resource = forms.ChoiceField(
        choices=[(AUTOMATIC, "As the weights need"), *((name, in_words(name).capitalize()) for name in RESOURCES)],
        required=False,
        label="Device",
        help_text="Runs wait for a worker that has it. GPU sizes are the least memory that will do.",
    )
    key = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=lambda: uuid.uuid4().hex)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = {
            "suite": suites(user),
            "entries": latest_versions(user),
            "calibration": calibration_sets(user),
            "team": teams_where(user, May.SUBMIT),
        }
        for name, rows in choices.items():
            self.fields[name].queryset = rows  # type: ignore[attr-defined]
        self.fields["team"].initial = usual_team(user)
        self.offers = offers()
        self.fields["schemes"].widget.reasons = {offer.info.key: offer.reason for offer in self.offers}

    @property
    def scheme_families(self) -> list[tuple[str, list[tuple[Offer, BoundWidget]]]]:
        """(family, its schemes with their boxes), as the page groups them."""
        boxes = {str(box.data["value"]): box for box in self["schemes"]}
        return [(name, [(one, boxes[one.info.key]) for one in own]) for name, own in families(self.offers).items()]

    @property
    def more(self) -> list[forms.BoundField]:
        """What stands behind “More settings”."""
        names = ("team", "title", "visibility", "limit", "attempts", "temperature", "batch_size", "seed", "repeat")
        return [self[name] for name in (*names, "priority", "resource", "bits")]

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        rows = [contender(version=v, scheme=scheme) for v in data["entries"] for scheme in data["schemes"]]
        settings = {name: data[name] for name in self.SETTINGS if name == "limit" or data[name] is not None}
        if data["calibration"]:
            settings["calibration"] = data["calibration"].pk
        if data["bits"] is not None:
            settings["bits"] = data["bits"]
        request = JobRequest(
            contenders=list(dict.fromkeys(rows)),
            versions=suite_versions(data["suite"]),
            suite=data["suite"],
            title=data["title"],
            settings=settings,
            priority=data["priority"],
            visibility=data["visibility"],
            resource=data["resource"],
            key=self._key(),
        )
        return {"team": data["team"], "request": request}

    def _key(self) -> str:
        """The same form sent twice is one job; changed and sent again (after “back”) it is another one."""
        data = cast(QueryDict, self.data)
        typed = {name: data.getlist(name) for name in self.fields if name in data}
        return "page-" + hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()[:40]
