"""How reviews look in REST."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from webapp.accounts.serializers import NameField, TeamField
from webapp.jobs.models import Job
from webapp.jobs.selectors import jobs
from webapp.leaderboards.serializers import BoardReference
from webapp.rest import JSONObject, Strict
from webapp.results.models import Report
from webapp.results.selectors import reports
from webapp.reviews.models import Comment, Review, SampleComment, Verdict
from webapp.reviews.sample_comments import LONGEST
from webapp.reviews.services import MOST_COMMENTS, MOST_RUNS

HASH = r"^[0-9a-f]{64}$"
BIGGEST = 2**63 - 1


class IdField(serializers.IntegerField):
    """The id of something that the caller may see."""

    what = ""

    def __init__(self, **more: Any) -> None:
        super().__init__(min_value=1, max_value=BIGGEST, **more)

    def found(self, pk: int) -> Any:
        raise TypeError("an id says what it is of")

    def run_validation(self, *data: Any) -> Any:
        pk = super().run_validation(*data)
        if pk is None:
            return pk
        one = self.found(pk)
        if one is None:
            raise serializers.ValidationError(f"There is no {self.what} {pk}.")
        return one


class ReportId(IdField):
    what = "report"

    def found(self, pk: int) -> Report | None:
        return reports(self.context["request"].user).filter(pk=pk).first()


class JobId(IdField):
    what = "job"

    def found(self, pk: int) -> Job | None:
        return jobs(self.context["request"].user).filter(pk=pk).first()


class RunIds(serializers.ListField):
    def __init__(self, **more: Any) -> None:
        child = serializers.IntegerField(min_value=1, max_value=BIGGEST)
        super().__init__(child=child, min_length=1, max_length=MOST_RUNS, **more)


class ReviewOut(serializers.ModelSerializer[Review]):
    """A review without its rulings. subject_hash: of the numbers that are frozen; send it back with a ruling."""

    team = serializers.CharField(source="team.name")
    created_by = serializers.CharField(source="created_by.username")
    leaderboard = serializers.SerializerMethodField()

    class Meta:
        model = Review
        fields = [
            "id", "team", "title", "description", "state", "reason", "report", "leaderboard", "subject_hash",
            "frozen_at", "approvals", "visibility", "created_by", "created_at", "changed_at", "superseded_by",
        ]  # fmt: skip

    def get_leaderboard(self, review: Review) -> str | None:
        board = review.leaderboard
        return None if board is None else f"{board.team.name}/{board.name}"


class VerdictOut(serializers.ModelSerializer[Verdict]):
    """A ruling. One for another hash than the review's was given for earlier numbers, and its approval is stale."""

    author = serializers.CharField(source="author.username")
    dismissed_by = serializers.CharField(source="dismissed_by.username", allow_null=True, default=None)

    class Meta:
        model = Verdict
        fields = [
            "id", "author", "ruling", "body", "subject_hash", "at", "dismissed_at", "dismissed_by", "dismissal",
        ]  # fmt: skip


class CommentOut(serializers.ModelSerializer[Comment]):
    """A remark, or an answer to the one that `parent` names. verdict: the ruling that it was sent with."""

    author = serializers.CharField(source="author.username")
    anchor = serializers.DictField()
    resolved_by = serializers.CharField(source="resolved_by.username", allow_null=True, default=None)

    class Meta:
        model = Comment
        fields = ["id", "author", "verdict", "parent", "anchor", "body", "at", "resolved_at", "resolved_by"]


class CheckOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    text = serializers.CharField()


class ReviewDetailOut(ReviewOut):
    """A review with everything that was said. stale_because is empty while the frozen numbers are the latest."""

    runs = serializers.ListField(child=serializers.IntegerField())
    reviewers = serializers.SerializerMethodField(help_text="Who was asked; each of them has to approve.")
    stale_because = serializers.ListField(child=serializers.CharField(), source="shown.stale")
    checks = CheckOut(many=True, source="shown.checks")
    verdicts = VerdictOut(many=True, source="shown.verdicts")
    comments = CommentOut(many=True, source="shown.comments")

    class Meta(ReviewOut.Meta):
        fields = [
            *ReviewOut.Meta.fields, "runs", "reviewers", "stale_because", "checks", "verdicts", "comments",
        ]  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_reviewers(self, review: Review) -> list[str]:
        return [one.user.username for one in review.reviewers.select_related("user").order_by("user__username")]


class ReviewIn(Strict):
    """Names a report, a job (its finished runs), runs, or only a board: then the runs that it shows now."""

    team = TeamField()
    title = serializers.CharField(max_length=160)
    description = serializers.CharField(max_length=8000, required=False, allow_blank=True)
    report = ReportId(required=False, help_text="A finished report.")
    job = JobId(required=False, help_text="A job: its finished runs.")
    runs = RunIds(required=False, help_text="Ids of finished runs of the team.")
    leaderboard = BoardReference(required=False)
    reviewers = serializers.ListField(
        child=serializers.CharField(max_length=150), required=False, max_length=50,
        help_text="Usernames; each of them has to approve.",
    )  # fmt: skip
    approvals = serializers.IntegerField(min_value=1, max_value=20, default=1)
    draft = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in ("report", "job", "runs") if name in attrs]
        if len(named) > 1 or not (named or "leaderboard" in attrs):
            raise serializers.ValidationError("Name one of report, job, runs; or a leaderboard alone.")
        return attrs


class RemarkIn(Strict):
    """anchor: `{"run": id}`, `{"run": id, "sample": index}` or `{"plot": name}`; left out: the whole."""

    body = serializers.CharField(max_length=8000)
    anchor = JSONObject(required=False)


class CommentIn(RemarkIn):
    parent = serializers.IntegerField(  # type: ignore[assignment]
        min_value=1, max_value=BIGGEST, required=False, help_text="The comment that this one answers."
    )


class VerdictIn(Strict):
    """One ruling with all its remarks."""

    ruling = serializers.ChoiceField(choices=Verdict.Ruling.choices)
    seen_hash = serializers.RegexField(HASH, help_text="`subject_hash` of the review, as you looked at it.")
    body = serializers.CharField(max_length=8000, required=False, allow_blank=True)
    comments = RemarkIn(many=True, required=False, max_length=MOST_COMMENTS)  # type: ignore[call-arg]


class ResolveIn(Strict):
    resolved = serializers.BooleanField(default=True)


class FreezeIn(Strict):
    """Left out: the newest finished runs of the same contenders and benchmarks, or the same report."""

    report = ReportId(required=False, help_text="Another finished report, where a report is under review.")
    runs = RunIds(required=False, help_text="Other finished runs, where runs are under review.")


class PublishIn(Strict):
    release = NameField(required=False, help_text="Freeze the review’s board under this name, too.")


class WithdrawIn(Strict):
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)


class DismissIn(Strict):
    reason = serializers.CharField(max_length=2000)


class RecordOut(serializers.Serializer[Any]):
    """The record, the public key of this server, and its Ed25519 signature over the canonical JSON of the record."""

    record = serializers.DictField()
    public_key = serializers.CharField()
    signature = serializers.CharField()


class SampleCommentOut(serializers.ModelSerializer[SampleComment]):
    """body is empty once a comment is taken back."""

    team = serializers.CharField(source="team.name")
    author = serializers.CharField(source="author.username")
    body = serializers.SerializerMethodField()

    class Meta:
        model = SampleComment
        fields = ["id", "team", "author", "at", "body", "removed_at"]

    def get_body(self, comment: SampleComment) -> str:
        return "" if comment.removed_at else comment.body


class SampleCommentIn(Strict):
    team = TeamField()
    body = serializers.CharField(max_length=LONGEST)
