"""What people type to ask for a search."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from webapp.accounts.models import User
from webapp.catalog.selectors import suite_versions
from webapp.jobs.asking import AskingForm
from webapp.jobs.offers import Offer
from webapp.searches.models import Search
from webapp.searches.services import METHODS, SearchRequest

AMOUNT = RegexValidator(r"^\s*\d{1,9}([.,]\d{1,4})?\s*%?\s*$", "Write a number of samples, or a share such as 15 %%.")
ESTIMATES = [(key.value, key.label) for key in METHODS[Search.Goal.ESTIMATE]]
BEST, ESTIMATE = "goal=best", "goal=estimate"
PLAIN = ("batch", "seed", "exploration", "floor", "batch_size", "title", "visibility")


class SearchForm(AskingForm):
    """The goal, who and on what, and how much may be spent. All but these has a default."""

    aliases = {"contenders": "entries", "share": "budget"}
    HELP = {
        "entries": "Several to find the best of them; just one for an estimate.",
        "schemes": "Each entry under each scheme is a contender. Those that must be calibrated are run in full.",
        "team": "Whose search it is.",
    }

    goal = forms.ChoiceField(
        choices=Search.Goal, initial=Search.Goal.BEST, widget=forms.RadioSelect, label="What do you want to know?"
    )
    budget = forms.CharField(
        max_length=20,
        initial="15 %",
        validators=[AMOUNT],
        help_text="Samples to evaluate, such as 600, or a share of all contender × sample pairs, such as 15 %.",
    )
    method = forms.ChoiceField(
        choices=ESTIMATES,
        required=False,
        help_text="AIPW and LURE need other contenders with complete results on the same benchmarks.",
    )
    half_width = forms.FloatField(
        min_value=0,
        max_value=50,
        initial=0,
        required=False,
        label="Stop when the interval is within ± points",
        help_text="0 spends the whole budget. Stopping by what one sees makes the interval a little too sure.",
    )
    stop_error = forms.FloatField(
        min_value=0,
        max_value=50,
        initial=5,
        required=False,
        label="Stop early at an error rate, %",
        help_text="Ends once the leader is above all others with this error rate, however often one looks; "
        "0 spends the whole budget.",
    )
    batch = forms.IntegerField(
        min_value=1,
        max_value=100_000,
        initial=32,
        label="Samples per batch",
        help_text="Fewer (8) decide more often, which helps where the top is close. Each batch takes half a second "
        "beside its samples, and a tenth more for each benchmark: ask for more where a sample is quick.",
    )
    exploration = forms.FloatField(
        min_value=0.0001,
        max_value=1000,
        initial=1.0,
        help_text="UCB-E’s a. 1 is usual; less (0.1) where the top is close.",
    )
    floor = forms.FloatField(
        min_value=0.1, max_value=1, initial=0.2, label="Uniform share", help_text="LURE: share of draws that is even."
    )
    seed = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, initial=1, help_text="Decides the order of samples, the same for everybody."
    )
    WHEN = {"stop_error": BEST, "exploration": BEST, "method": ESTIMATE, "half_width": ESTIMATE, "floor": ESTIMATE}

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        for name, when in self.WHEN.items():
            self.fields[name].when = when  # type: ignore[attr-defined]

    def offered(self) -> list[Offer]:
        """A search fits nothing on texts."""
        return [offer for offer in super().offered() if not offer.info.needs_calibration]

    @property
    def main(self) -> list[forms.BoundField]:
        return [self[name] for name in ("budget", "stop_error", "method", "half_width")]

    @property
    def more(self) -> list[forms.BoundField]:
        """What stands behind “More settings”."""
        names = ("team", "title", "visibility", "batch", "exploration", "floor", "seed", "batch_size")
        return [self[name] for name in names]

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        best = data["goal"] == Search.Goal.BEST
        request = SearchRequest(
            goal=data["goal"],
            contenders=self.contenders(),
            versions=suite_versions(data["suite"]),
            suite=data["suite"],
            method="" if best else data["method"],
            stop_error=(data["stop_error"] or 0) / 100 if best else 0.0,
            half_width=0.0 if best else (data["half_width"] or 0) / 100,
            key=self.request_key(),
            **amount(data["budget"]),
            **{name: data[name] for name in PLAIN},
        )
        return {"team": data["team"], "request": request}


def amount(text: str) -> dict[str, Any]:
    """ "600" -> samples, "15 %" -> a share."""
    number = text.replace("%", "").replace(",", ".").strip()
    return {"share": float(number) / 100} if "%" in text else {"budget": int(float(number))}
