"""What people type to ask for an audit of linear models: where the table comes from, and how near is near."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from evaluation.features import MAXIMUM_BYTES
from webapp.accounts.models import User, Visibility
from webapp.accounts.selectors import May, teams_where, usual_team
from webapp.results.audits import AUDIT
from webapp.results.candidates import Candidates
from webapp.results.forms import ReportForm
from webapp.results.models import FeatureUpload
from webapp.results.uploads import uploads

FILE, PASTED, KEPT = "file", "pasted", "kept"
FRESH = f"source={FILE}|{PASTED}"
LISTED = 100  # tables to choose from, the newest first
KINDS = [
    ("absolute", "Absolute: nats a row above the best"),
    ("percent", "Percent of the best objective"),
    ("profile", "Profile: a likelihood level such as 0.95"),
]


class AuditParameters(ReportForm):
    """The parameters of the audit, with more words than the analysis itself has for them."""

    SAID = {
        "epsilon": ("ε, how near", "A model competes while its loss is at most this much above the best one’s."),
        "epsilon_kind": ("ε is …", "In which unit ε is given."),
        "delta": ("δ, how far", "Two probabilities this far apart are in conflict. 0.1: ten points."),
        "ridge": (
            "Ridge",
            "On every coefficient, the intercept too; 1/rows is mild. With 0, a tiny one is added where no best model "
            "exists without, and the report says so.",
        ),
        "standardize": (
            "Standardize features",
            "To mean 0 and variance 1, so that a ridge weighs all of them alike, whatever their units.",
        ),
        "search": ("Search", "Sets of rows tried to narrow the discrepancy. More is slower and closer; 0 for none."),
    }

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(AUDIT, data, files)
        for name, (label, text) in self.SAID.items():
            self.fields[name].label, self.fields[name].help_text = label, text
        self.fields["epsilon_kind"] = forms.ChoiceField(
            choices=KINDS, label=self.SAID["epsilon_kind"][0], help_text=self.SAID["epsilon_kind"][1]
        )
        self.initial["standardize"] = True

    data_names: tuple[str, ...] = ()

    @property
    def data_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.data_names if name in self.fields]

    @property
    def own(self) -> list[forms.BoundField]:
        """What is asked, and for whom."""
        return [field for field in self.visible_fields() if field.name not in self.data_names]


class AuditForm(AuditParameters):
    """A table as a file, pasted, or one that was kept; its column of labels; and the parameters."""

    MOST_PASTED = 1_000_000
    aliases = {"features": "kept"}
    data_names = ("source", "table", "pasted", "kept", "label")

    def __init__(self, user: User, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files)
        self.uploads = uploads(user, May.SUBMIT)
        listed = [(one.pk, _described(one)) for one in self.uploads[:LISTED]]
        sources = [(FILE, "A CSV file"), (PASTED, "Pasted text"), (KEPT, "A table that was audited before")]
        fields: dict[str, forms.Field] = {
            "source": forms.ChoiceField(choices=sources if listed else sources[:2], initial=FILE, label="From"),
            "table": forms.FileField(
                required=False, help_text="With a header: numbers that describe each example, and its label."
            ),
            "pasted": forms.CharField(
                required=False,
                max_length=self.MOST_PASTED,
                strip=False,
                label="Text of the table",
                help_text="Cells apart by commas, as in the file.",
                widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
            ),
            "kept": forms.TypedChoiceField(
                choices=listed, coerce=int, empty_value=None, required=False, label="Kept table"
            ),
            "label": forms.CharField(
                max_length=100, required=False, label="Label column", help_text="Its name in the header. 0 and 1 in it."
            ),
            "team": forms.ModelChoiceField(teams_where(user, May.SUBMIT), empty_label=None),
            "visibility": forms.ChoiceField(choices=Visibility, initial=Visibility.TEAM),
        }
        self.fields.update(fields)
        for name, when in (("table", FILE), ("pasted", PASTED), ("kept", KEPT)):
            self.fields[name].when = f"source={when}"  # type: ignore[attr-defined]
        for name in ("label", "team"):
            self.fields[name].when = FRESH  # type: ignore[attr-defined]
        self.initial["team"] = usual_team(user)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        wanted = {FILE: "table", PASTED: "pasted", KEPT: "kept"}.get(data.get("source", ""), "")
        missing = {"table": "Choose a file.", "pasted": "Paste a table.", "kept": "Choose a table."}
        if wanted and not data.get(wanted) and wanted not in self.errors:
            self.add_error(wanted, missing[wanted])
        if wanted in ("table", "pasted") and not data.get("label") and "label" not in self.errors:
            self.add_error("label", "Which column has the labels?")
        return data

    def clean_table(self) -> UploadedFile[Any] | None:
        file: UploadedFile[Any] | None = self.cleaned_data["table"]
        if file and (file.size or 0) > MAXIMUM_BYTES:
            raise forms.ValidationError(
                f"The file is larger than {MAXIMUM_BYTES // 2**20} MB. Take a sample of its rows."
            )
        return file

    def arguments(self) -> dict[str, Any]:
        data, same = self.cleaned_data, super().arguments()
        if data["source"] == KEPT:
            return {**same, "upload": self.uploads.get(pk=data["kept"])}
        file = data["table"] if data["source"] == FILE else None
        source = {"content": file.read(), "name": file.name} if file else {"content": data["pasted"].encode()}
        chosen = {name: data[name] for name in ("label", "team", "visibility")}
        return {"name": "pasted table", **source, **chosen, **same}


class MarginsForm(AuditParameters):
    """Whose margins are the features, and whose answers are the labels."""

    aliases = {"features": "contenders", "names": "contenders"}
    data_names = ("contenders", "outcome")

    def __init__(self, found: Candidates, data: Any = None) -> None:
        super().__init__(data)
        complete = [(row.pk, row.name) for row in found.complete]
        self.fields["contenders"] = forms.TypedMultipleChoiceField(
            choices=complete,
            coerce=int,
            initial=[pk for pk, _ in complete],
            widget=forms.CheckboxSelectMultiple,
            label="Features: the margins of",
            help_text="Best minus second log-likelihood of the choices, on each sample: how sure the contender was.",
            error_messages={"required": "Choose at least one contender."},
        )
        self.fields["outcome"] = forms.TypedChoiceField(
            choices=complete, coerce=int, label="Label: whether this contender is right"
        )

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), **{name: self.cleaned_data[name] for name in self.data_names}}


def _described(upload: FeatureUpload) -> str:
    size = f"{upload.rows:,} × {len(upload.names)}"
    return f"{upload.name}, {size}, label “{upload.label}” ({upload.team.name}, {upload.created_at:%-d %b %Y})"
