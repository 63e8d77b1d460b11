"""What people choose about notices, e-mail and webhooks."""

from __future__ import annotations

from typing import Any

from django import forms

from webapp.accounts.models import User
from webapp.forms import ServiceForm
from webapp.notices.models import Event, Kind, Webhook
from webapp.notices.selectors import Channels, preferences
from webapp.notices.webhooks import LONGEST_URL


class PreferencesForm(ServiceForm):
    """Two boxes for each kind of notice: in the inbox, by e-mail."""

    def __init__(self, user: User, data: Any = None) -> None:
        super().__init__(data)
        self.wishes = preferences(user)
        for kind, wish in self.wishes.items():
            for channel, where in (("in_app", "in the inbox"), ("by_email", "by e-mail")):
                box = forms.CheckboxInput(attrs={"aria-label": f"{kind.label}: {where}"})
                chosen = getattr(wish, channel)
                self.fields[f"{kind}-{channel}"] = forms.BooleanField(required=False, initial=chosen, widget=box)

    def rows(self) -> list[tuple[Kind, Any, Any]]:
        return [(kind, self[f"{kind}-in_app"], self[f"{kind}-by_email"]) for kind in self.wishes]

    def arguments(self) -> dict[str, Any]:
        said = self.cleaned_data
        return {"wishes": {kind: Channels(said[f"{kind}-in_app"], said[f"{kind}-by_email"]) for kind in self.wishes}}


class WebhookForm(ServiceForm):
    url = forms.CharField(
        label="Address",
        max_length=LONGEST_URL,
        help_text="Takes POST requests with JSON, such as https://hooks.example.org/crosstable. Public addresses only, "
        "unless the operator allows others.",
        widget=forms.URLInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(choices=Event, widget=forms.CheckboxSelectMultiple, label="Told of")
    active = forms.BooleanField(required=False, initial=True, help_text="Off: nothing is sent, and nothing is kept.")

    def arguments(self) -> dict[str, Any]:
        return {**self.cleaned_data, "events": list(self.cleaned_data["events"])}

    @classmethod
    def of(cls, webhook: Webhook) -> WebhookForm:
        return cls(initial={"url": webhook.url, "events": webhook.events, "active": webhook.active})


class ForgottenPasswordForm(ServiceForm):
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
