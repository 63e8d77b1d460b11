"""Reads of reviews: who may see them, what was ruled, whether the numbers are still the ones that were ruled on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Max, QuerySet

from evaluation.analyses.base import to_json
from webapp.accounts.models import Membership, User
from webapp.accounts.selectors import May, Viewer, roles_that, visible
from webapp.jobs.models import Run
from webapp.results.models import Report
from webapp.reviews.models import Comment, Review, Verdict

State, Ruling = Review.State, Verdict.Ruling
OPEN = (State.IN_REVIEW, State.CHANGES_REQUESTED, State.APPROVED)
FACTS = ("pk", "identity", "state", "mean", "standard_error", "done", "total", "score_sum", "cost_usd")


def reviews(user: Viewer, *, state: str = "", search: str = "") -> QuerySet[Review]:
    rows = visible(Review.objects.all(), user).select_related("team", "created_by", "report", "leaderboard__team")
    if state:
        rows = rows.filter(state=state)
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.order_by("-pk")


def inbox(user: User) -> QuerySet[Review]:
    """What waits for this person: asked, not the author, and no standing ruling of theirs on the present numbers."""
    asked = reviews(user).filter(state__in=OPEN, reviewers__user=user).exclude(created_by=user)
    ruled = [
        verdict.review_id
        for verdict in Verdict.objects.filter(author=user, review__in=asked, dismissed_at=None).select_related("review")
        if verdict.ruling != Ruling.COMMENT and verdict.subject_hash == verdict.review.subject_hash
    ]
    return asked.exclude(pk__in=ruled)


def subject_hash(runs: Sequence[int], report: Report | None) -> str:
    """sha256 of the numbers under review: of each run what it says, of a report its analysis, parameters and result."""
    facts = Run.objects.filter(pk__in=runs).order_by("pk").values_list(*FACTS)
    subject: dict[str, object] = {"runs": [[str(value) for value in row] for row in facts]}
    if report is not None:
        subject["report"] = [report.analysis, report.analysis_version, report.parameters, to_json(report.result)]
    return hashlib.sha256(json.dumps(subject, sort_keys=True, allow_nan=False).encode()).hexdigest()


def stale_because(review: Review) -> list[str]:
    """Why approvals of this review no longer stand, in words; empty while the numbers are the ones that were frozen."""
    said = []
    if subject_hash(review.runs, review.report) != review.subject_hash:
        said.append("The numbers under review have changed since they were frozen.")
    newer = _newer(review.runs)
    if newer:
        said.append(f"There are newer results of {', '.join(newer)}.")
    return said


def _newer(runs: Iterable[int]) -> list[str]:
    """Names of contenders that have finished one of these benchmarks again, with the same settings, since."""
    frozen = list(Run.objects.filter(pk__in=list(runs)).select_related("contender"))
    if not frozen:
        return []
    latest = Run.objects.filter(
        contender__in={run.contender_id for run in frozen},
        version__in={run.version_id for run in frozen},
        state=Run.State.DONE,
        team__in={run.team_id for run in frozen},
    )
    found = (
        latest.values("contender", "version", "settings")
        .annotate(last=Max("pk"))
        .values_list("contender", "version", "settings", "last")
    )
    last = {(contender, version, _key(settings)): pk for contender, version, settings, pk in found}
    newer = [run for run in frozen if last.get((run.contender_id, run.version_id, _key(run.settings)), 0) > run.pk]
    return sorted({run.contender.name for run in newer})


def _key(settings: object) -> str:
    return json.dumps(settings, sort_keys=True)


@dataclass(frozen=True)
class Standing:
    """Somebody's latest ruling that counts. fresh: given for the numbers that are frozen now."""

    user: User
    verdict: Verdict
    fresh: bool


def standings(review: Review) -> list[Standing]:
    """The latest undismissed approval or request for changes of everybody who may still review for the team.

    A person who left the team, or lost the role, rules no more; an approval for other numbers is shown as stale.
    """
    able = set(
        Membership.objects.filter(team=review.team_id, role__in=roles_that(May.REVIEW)).values_list("user", flat=True)
    )
    latest: dict[int, Verdict] = {}
    for verdict in review.verdicts.select_related("author").exclude(ruling=Ruling.COMMENT).order_by("pk"):
        if verdict.dismissed_at is None and verdict.author_id in able:
            latest[verdict.author_id] = verdict
    return [Standing(one.author, one, one.subject_hash == review.subject_hash) for one in latest.values()]


def verdict_on(review: Review) -> tuple[str, str]:
    """State and reason that the rulings add up to, for a review that is open."""
    rulings = standings(review)
    blocking = [one.user.username for one in rulings if one.verdict.ruling == Ruling.REQUEST_CHANGES]
    if blocking:
        return State.CHANGES_REQUESTED, f"{', '.join(blocking)} asked for changes."
    approving = {one.user.pk for one in rulings if one.verdict.ruling == Ruling.APPROVE and one.fresh}
    lacking = [
        r.user.username for r in review.reviewers.select_related("user") if r.required and r.user_id not in approving
    ]
    if lacking:
        return State.IN_REVIEW, f"Waiting for {', '.join(lacking)}."
    if len(approving) < review.approvals:
        return State.IN_REVIEW, f"{len(approving)} of {review.approvals} approvals."
    names = ", ".join(sorted(one.user.username for one in rulings if one.user.pk in approving))
    return State.APPROVED, f"Approved by {names}."


def threads(review: Review) -> list[Comment]:
    """First comments of threads with `answers` read, oldest first."""
    comments = review.comments.select_related("author", "resolved_by").filter(parent=None)
    return list(comments.prefetch_related("answers__author"))


def runs_of(review: Review) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=review.runs).select_related("contender", "version__benchmark", "team")
