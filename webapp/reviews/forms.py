"""What people type to ask for a review, and to rule on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from webapp.accounts.models import Team, User
from webapp.forms import ServiceForm
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import leaderboards
from webapp.reviews.models import Verdict
from webapp.reviews.selectors import able_reviewers
from webapp.reviews.services import MOST_COMMENTS
from webapp.reviews.subjects import Asked, Remark, Subject

Ruling = Verdict.Ruling
MOST_CHOICES = 300  # runs in a list; of more, a number is typed


class RequestForm(ServiceForm):
    """The subject is chosen by then; here is who rules on it, and what for."""

    title = forms.CharField(max_length=160, help_text="What is to be decided.")
    description = forms.CharField(
        max_length=8000,
        required=False,
        help_text="What the reviewers should look at, and what follows from their approval.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    reviewers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each of them has to approve. Choose nobody, and anybody who may review counts.",
    )
    approvals = forms.IntegerField(
        min_value=1, max_value=20, initial=1, label="Approvals needed", help_text="At least this many, in all."
    )
    leaderboard = forms.ModelChoiceField(
        Leaderboard.objects.none(),
        required=False,
        label="Board to mark",
        empty_label="None",
        help_text="Publishing marks its contenders whose results are exactly these runs as signed off.",
    )

    def __init__(self, user: User, found: Asked, data: Any = None) -> None:
        super().__init__(data, initial={"title": found.title[:160]})
        self.subject = found.subject
        people: Any = self.fields["reviewers"]
        people.queryset = able_reviewers(found.team).exclude(pk=user.pk)
        if not people.queryset.exists():
            people.help_text = "Nobody else may review for this team yet. An owner can give somebody the role reviewer."
        if found.subject.leaderboard is not None:
            del self.fields["leaderboard"]
        else:
            boards: Any = self.fields["leaderboard"]
            boards.queryset = leaderboards(user).filter(team=found.team)

    def arguments(self) -> dict[str, Any]:
        kept = {**self.cleaned_data, "reviewers": list(self.cleaned_data["reviewers"])}
        board = kept.pop("leaderboard", None) or self.subject.leaderboard
        return {**kept, "subject": Subject(self.subject.runs, self.subject.report, board)}


class VerdictForm(ServiceForm):
    """One submitted review. seen_hash: of the numbers that the page showed."""

    aliases = {"subject_hash": "seen_hash"}

    ruling = forms.ChoiceField(
        choices=[
            (Ruling.APPROVE, "Approve"),
            (Ruling.REQUEST_CHANGES, "Request changes"),
            (Ruling.COMMENT, "Comment, without a ruling"),
        ],
        widget=forms.RadioSelect,
    )
    body = forms.CharField(
        label="Text", max_length=8000, required=False, widget=forms.Textarea(attrs={"rows": 4, "cols": 30})
    )
    seen_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def __init__(self, *args: Any, may_rule: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_rule:  # the author of a request comments only
            self.fields["ruling"] = forms.ChoiceField(
                choices=[(Ruling.COMMENT, "Comment")], initial=Ruling.COMMENT, widget=forms.HiddenInput
            )


class RemarkForm(forms.Form):
    """A comment on a place. An empty text is no remark."""

    place = forms.CharField(required=False, label="About")
    sample = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, label="Sample", help_text="Its number; empty: the run."
    )
    plot = forms.CharField(required=False, max_length=80, help_text="Its title on the report.")
    text = forms.CharField(
        required=False, max_length=8000, label="Remark", widget=forms.Textarea(attrs={"rows": 2, "cols": 30})
    )

    def __init__(self, *args: Any, runs: Sequence[Run], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].widget = _places(runs)

    def remark(self) -> Remark | None:
        text, place = self.cleaned_data.get("text", "").strip(), self.cleaned_data.get("place", "")
        if not text:
            return None
        if place == "plot":
            return Remark(text, {"plot": self.cleaned_data.get("plot", "")})
        if not place:
            return Remark(text)
        run: dict[str, Any] = {"run": int(place) if place.isdecimal() and len(place) < 19 else place}
        sample = self.cleaned_data.get("sample")
        return Remark(text, run if sample is None else {**run, "sample": sample})


def _places(runs: Sequence[Run]) -> forms.Widget:
    """A list of the runs by contender; where they are many, a number is typed."""
    if len(runs) > MOST_CHOICES:
        return forms.TextInput(attrs={"placeholder": "Run number, or “plot”; empty: the whole"})
    groups: dict[str, list[tuple[Any, str]]] = {}
    for run in runs:
        groups.setdefault(run.contender.name, []).append((run.pk, f"{run.contender.name} on {run.version}"))
    return forms.Select(choices=[("", "The whole"), ("plot", "A plot"), *groups.items()])


def remarks_form(data: Any, runs: Sequence[Run], query: Mapping[str, str]) -> Any:
    """A formset with one row to begin with, about the run and the sample that the address names."""
    about = [{"place": query["run"], "sample": query.get("sample", "")}] if query.get("run") else None
    extra = 0 if about else 1
    made = forms.formset_factory(RemarkForm, extra=extra, max_num=MOST_COMMENTS, absolute_max=MOST_COMMENTS)
    return made(data, prefix="remarks", form_kwargs={"runs": runs}, initial=about)


def remarks_of(rows: Any) -> list[Remark] | None:
    """The remarks of a formset that was sent; None when something is wrong with one."""
    return [remark for form in rows if (remark := form.remark())] if rows.is_valid() else None


class SampleCommentForm(ServiceForm):
    """Of people of one team the team goes without saying."""

    team = forms.ModelChoiceField(Team.objects.none(), empty_label=None)
    body = forms.CharField(
        max_length=4000, label="Comment", help_text="@name calls a member.", widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, teams: Sequence[Team], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["team"]
        choice.queryset = Team.objects.filter(pk__in=[team.pk for team in teams])  # type: ignore[attr-defined]
        choice.initial = teams[0].pk if teams else None
        if len(teams) == 1:
            choice.widget = choice.hidden_widget()
