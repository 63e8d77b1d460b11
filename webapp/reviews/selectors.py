"""Reads of reviews: who may see them, what was ruled, whether the numbers are still the ones that were ruled on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BigIntegerField, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast, JSONObject
from django.urls import reverse

from evaluation.analyses.base import to_json
from webapp.accounts.models import REMOVED, Membership, Team, User, Visibility
from webapp.accounts.selectors import May, Viewer, roles_that, teams_where, visible
from webapp.jobs.models import Run
from webapp.prepared import OneOf, Prepared
from webapp.results.models import Report
from webapp.reviews.checks import checks
from webapp.reviews.mentions import links
from webapp.reviews.models import Comment, Review, Verdict

State, Ruling = Review.State, Verdict.Ruling
OPEN = (State.IN_REVIEW, State.CHANGES_REQUESTED, State.APPROVED)
RUNS_SHOWN = 100
FACTS = ("pk", "identity", "state", "mean", "standard_error", "done", "total", "score_sum", "cost_usd")


def reviews(user: Viewer, *, state: str = "", search: str = "") -> QuerySet[Review]:
    rows = visible(Review.objects.all(), user).select_related("team", "created_by", "report", "leaderboard__team")
    if state:
        rows = rows.filter(state=state)
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.defer("frozen").order_by("-pk")


def inbox(user: User) -> QuerySet[Review]:
    """What waits for this person: asked, not the author, and no standing ruling of theirs on the present numbers."""
    able = teams_where(user, May.REVIEW).order_by()
    asked = reviews(user).filter(state__in=OPEN, reviewers__user=user, team__in=able).exclude(created_by=user)
    ruled = [
        verdict.review_id
        for verdict in Verdict.objects.filter(author=user, review__in=asked, dismissed_at=None).select_related("review")
        if verdict.ruling != Ruling.COMMENT and verdict.subject_hash == verdict.review.subject_hash
    ]
    return asked.exclude(pk__in=ruled)


def subject_hash(runs: Sequence[int], report: Report | None) -> str:
    """sha256 of the numbers under review: of each run what it says, of a report its analysis, parameters and result."""
    return _hash(_under_review(runs), report)


def stale_because(review: Review) -> list[str]:
    """Why approvals of this review no longer stand, in words; empty while the numbers are the ones that were frozen."""
    said, runs = [], _under_review(review.runs)
    if _hash(runs, review.report) != review.subject_hash:
        said.append("The numbers under review have changed since they were frozen.")
    newer = sorted({run.contender for run in runs if run.newest > run.pk})
    if newer:
        said.append(f"There are newer results of {', '.join(newer)}.")
    return said


def newest(runs: Sequence[int]) -> list[int]:
    """The newest finished runs of the same contenders on the same benchmarks, with the same settings."""
    return list(dict.fromkeys(run.newest for run in _under_review(runs)))


@dataclass(frozen=True)
class UnderReview:
    """A run as it is now. newest: the last one that finished its benchmark with the same settings, itself if none did
    since; what somebody keeps private is nobody else's news."""

    pk: int
    facts: list[str]
    contender: str
    newest: int


def _with_later(runs: Sequence[int]) -> QuerySet[Run, Any]:
    """By the index of newest runs: what is older than a run is not read, however much of it there is."""
    cell = {"contender": OuterRef("contender"), "version": OuterRef("version"), "pk__gt": OuterRef("pk")}
    later = Run.objects.filter(**cell, state=Run.State.DONE, subset=None).exclude(visibility=Visibility.PRIVATE)
    rows = Run.objects.filter(OneOf("pk", runs, BigIntegerField())).order_by("pk")
    said = JSONObject(run="pk", team="team", settings="settings")
    settings = Cast("settings", TextField())  # read only where there are later ones to compare with
    return rows.values_list(*FACTS, "contender__name", "team", settings, ArraySubquery(later.values(said=said)))


_rows_under_review = Prepared(_with_later, [-1])


def _under_review(runs: Sequence[int]) -> list[UnderReview]:
    """One query."""
    rows = [(row[: len(FACTS)], *row[len(FACTS) :]) for row in _rows_under_review.rows(list(runs))]
    teams = {team for _, _, team, _, _ in rows}
    return [
        UnderReview(
            pk=facts[0],
            facts=[str(value) for value in facts],
            contender=name,
            newest=_newest(facts[0], settings, [one for one in later if one["team"] in teams]),
        )
        for facts, name, _, settings, later in rows
    ]


def _newest(pk: int, settings: str, later: Sequence[Mapping[str, Any]]) -> int:
    same = _key(json.loads(settings)) if later else ""
    again: list[int] = [one["run"] for one in later if _key(one["settings"]) == same]
    return max([pk, *again])


def _hash(runs: Iterable[UnderReview], report: Report | None) -> str:
    subject: dict[str, object] = {"runs": [run.facts for run in runs]}
    if report is not None:
        subject["report"] = [report.analysis, report.analysis_version, report.parameters, to_json(report.result)]
    return hashlib.sha256(json.dumps(subject, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _key(settings: Mapping[str, object]) -> str:
    """What a result depends on: repetitions and the size of batches change no question."""
    return json.dumps({k: v for k, v in settings.items() if k not in {"batch_size", "repeat"}}, sort_keys=True)


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


def able_reviewers(team: Team) -> QuerySet[User]:
    """Who may rule for the team, by name."""
    able = Membership.objects.filter(team=team, role__in=roles_that(May.REVIEW))
    return User.objects.filter(pk__in=able.values("user"), is_active=True).order_by("username")


def snapshot(runs: Sequence[int]) -> list[dict[str, Any]]:
    """What these runs say now, for the record of what was approved."""
    rows = Run.objects.filter(pk__in=runs).select_related("contender", "version__benchmark").order_by("pk")
    return [
        {
            "id": run.pk,
            "contender": run.contender.name,
            "benchmark": str(run.version),
            "benchmark_hash": run.version.content_hash,
            "samples": run.done,
            "mean": run.mean,
            "identity": run.identity,
        }
        for run in rows
    ]


def threads(review: Review) -> list[Comment]:
    """First comments of threads with `answers` read, oldest first."""
    comments = review.comments.select_related("author", "resolved_by").filter(parent=None)
    return list(comments.prefetch_related("answers__author"))


def runs_of(review: Review) -> QuerySet[Run]:
    return Run.objects.filter(pk__in=review.runs).select_related("contender", "version__benchmark", "team")


@dataclass(frozen=True)
class Ruled:
    """A submitted review and what it counts for now: "counts", or why not."""

    verdict: Verdict
    status: str


def rulings(review: Review, standing: Sequence[Standing]) -> list[Ruled]:
    """All of them, oldest first. standing: those that count, from `standings`."""
    fresh = {one.verdict.pk: one.fresh for one in standing}
    rows = review.verdicts.select_related("author", "dismissed_by")
    return [Ruled(one, _status(one, fresh)) for one in rows]


def _status(verdict: Verdict, fresh: Mapping[int, bool]) -> str:
    if verdict.dismissed_at is not None:
        return "dismissed"
    if verdict.ruling == Ruling.COMMENT:
        return "comment"
    if verdict.pk not in fresh:
        return "overtaken"
    # A request for changes stands on whatever numbers: only its author, or an owner, takes it away.
    return "counts" if fresh[verdict.pk] or verdict.ruling == Ruling.REQUEST_CHANGES else "stale"


@dataclass(frozen=True)
class Thread:
    """A remark with its answers; where and address: the place that it is about, empty for the whole review."""

    first: Comment
    where: str
    address: str


def placed_threads(review: Review) -> list[Thread]:
    found = threads(review)
    anchored = {one.anchor["run"] for one in found if "run" in one.anchor}
    runs = Run.objects.filter(pk__in=anchored).exclude(visibility=REMOVED)
    named = {run.pk: str(run) for run in runs.select_related("contender", "version__benchmark")}
    return [Thread(one, *_place(review, one.anchor, named)) for one in found]


def _place(review: Review, anchor: Mapping[str, Any], named: Mapping[int, str]) -> tuple[str, str]:
    if "plot" in anchor:
        report = "" if review.report_id is None else reverse("results:report", args=[review.report_id])
        return f"Plot “{anchor['plot']}”", report
    if "run" not in anchor:
        return "", ""
    run = anchor["run"]
    opens, name = run in named, named.get(run, f"run {run} (deleted)")
    if "sample" in anchor:
        at = anchor["sample"]
        return f"Sample {at} of {name}", reverse("results:sample", args=[run, at]) if opens else ""
    return name, reverse("jobs:run", args=[run]) if opens else ""


def state_context(pk: int) -> dict[str, Any]:
    """What `_review_state.html` draws, wherever it is delivered: nothing in it depends on the viewer."""
    review = Review.objects.select_related("team", "created_by", "report", "leaderboard__team", "superseded_by").get(
        pk=pk
    )
    there = runs_of(review).exclude(visibility=REMOVED)
    runs = list(there.order_by("contender__name", "version__benchmark__name", "pk"))
    alive = review.state in (*OPEN, State.DRAFT, State.PUBLISHED)
    stale = stale_because(review) if alive else []
    standing = [replace(one, fresh=one.fresh and not stale) for one in standings(review)]
    ruled, placed = rulings(review, standing), placed_threads(review)
    return {
        "review": review,
        "stale": stale,
        "open": review.state in OPEN,
        "commentable": review.state in (*OPEN, State.DRAFT),
        "reviewers": _reviewers(review, standing),
        "checks": checks(runs),
        "rulings": ruled,
        "threads": placed,
        "people": links(review.team, _texts(ruled, placed)),
        "runs": runs[:RUNS_SHOWN],
        "number": len(runs),
        "samples": sum(run.done for run in runs),
    }


def _texts(ruled: Iterable[Ruled], placed: Iterable[Thread]) -> list[str]:
    """All that people wrote."""
    comments = [comment for thread in placed for comment in (thread.first, *thread.first.answers.all())]
    return [*(one.verdict.body for one in ruled), *(comment.body for comment in comments)]


def _reviewers(review: Review, standing: Sequence[Standing]) -> list[tuple[str, str]]:
    """Who was asked, with what they say to the present numbers."""
    said = {one.user.pk: one for one in standing}
    rows = review.reviewers.select_related("user").order_by("user__username")
    return [(row.user.username, _answer(said.get(row.user_id))) for row in rows]


def _answer(standing: Standing | None) -> str:
    if standing is None:
        return "waiting"
    if standing.verdict.ruling == Ruling.REQUEST_CHANGES:
        return "changes"
    return "approved" if standing.fresh else "stale"
