"""REST of reviews: rulings and comments need the scope `review`, requests `submit`, publication `admin`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from webapp.accounts.models import Team, User
from webapp.accounts.selectors import teams_where
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import benchmark_versions
from webapp.errors import Unprocessable
from webapp.rest import SEARCH, Page, PublicResource, Resource
from webapp.reviews import record, sample_comments, selectors, services, subjects
from webapp.reviews.models import Review, SampleComment
from webapp.reviews.serializers import (
    CommentIn,
    CommentOut,
    DismissIn,
    FreezeIn,
    PublishIn,
    RecordOut,
    ResolveIn,
    ReviewDetailOut,
    ReviewIn,
    ReviewOut,
    SampleCommentIn,
    SampleCommentOut,
    VerdictIn,
    VerdictOut,
    WithdrawIn,
)
from webapp.reviews.subjects import Remark, Subject

STATE = OpenApiParameter("state", str, enum=Review.State.values, description="Only reviews in this state.")
INBOX = OpenApiParameter("inbox", str, enum=["1"], description="Only those that wait for the caller’s ruling.")


class Reviews(PublicResource, ListAPIView[Review]):
    """Reviews without their rulings."""

    serializer_class = ReviewOut
    queryset = Review.objects.none()

    def get_queryset(self) -> QuerySet[Review]:
        query = self.request.query_params
        state = query.get("state", "")
        if state and state not in Review.State.values:
            raise ValidationError({"state": [f"Use one of {', '.join(Review.State.values)}."]})
        found = selectors.reviews(self.request.user, state=state, search=query.get("q", ""))
        if query.get("inbox") != "1":
            return found
        waiting = selectors.inbox(self.actor) if self.request.user.is_authenticated else found.none()
        return found.filter(pk__in=waiting.order_by().values("pk"))

    @extend_schema(parameters=[SEARCH, STATE, INBOX])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=ReviewIn, responses={201: ReviewOut})
    def post(self, request: Request) -> Response:
        """Freeze a report, runs or a board as they are now, and ask people to rule on it (submitters and owners)."""
        said = self.read(ReviewIn)
        made = services.request_review(
            actor=self.actor,
            team=said["team"],
            title=said["title"],
            description=said.get("description", ""),
            subject=self._subject(said),
            reviewers=_people(said["team"], said.get("reviewers", [])),
            approvals=said["approvals"],
            draft=said["draft"],
        )
        location = request.build_absolute_uri(reverse("api:review", args=[made.pk]))
        return Response(self.shown(ReviewOut, made), status=201, headers={"Location": location})

    def _subject(self, said: dict[str, Any]) -> Subject:
        board = said.get("leaderboard")
        if "report" in said:
            return Subject(report=said["report"], leaderboard=board)
        if "job" in said:
            return Subject(subjects.of_job(self.actor, said["job"]).subject.runs, leaderboard=board)
        if "runs" in said:
            return Subject(said["runs"], leaderboard=board)
        return subjects.of_board(said["leaderboard"]).subject


def _people(team: Team, names: list[str]) -> list[User]:
    able = {user.username: user for user in selectors.able_reviewers(team)}
    unknown = [name for name in names if name not in able]
    if unknown:
        said = f"Nobody who may review for {team.name} is called {unknown[0]}."
        raise Unprocessable(said, field="reviewers", remedy="An owner can give somebody the role reviewer.")
    return [able[name] for name in names]


class ReviewResource(PublicResource):
    """Something about one review."""

    queryset = Review.objects.none()
    serializer_class: Any = ReviewOut

    def get_object(self) -> Review:
        return get_object_or_404(selectors.reviews(self.request.user), pk=self.kwargs["pk"])

    def now(self) -> Response:
        """The review, read again."""
        return Response(self.shown(ReviewOut, self.get_object()))


class ReviewDetail(ReviewResource):
    @extend_schema(responses=ReviewDetailOut)
    def get(self, request: Request, pk: int) -> Response:
        """A review with its rulings, comments and automatic checks."""
        found = self.get_object()
        state = selectors.state_context(found.pk)
        people = ("author", "dismissed_by")
        found.shown = SimpleNamespace(  # type: ignore[attr-defined]
            stale=state["stale"],
            checks=state["checks"],
            verdicts=found.verdicts.select_related(*people),
            comments=found.comments.select_related("author", "resolved_by"),
        )
        return Response(self.shown(ReviewDetailOut, found))


class Verdicts(ReviewResource):
    serializer_class = VerdictOut
    scope = "review"

    @extend_schema(request=VerdictIn, responses={201: VerdictOut})
    def post(self, request: Request, pk: int) -> Response:
        """Rule: approve, request changes or comment, with all remarks at once. Nobody rules on their own request."""
        found = self.get_object()
        said = self.read(VerdictIn)
        remarks = [Remark(one["body"], one.get("anchor")) for one in said.pop("comments", [])]
        made = services.submit_verdict(actor=self.actor, review=found, remarks=remarks, **said)
        return Response(self.shown(VerdictOut, made), status=201)


class DismissVerdict(ReviewResource):
    serializer_class = VerdictOut
    scope = "admin"

    @extend_schema(request=DismissIn, responses=VerdictOut)
    def post(self, request: Request, pk: int, verdict: int) -> Response:
        """Set a ruling aside, with a reason that everybody reads (owners, but not on their own request)."""
        found = get_object_or_404(self.get_object().verdicts, pk=verdict)
        said = self.read(DismissIn)
        return Response(self.shown(VerdictOut, services.dismiss_verdict(actor=self.actor, verdict=found, **said)))


class Comments(ReviewResource):
    serializer_class = CommentOut
    scope = "review"

    @extend_schema(request=CommentIn, responses={201: CommentOut})
    def post(self, request: Request, pk: int) -> Response:
        """A remark, or an answer in a thread, without a ruling."""
        found = self.get_object()
        remark = Remark(**self.read(CommentIn))
        made = services.add_comment(actor=self.actor, review=found, remark=remark)
        return Response(self.shown(CommentOut, made), status=201)


class ResolveComment(ReviewResource):
    serializer_class = CommentOut
    scope = "review"

    @extend_schema(request=ResolveIn, responses=CommentOut)
    def post(self, request: Request, pk: int, comment: int) -> Response:
        """Settle a thread, or open it again: its author, who asked for the review, and owners. Safe to call twice."""
        found = get_object_or_404(self.get_object().comments, pk=comment)
        said = self.read(ResolveIn)
        return Response(self.shown(CommentOut, services.resolve_comment(actor=self.actor, comment=found, **said)))


class SendReview(ReviewResource):
    @extend_schema(request=None, responses=ReviewOut)
    def post(self, request: Request, pk: int) -> Response:
        """Send a draft to its reviewers (its author and owners)."""
        services.send_review(actor=self.actor, review=self.get_object())
        return self.now()


class FreezeReview(ReviewResource):
    @extend_schema(request=FreezeIn, responses=ReviewOut)
    def post(self, request: Request, pk: int) -> Response:
        """Freeze the newest numbers: approvals so far become stale, requests for changes stand (author and owners)."""
        found = self.get_object()
        said = self.read(FreezeIn)
        other = "report" if found.report_id is None else "runs"
        if other in said:
            raise ValidationError({other: ["This is not what is under review here."]})
        subject = subjects.renewed(found, said.get("report"))
        if "runs" in said:
            subject = Subject(said["runs"], leaderboard=found.leaderboard)
        services.freeze_again(actor=self.actor, review=found, subject=subject)
        return self.now()


class WithdrawReview(ReviewResource):
    @extend_schema(request=WithdrawIn, responses=ReviewOut)
    def post(self, request: Request, pk: int) -> Response:
        """Take a request back (its author and owners); safe to call twice."""
        found = self.get_object()
        services.withdraw_review(actor=self.actor, review=found, **self.read(WithdrawIn))
        return self.now()


class PublishReview(ReviewResource):
    scope = "admin"

    @extend_schema(request=PublishIn, responses=ReviewOut)
    def post(self, request: Request, pk: int) -> Response:
        """Publish what is approved and not stale (owners); the earlier one of its board is superseded."""
        services.publish_review(actor=self.actor, review=self.get_object(), **self.read(PublishIn))
        return self.now()


class SignOff(ReviewResource):
    serializer_class = RecordOut

    @extend_schema(responses=RecordOut)
    def get(self, request: Request, pk: int) -> Response:
        """The signed record of an approved review; 409 before there is an approval."""
        return Response(record.sign_off(self.get_object()))


class OldestFirst(Page):
    ordering = "id"


class SampleComments(Resource, ListAPIView[SampleComment]):
    """What the caller's teams say about a sample of a benchmark version, oldest first."""

    serializer_class = SampleCommentOut
    queryset = SampleComment.objects.none()
    pagination_class = OldestFirst
    scope = "review"

    def _version(self) -> BenchmarkVersion:
        return get_object_or_404(benchmark_versions(self.request.user), pk=self.kwargs["version"])

    def get_queryset(self) -> QuerySet[SampleComment]:
        return sample_comments.comments(self.actor, self._version(), self.kwargs["index"])

    @extend_schema(request=SampleCommentIn, responses={201: SampleCommentOut})
    def post(self, request: Request, version: int, index: int) -> Response:
        """Comment on a sample for a team (reviewers, submitters, owners); @name calls a member."""
        found = self._version()
        made = sample_comments.comment(actor=self.actor, version=found, index=index, **self.read(SampleCommentIn))
        return Response(self.shown(SampleCommentOut, made), status=201)


class SampleCommentDetail(Resource):
    scope = "review"

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Take a comment back (its author, or an owner). Safe to call twice."""
        mine = SampleComment.objects.filter(team__in=teams_where(request.user)).select_related("team", "author")
        sample_comments.take_back(actor=self.actor, comment=get_object_or_404(mine, pk=pk))
        return Response(status=204)


urlpatterns = [
    path("reviews/", Reviews.as_view(), name="reviews"),
    path("reviews/<int:pk>/", ReviewDetail.as_view(), name="review"),
    path("reviews/<int:pk>/verdicts/", Verdicts.as_view(), name="verdicts"),
    path("reviews/<int:pk>/verdicts/<int:verdict>/dismiss/", DismissVerdict.as_view(), name="dismiss_verdict"),
    path("reviews/<int:pk>/comments/", Comments.as_view(), name="comments"),
    path("reviews/<int:pk>/comments/<int:comment>/resolve/", ResolveComment.as_view(), name="resolve_comment"),
    path("reviews/<int:pk>/send/", SendReview.as_view(), name="send_review"),
    path("reviews/<int:pk>/freeze/", FreezeReview.as_view(), name="freeze_review"),
    path("reviews/<int:pk>/withdraw/", WithdrawReview.as_view(), name="withdraw_review"),
    path("reviews/<int:pk>/publish/", PublishReview.as_view(), name="publish_review"),
    path("reviews/<int:pk>/sign-off/", SignOff.as_view(), name="sign_off"),
    path("samples/<int:version>/<int:index>/comments/", SampleComments.as_view(), name="sample_comments"),
    path("samples/comments/<int:pk>/", SampleCommentDetail.as_view(), name="sample_comment"),
]
