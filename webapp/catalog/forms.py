"""What people type to register entries, benchmarks and suites."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from evaluation.benchmarks import METRICS
from evaluation.schemes import SCHEMES
from webapp.accounts.models import Team, User, Visibility, slug
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.catalog.calibration import texts_of
from webapp.catalog.models import Benchmark, BenchmarkVersion, ModelEntry, Source, Suite
from webapp.catalog.prices import PriceRequest
from webapp.catalog.selectors import latest_benchmark_versions, suites
from webapp.catalog.services import SERVED
from webapp.catalog.sources import SourceRequest
from webapp.errors import DomainError
from webapp.forms import JSONText, ServiceForm

STYLES = [("completions", "Completions: log-likelihoods and text"), ("chat", "Chat: text only")]
SLUG_HELP = "Stands in addresses and tables. Lower-case letters, digits, dots, dashes."


def _only_when(field: forms.Field, when: str) -> forms.Field:
    """A field that is asked for with one choice of another field only; without scripts it is always there."""
    field.when = when  # type: ignore[attr-defined]
    return field


def _dollars(**more: Any) -> forms.DecimalField:
    return forms.DecimalField(min_value=0, max_digits=14, decimal_places=6, required=False, **more)


def _day(**more: Any) -> forms.DateField:
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **more)


def _today() -> str:
    return timezone.now().date().isoformat()


class TeamedForm(ServiceForm):
    """What a team owns: its team is one that the person may submit for."""

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "team" in self.fields:
            self.fields["team"].queryset = teams_where(user, May.SUBMIT)  # type: ignore[attr-defined]
            self.fields["team"].initial = usual_team(user)


class SourceForm(TeamedForm):
    """Where the weights of an entry's version are."""

    SOURCE = ("source", "location", "revision", "endpoint_model", "endpoint_style", "tokenizer", "api_key")
    aliases = {"base_url": "location"}

    source = forms.ChoiceField(choices=Source.registered(), initial=Source.DIRECTORY)
    location = forms.CharField(
        max_length=500,
        help_text="The absolute folder on the workers, owner/name of a hub repository, or an address ending in /v1.",
    )
    revision = _only_when(
        forms.CharField(
            max_length=40,
            required=False,
            label="Commit",
            help_text="All 40 characters: a branch or a tag can move.",
        ),
        "source=hub",
    )
    endpoint_model = _only_when(
        forms.CharField(max_length=200, required=False, label="Its name at the endpoint"), "source=endpoint"
    )
    endpoint_style = _only_when(forms.ChoiceField(choices=STYLES, required=False, label="Interface"), "source=endpoint")
    tokenizer = _only_when(
        forms.CharField(
            max_length=500,
            required=False,
            label="Tokenizer folder",
            help_text="Needed for multiple choice: log-likelihoods are counted in its tokens.",
        ),
        "source=endpoint",
    )
    api_key = _only_when(
        forms.CharField(
            max_length=400,
            required=False,
            label="API key",
            help_text="Kept encrypted and never shown again.",
            widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        ),
        "source=endpoint",
    )

    def arguments(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        request = SourceRequest(**{name: data.pop(name) for name in self.SOURCE})
        return {**data, "source": request}


class EntryDescriptionForm(ServiceForm):
    """What is said of an entry; its numbers do not depend on it."""

    title = forms.CharField(max_length=120, required=False)
    description = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    tags = forms.CharField(
        max_length=400,
        required=False,
        help_text="Separated by commas, such as lightweight, reasoning, open. Boards are filtered by them, families "
        "are compared by them.",
    )
    released_on = _day(required=False, help_text="When its maker released it: the progress of costs is drawn over it.")

    def clean_tags(self) -> list[str]:
        return sorted({tag.strip().lower() for tag in self.cleaned_data["tags"].split(",") if tag.strip()})

    @classmethod
    def of(cls, entry: ModelEntry) -> dict[str, Any]:
        """What the form starts with."""
        about = {name: getattr(entry, name) for name in ("title", "description", "released_on")}
        return {**about, "tags": ", ".join(entry.tags)}


class EntryForm(EntryDescriptionForm, SourceForm):
    name = forms.CharField(max_length=63, validators=[slug], help_text=SLUG_HELP)
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    field_order = ("name", "source", "location")


class EntryVersionForm(SourceForm):
    pass


class QuestionsForm(TeamedForm):
    """The contents of a benchmark: our own definition and questions, or a task of the harness by name."""

    OWN, HARNESS = "own", "harness"
    aliases = {"questions": "documents", "examples": "more", "lead": "prompt"}

    origin = forms.ChoiceField(
        choices=[(OWN, "My own questions (JSON lines)"), (HARNESS, "A task of lm-evaluation-harness")], initial=OWN
    )
    harness_task = _only_when(
        forms.CharField(max_length=120, required=False, label="Name of the task", help_text="For example arc_easy."),
        "origin=harness",
    )
    documents = _only_when(
        forms.FileField(
            required=False,
            label="Questions",
            help_text="One JSON object per line, for example "
            '{"question": "2+2", "choices": ["3", "4"], "gold": 1} or {"question": "2+2", "answer": "4"}.',
        ),
        "origin=own",
    )
    kind = _only_when(
        forms.ChoiceField(
            choices=[
                ("multiple_choice", "Multiple choice: the likeliest choice counts"),
                ("generation", "Generation: the written answer counts"),
            ],
            required=False,
        ),
        "origin=own",
    )
    prompt = _only_when(
        forms.CharField(
            required=False,
            initial="Q: {{ question }}\nA:",
            help_text="Names of a line’s fields in double braces.",
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        ),
        "origin=own",
    )
    metric = _only_when(
        forms.ChoiceField(
            choices=[("", "The usual one of its kind"), *((m, m) for kind in METRICS.values() for m in kind)],
            required=False,
        ),
        "origin=own",
    )
    more = _only_when(
        JSONText(
            required=False,
            initial=dict,
            label="Other fields of the definition",
            help_text='JSON, such as {"stop": ["\\n"], "max_tokens": 16, "extract": "(-?\\\\d+)", "subject": "topic"}.',
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        ),
        "origin=own",
    )

    def clean_documents(self) -> UploadedFile[Any] | None:
        file: UploadedFile[Any] | None = self.cleaned_data["documents"]
        if file and (file.size or 0) > settings.BENCHMARK_UPLOAD_BYTES:
            limit = settings.BENCHMARK_UPLOAD_BYTES // 2**20
            raise forms.ValidationError(f"The file is larger than {limit} MiB. Split it.")
        return file

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("origin") == self.HARNESS and not data.get("harness_task"):
            self.add_error("harness_task", "Which task? Give its name in the harness.")
        if data.get("origin") == self.OWN and not data.get("documents") and "documents" not in self.errors:
            self.add_error("documents", "Choose the file with the questions.")
        return data

    def arguments(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        own = {name: data.pop(name) for name in ("documents", "kind", "prompt", "metric", "more")}
        task, origin = data.pop("harness_task"), data.pop("origin")
        if origin == self.HARNESS:
            return {**data, "harness_task": task}
        definition = {**(own["more"] or {}), "kind": own["kind"], "prompt": own["prompt"].replace("\r\n", "\n")}
        if own["metric"]:
            definition["metric"] = own["metric"]
        return {**data, "definition": definition, "lines": own["documents"]}

    def show(self, version: BenchmarkVersion) -> None:
        """Start from an existing version."""
        known = dict(version.definition)
        origin = self.HARNESS if version.harness_task else self.OWN
        self.initial.update(origin=origin, harness_task=version.harness_task)
        self.initial.update({name: known.pop(name) for name in ("kind", "prompt", "metric") if name in known})
        self.initial["more"] = {name: value for name, value in known.items() if value not in ("", [], 0)}


class BenchmarkForm(QuestionsForm):
    name = forms.CharField(max_length=63, validators=[slug], help_text=SLUG_HELP)
    title = forms.CharField(max_length=120, required=False)
    description = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    field_order = ("name", "title")


class BenchmarkVersionForm(QuestionsForm):
    pass


class VersionChoices(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, version: BenchmarkVersion) -> str:
        size = "" if version.samples is None else f" · {version.samples:,} samples"
        return f"{version} · {version.benchmark.team.name}{size}"


class SuiteForm(TeamedForm):
    name = forms.CharField(max_length=63, validators=[slug], help_text=SLUG_HELP)
    title = forms.CharField(max_length=120, required=False)
    versions = VersionChoices(
        BenchmarkVersion.objects.none(),
        label="Benchmarks",
        widget=forms.CheckboxSelectMultiple,
    )
    order = forms.CharField(
        required=False,
        max_length=4000,
        label="Order of the columns",
        help_text="Names separated by commas; what is not named follows by name.",
    )
    description = forms.CharField(max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)
    aliases = {"benchmarks": "versions"}

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["versions"].queryset = latest_benchmark_versions(user)  # type: ignore[attr-defined]

    def arguments(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        wanted = [name.strip() for name in data.pop("order").split(",") if name.strip()]
        place = {name: at for at, name in enumerate(wanted)}
        names = {v: v.benchmark.name for v in data["versions"]}
        data["versions"] = sorted(names, key=lambda v: (place.get(names[v], len(place)), names[v]))
        return data


class CalibrationSetForm(TeamedForm):
    name = forms.CharField(max_length=63, validators=[slug], help_text=SLUG_HELP)
    texts = forms.FileField(
        help_text='One text a line, or one JSON object a line: {"text": "..."}. A few hundred texts like those that '
        "the entries will meet, and none of the questions of a test."
    )
    suite = forms.ModelChoiceField(
        Suite.objects.none(),
        required=False,
        empty_label="No suite in particular",
        help_text="Its questions are looked for among the texts; a set that holds one is refused.",
    )
    title = forms.CharField(max_length=120, required=False)
    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    visibility = forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM)

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.fields["suite"].queryset = suites(user)  # type: ignore[attr-defined]

    def clean_texts(self) -> list[str]:
        file: UploadedFile[Any] = self.cleaned_data["texts"]
        if (file.size or 0) > settings.BENCHMARK_UPLOAD_BYTES:
            raise forms.ValidationError(f"The file is larger than {settings.BENCHMARK_UPLOAD_BYTES // 2**20} MiB.")
        try:
            return texts_of(file)
        except DomainError as error:
            raise forms.ValidationError(str(error)) from error


class SchemeField(forms.ChoiceField):
    """A scheme that has a price of its own, or all that have none."""

    def __init__(self) -> None:
        choices = [("", "Every scheme"), (SERVED, "As an endpoint serves it"), *((key, key) for key in SCHEMES)]
        super().__init__(choices=choices, required=False, help_text="A price of one scheme goes before one for all.")


class PriceForm(ServiceForm):
    TOKENS, HOUR = "tokens", "hour"
    BY_TOKENS = ("input_usd", "output_usd", "cached_usd")

    basis = forms.ChoiceField(
        choices=[(TOKENS, "By tokens, as endpoints ask for it"), (HOUR, "By the hour of the device that it runs on")],
        initial=TOKENS,
    )
    input_usd = _only_when(_dollars(label="Input, USD per million tokens"), "basis=tokens")
    output_usd = _only_when(_dollars(label="Output, USD per million tokens"), "basis=tokens")
    cached_usd = _only_when(
        _dollars(
            label="Cached input, USD per million tokens",
            help_text="Empty: cached tokens cost what input costs.",
        ),
        "basis=tokens",
    )
    hour_usd = _only_when(_dollars(label="USD per hour of the device"), "basis=hour")
    scheme = SchemeField()
    valid_from = _day(initial=_today, help_text="The first day on which it holds.")
    valid_to = _day(required=False, label="Valid until", help_text="The first day on which it no longer holds.")
    source = forms.CharField(max_length=200, help_text="Who says so, for example an invoice or a price list.")
    source_url = forms.URLField(max_length=500, required=False, label="Address of the source", assume_scheme="https")

    def arguments(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        other = ("hour_usd",) if data.pop("basis") == self.TOKENS else self.BY_TOKENS
        return {"request": PriceRequest(**data | dict.fromkeys(other))}


class TakeOverForm(ServiceForm):
    """A listing of the price list, found by a search."""

    provider = forms.CharField(max_length=80, widget=forms.HiddenInput)
    model = forms.CharField(max_length=200, widget=forms.HiddenInput)
    scheme = SchemeField()


class ExpertCostForm(ServiceForm):
    usd = forms.DecimalField(
        min_value=0,
        max_digits=12,
        decimal_places=4,
        required=False,
        label="USD per sample",
        help_text="What it costs when a human expert answers one sample. Empty: not known.",
    )
    source = forms.CharField(max_length=300, required=False, label="Source", help_text="Who says so, and how.")
    aliases = {"expert_cost_usd": "usd", "expert_cost_source": "source"}

    @classmethod
    def of(cls, benchmark: Benchmark) -> ExpertCostForm:
        return cls(initial={"usd": benchmark.expert_cost_usd, "source": benchmark.expert_cost_source})
