"""What people type to have something evaluated, be it a job or a search: who takes part, on what, and whose it is."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.forms.boundfield import BoundWidget
from django.forms.utils import ErrorDict
from django.http import QueryDict
from django.utils.functional import cached_property

from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.catalog.models import Contender, EntryVersion, Suite
from webapp.catalog.selectors import latest_versions, suites
from webapp.catalog.services import crossed
from webapp.forms import ServiceForm
from webapp.jobs.choosing import EntryChoices, entry_choices
from webapp.jobs.offers import Offer, families, offers

DEFAULT_SCHEME = next(iter(SCHEMES))


class SchemeBoxes(forms.CheckboxSelectMultiple):
    """reasons: why a scheme cannot be chosen, by its key."""

    reasons: Mapping[str, str] = {}

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        if self.reasons.get(str(value)):
            option["attrs"]["disabled"] = True
        return option


class AskingForm(ServiceForm):
    """Entries x schemes on a suite, for a team. HELP: of fields about which each kind of request says its own."""

    aliases = {"contenders": "entries"}
    HELP: ClassVar[Mapping[str, str]] = {}

    suite = forms.ModelChoiceField(Suite.objects.none(), empty_label=None)
    entries = forms.ModelMultipleChoiceField(
        EntryVersion.objects.none(),
        error_messages={"required": "Choose at least one entry."},
        widget=forms.CheckboxSelectMultiple,
    )
    schemes = forms.MultipleChoiceField(
        choices=[(info.key, f"{info.key}: {info.title}") for info in SCHEMES.values()],
        error_messages={"required": "Choose at least one scheme."},
        widget=SchemeBoxes,
    )
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    title = forms.CharField(max_length=160, required=False, help_text="Made from the contents when empty.")
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    batch_size = forms.IntegerField(min_value=1, max_value=4096, initial=64, label="Batch size on the device")
    key = forms.CharField(max_length=40, widget=forms.HiddenInput, initial=lambda: uuid.uuid4().hex)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        # Without their items: only those of the one that is chosen are wanted.
        rows = {
            "suite": suites(user).prefetch_related(None),
            "entries": latest_versions(user),
            "team": teams_where(user, May.SUBMIT),
        }
        for name, found in rows.items():
            self.fields[name].queryset = found  # type: ignore[attr-defined]
        for name, text in self.HELP.items():
            self.fields[name].help_text = text
        self.fields["team"].initial = usual_team(user)
        self.offers = self.offered()
        ready = (offer.info.key for offer in self.offers if offer.available)
        self.fields["schemes"].initial = [next(ready, DEFAULT_SCHEME)]
        self.fields["schemes"].widget.reasons = {offer.info.key: offer.reason for offer in self.offers}

    @property
    def looks(self) -> bool:
        """Whether the button that finds entries without JavaScript has sent it: who looks has made no mistake yet."""
        return self.is_bound and "look" in self.data

    @property
    def errors(self) -> ErrorDict:
        return ErrorDict() if self.looks else super().errors

    def is_valid(self) -> bool:
        return not self.looks and super().is_valid()

    @cached_property
    def entry_choices(self) -> EntryChoices:
        return entry_choices(self.user, self["entries"].value() or (), self.data.get("find", ""))

    def offered(self) -> list[Offer]:
        return offers()

    @property
    def scheme_families(self) -> list[tuple[str, list[tuple[Offer, BoundWidget]]]]:
        """(family, its schemes with their boxes), as the page groups them."""
        boxes = {str(box.data["value"]): box for box in self["schemes"]}
        return [(name, [(one, boxes[one.info.key]) for one in own]) for name, own in families(self.offers).items()]

    def contenders(self) -> list[Contender]:
        return crossed(self.cleaned_data["entries"], self.cleaned_data["schemes"])

    def request_key(self) -> str:
        """The same form sent twice is one request; changed and sent again (after “back”) it is another one."""
        data = cast(QueryDict, self.data)
        typed = {name: data.getlist(name) for name in self.fields if name in data}
        return "page-" + hashlib.sha256(json.dumps(typed, sort_keys=True).encode()).hexdigest()[:40]
