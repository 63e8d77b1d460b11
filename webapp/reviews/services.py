"""What changes reviews. Every rule is checked here, under the review's lock, however the request came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, may, require, visible
from webapp.accounts.services import record
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.jobs.models import Run
from webapp.leaderboards import signing
from webapp.live import publish
from webapp.releases import services as releases
from webapp.results.models import Report
from webapp.reviews import selectors, telling
from webapp.reviews.models import Comment, Review, Reviewer, Verdict
from webapp.reviews.selectors import OPEN, Ruling, State
from webapp.reviews.subjects import Remark, Subject, renewed

MOST_RUNS = 5000
MOST_COMMENTS = 200
LOOKS = 10  # at approved reviews, of a sweep


@transaction.atomic
def request_review(
    *,
    actor: User,
    team: Team,
    title: str,
    subject: Subject,
    reviewers: Sequence[User] = (),
    approvals: int = 1,
    description: str = "",
    draft: bool = False,
) -> Review:
    """Freeze the subject and ask people to rule on it. Raises Unprocessable that names the field.

    What is private among the subject makes a private review, which only owners can rule on.
    """
    require(actor, team, May.SUBMIT)
    chosen = _check_subject(actor, team, subject)
    private = _is_private(subject, chosen)
    _check_people(actor, team, reviewers, approvals, private)
    if not title.strip():
        raise Unprocessable("A review needs a title.", field="title", remedy="Say what is to be decided.")
    review = Review.objects.create(
        team=team,
        created_by=actor,
        visibility=Visibility.PRIVATE if private else Visibility.TEAM,
        title=title.strip()[:160],
        description=description,
        report=subject.report,
        runs=chosen,
        leaderboard=subject.leaderboard,
        approvals=approvals,
        subject_hash=selectors.subject_hash(chosen, subject.report),
        frozen=selectors.snapshot(chosen),
        frozen_at=timezone.now(),
        reason="Not sent yet.",
    )
    Reviewer.objects.bulk_create([Reviewer(review=review, user=user) for user in dict.fromkeys(reviewers)])
    record(actor=actor, team=team, verb="drafted review", target=review, after={"hash": review.subject_hash})
    return review if draft else _send(actor, review)


@transaction.atomic
def send_review(*, actor: User, review: Review) -> Review:
    """A draft goes to its reviewers."""
    review = _locked(review)
    _require_author(actor, review)
    if review.state != State.DRAFT:
        raise Conflict("This review was sent already.", field="state")
    return _send(actor, review)


def _send(actor: User, review: Review) -> Review:
    review.state = State.IN_REVIEW
    _settle(review)
    asked = [reviewer.user.username for reviewer in review.reviewers.select_related("user")]
    record(actor=actor, team=review.team, verb="requested review", target=review, after={"reviewers": asked})
    telling.asked(review, actor)
    return review


@transaction.atomic
def submit_verdict(
    *, actor: User, review: Review, ruling: str, seen_hash: str, body: str = "", remarks: Sequence[Remark] = ()
) -> Verdict:
    """One submitted review: a ruling, with all its comments, or nothing of it.

    seen_hash: of the numbers that the person looked at; other ones by now refuse the ruling. The author of a request
    comments only. Raises NotAllowed, Conflict or Unprocessable.
    """
    review = _locked(review)
    require(actor, review.team, May.REVIEW)
    _check_ruling(actor, review, ruling, seen_hash, body, remarks)
    verdict = Verdict.objects.create(
        review=review, author=actor, ruling=ruling, body=body.strip(), subject_hash=review.subject_hash
    )
    for remark in remarks:
        _comment(actor, review, remark, verdict)
    before = review.state
    _settle(review)
    after = {"ruling": ruling, "hash": review.subject_hash, "state": review.state}
    record(actor=actor, team=review.team, verb="reviewed", target=review, before={"state": before}, after=after)
    telling.ruled(verdict)
    return verdict


def _check_ruling(
    actor: User, review: Review, ruling: str, seen_hash: str, body: str, remarks: Sequence[Remark]
) -> None:
    if ruling not in Ruling.values:
        raise Unprocessable(f"{ruling} is not a ruling.", field="ruling", remedy=f"Use {', '.join(Ruling.values)}.")
    if review.state not in OPEN:
        raise Conflict(f"This review is {review.get_state_display().lower()}: nobody rules on it.", field="state")
    if len(remarks) > MOST_COMMENTS:
        raise Unprocessable(f"At most {MOST_COMMENTS} comments at once.", field="comments")
    if ruling != Ruling.COMMENT:
        _check_right_to_rule(actor, review, seen_hash)
    if ruling != Ruling.APPROVE and not body.strip() and not remarks:
        raise Unprocessable("There is nothing in this review.", field="body", remedy="Say it in the text or a comment.")


def _check_right_to_rule(actor: User, review: Review, seen_hash: str) -> None:
    """Not on one's own request, and only on the numbers that are frozen and were looked at."""
    if actor.pk == review.created_by_id:
        raise NotAllowed("Nobody rules on their own request.", field="ruling", remedy="Comment, or ask somebody else.")
    stale = selectors.stale_because(review)
    if stale:
        raise Conflict(stale[0], field="subject_hash", remedy="The author has to freeze the new numbers first.")
    if seen_hash != review.subject_hash:
        said = "The numbers were frozen anew since you looked."
        raise Conflict(said, field="subject_hash", remedy="Look at them again, then rule.")


@transaction.atomic
def add_comment(*, actor: User, review: Review, remark: Remark) -> Comment:
    """A comment outside a verdict: an answer in a thread, or a remark."""
    review = _locked(review)
    if actor.pk != review.created_by_id:
        require(actor, review.team, May.REVIEW)
    if review.state not in (*OPEN, State.DRAFT):
        raise Conflict(f"This review is {review.get_state_display().lower()}.", field="state")
    comment = _comment(actor, review, remark, None)
    record(actor=actor, team=review.team, verb="commented", target=review, after={"comment": comment.pk})
    telling.commented(comment)
    _changed(review)
    return comment


@transaction.atomic
def resolve_comment(*, actor: User, comment: Comment, resolved: bool = True) -> Comment:
    """Settle a thread, or open it again: its first comment carries the mark."""
    review = _locked(comment.review)
    if actor.pk not in {review.created_by_id, comment.author_id}:
        require(actor, review.team, May.MANAGE)
    first = comment.parent or comment
    first.resolved_at, first.resolved_by = (timezone.now(), actor) if resolved else (None, None)
    first.save(update_fields=["resolved_at", "resolved_by"])
    verb = "resolved" if resolved else "reopened"
    record(actor=actor, team=review.team, verb=verb, target=review, after={"comment": first.pk})
    _changed(review)
    return first


@transaction.atomic
def freeze_again(*, actor: User, review: Review, subject: Subject | None = None) -> Review:
    """The same subject as it is now, or new numbers: earlier approvals become stale, requests for changes stand."""
    review = _locked(review)
    _require_author(actor, review)
    if review.state not in (*OPEN, State.DRAFT):
        raise Conflict(f"This review is {review.get_state_display().lower()}.", field="state")
    before = review.subject_hash
    subject = subject or renewed(review)
    review.runs, review.report = _check_subject(actor, review.team, subject), subject.report
    if _is_private(subject, review.runs) and review.visibility != Visibility.PRIVATE:
        raise Unprocessable(
            "The new numbers are private.", field="runs", remedy="Request a review of its own for them."
        )
    review.subject_hash = selectors.subject_hash(review.runs, review.report)
    review.frozen, review.frozen_at = selectors.snapshot(review.runs), timezone.now()
    record(
        actor=actor,
        team=review.team,
        verb="froze",
        target=review,
        before={"hash": before},
        after={"hash": review.subject_hash},
    )
    _settle(review)
    if review.state in OPEN and review.subject_hash != before:
        telling.asked(review, actor, again=True)
    return review


@transaction.atomic
def dismiss_verdict(*, actor: User, verdict: Verdict, reason: str) -> Verdict:
    """An owner sets a ruling aside, and says why; nobody does so for a request of their own."""
    review = _locked(verdict.review)
    require(actor, review.team, May.MANAGE)
    if actor.pk == review.created_by_id:
        raise NotAllowed("Nobody sets aside a ruling on their own request.", remedy="Ask another owner.")
    if not reason.strip():
        raise Unprocessable("A dismissal needs a reason.", field="reason", remedy="Say why it is set aside.")
    verdict = Verdict.objects.select_for_update(of=("self",)).get(pk=verdict.pk)
    if verdict.dismissed_at is None:
        verdict.dismissed_at, verdict.dismissed_by, verdict.dismissal = timezone.now(), actor, reason.strip()
        verdict.save(update_fields=["dismissed_at", "dismissed_by", "dismissal"])
        after = {"verdict": verdict.pk, "of": verdict.author.username, "reason": reason.strip()}
        record(actor=actor, team=review.team, verb="dismissed", target=review, after=after)
    _settle(review)
    return verdict


@transaction.atomic
def withdraw_review(*, actor: User, review: Review, reason: str = "") -> Review:
    """Its author or an owner takes it back. Safe to press twice."""
    review = _locked(review)
    if actor.pk != review.created_by_id:
        require(actor, review.team, May.MANAGE)
    if review.state in (State.PUBLISHED, State.SUPERSEDED):
        raise Conflict("What is published is superseded by a new review, not withdrawn.", field="state")
    if review.state != State.WITHDRAWN:
        _move(actor, review, State.WITHDRAWN, reason.strip() or f"Withdrawn by {actor.username}.", "withdrew")
    return review


@transaction.atomic
def publish_review(*, actor: User, review: Review, release: str = "") -> Review:
    """An owner publishes what is approved now: looked at once more, not believed. Earlier ones are superseded.

    release: the name under which the review's board is frozen with it; all of this happens, or nothing.
    """
    review = _locked(review)
    require(actor, review.team, May.MANAGE)
    if review.state == State.PUBLISHED:
        return review
    _settle(review)
    if review.state != State.APPROVED:
        raise Conflict("Only what is approved, and not stale, can be published.", field="state", remedy=review.reason)
    earlier = Review.objects.select_for_update(of=("self",)).filter(
        team=review.team, leaderboard=review.leaderboard, state=State.PUBLISHED, leaderboard__isnull=False
    )
    for old in earlier:
        old.superseded_by = review
        old.save(update_fields=["superseded_by"])
        _move(actor, old, State.SUPERSEDED, f"Superseded by “{review.title}”.", "superseded")
    _move(actor, review, State.PUBLISHED, f"Published by {actor.username}. {review.reason}".strip(), "published")
    telling.published(review, actor)
    if review.leaderboard_id is not None:
        signing.sign_off(board_id=review.leaderboard_id, review=review.pk, runs=review.runs)
    if release:
        _release(actor, review, release)
    return review


def _release(actor: User, review: Review, name: str) -> None:
    board = review.leaderboard
    if board is None:
        said = "This review names no board that could be frozen."
        raise Unprocessable(said, field="release", remedy="Leave the name empty.")
    releases.freeze(actor=actor, board=board, name=name, note=f"Signed off: {review.title}", review=review.pk)


def _check_subject(actor: User, team: Team, subject: Subject) -> list[int]:
    """The runs of a subject that the team may have reviewed, and that who asks may read."""
    report, board = subject.report, subject.leaderboard
    if report is not None and (report.team_id != team.pk or report.state != Report.State.DONE):
        raise Unprocessable("This report is not finished, or not the team’s.", field="report", remedy="Choose another.")
    if board is not None and board.team_id != team.pk:
        raise Unprocessable(
            "This board belongs to another team.", field="leaderboard", remedy="Choose one of your own."
        )
    runs = list(dict.fromkeys(subject.runs if report is None else report.inputs["runs"]))
    if not 1 <= len(runs) <= MOST_RUNS:
        raise Unprocessable(f"A review is of 1 to {MOST_RUNS} runs.", field="runs", remedy="Choose some.")
    readable = visible(Run.objects.filter(pk__in=runs, team=team, state=Run.State.DONE, subset=None), actor)
    if readable.count() != len(runs):
        raise Unprocessable("Some of these runs are partial, not finished, or not the team’s.", field="runs")
    return runs


def _is_private(subject: Subject, runs: Sequence[int]) -> bool:
    owned = [one for one in (subject.report, subject.leaderboard) if one is not None]
    if any(one.visibility == Visibility.PRIVATE for one in owned):
        return True
    return Run.objects.filter(pk__in=runs, visibility=Visibility.PRIVATE).exists()


def _check_people(actor: User, team: Team, reviewers: Sequence[User], approvals: int, private: bool) -> None:
    for user in reviewers:
        if user.pk == actor.pk:
            raise Unprocessable("Nobody reviews their own request.", field="reviewers", remedy="Choose somebody else.")
        if not may(user, team, May.REVIEW):
            said = f"{user.username} may not review for the team {team.name}."
            raise Unprocessable(said, field="reviewers", remedy="An owner can give them the role reviewer.")
        if private and not may(user, team, May.MANAGE):
            said = f"{user.username} may not read what is private here."
            raise Unprocessable(said, field="reviewers", remedy="Ask an owner of the team.")
    if not 1 <= approvals <= 20:
        raise Unprocessable("A review needs 1 to 20 approvals.", field="approvals")


def _comment(actor: User, review: Review, remark: Remark, verdict: Verdict | None) -> Comment:
    body = remark.body.strip()
    if not body:
        raise Unprocessable("There is nothing in this comment.", field="body", remedy="Write something.")
    parent = None
    if remark.parent is not None:
        parent = review.comments.filter(pk=remark.parent).first()
        if parent is None:
            raise Unprocessable("What this answers is not in this review.", field="parent")
        parent = parent.parent or parent  # threads are one level deep
    anchor = parent.anchor if parent else _anchor(review, remark.anchor or {})
    return Comment.objects.create(
        review=review, verdict=verdict, parent=parent, author=actor, anchor=anchor, body=body[:8000]
    )


def _anchor(review: Review, anchor: Mapping[str, Any]) -> dict[str, Any]:
    """The place of a comment, checked: a run of the review, a sample of it, or a plot by name."""
    if not anchor:
        return {}
    run, sample, plot = anchor.get("run"), anchor.get("sample"), anchor.get("plot")
    if set(anchor) == {"plot"} and isinstance(plot, str) and 0 < len(plot) <= 80:
        return {"plot": plot}
    whole = {"run", "sample"} if sample is not None else {"run"}
    numbers = isinstance(run, int) and (sample is None or (isinstance(sample, int) and 0 <= sample < 2**31))
    if set(anchor) - {"sample"} | ({"sample"} if sample is not None else set()) != whole or not numbers:
        raise Unprocessable("A comment is on a run, on a sample of it, or on a plot.", field="anchor")
    if run not in review.runs:
        raise Unprocessable(f"Run {run} is not under review here.", field="anchor", remedy="Choose one that is.")
    return {"run": run} if sample is None else {"run": run, "sample": sample}


def _require_author(actor: User, review: Review) -> None:
    require(actor, review.team, May.SUBMIT)
    if actor.pk != review.created_by_id:
        require(actor, review.team, May.MANAGE)


def _locked(review: Review) -> Review:
    return Review.objects.select_for_update(of=("self",)).select_related("team", "report").get(pk=review.pk)


@transaction.atomic
def recheck() -> int:
    """From the sweep: what is approved on numbers that are no longer the latest goes back. Returns how many did.

    It looks at those that were looked at longest ago, so that a sweep costs the same with any number of them. None that
    has to go back is published meanwhile: who publishes looks anew.
    """
    approved = Review.objects.filter(state=State.APPROVED).select_related("team", "report").defer("frozen")
    longest = approved.order_by(F("checked_at").asc(nulls_first=True), "pk")
    looked = list(longest.select_for_update(of=("self",), skip_locked=True)[:LOOKS])
    stale = [review for review in looked if selectors.stale_because(review)]
    for review in stale:
        _settle(review)
    Review.objects.filter(pk__in=[review.pk for review in looked]).update(checked_at=Now())
    return sum(review.state != State.APPROVED for review in stale)


def _settle(review: Review) -> None:
    """Derive the state from the rulings. New data under the request makes approvals stale."""
    if review.state in OPEN:
        state, reason = selectors.verdict_on(review)
        stale = selectors.stale_because(review)
        lost = bool(stale) and review.state == State.APPROVED
        if stale and state == State.APPROVED:
            state, reason = (
                State.IN_REVIEW,
                f"{stale[0]} Approvals are stale until they are frozen anew and given again.",
            )
        review.state, review.reason = state, reason
        if lost:
            telling.stale(review)
    _changed(review)


def _move(actor: User, review: Review, state: str, reason: str, verb: str) -> None:
    before = review.state
    review.state, review.reason = state, reason
    record(actor=actor, team=review.team, verb=verb, target=review, before={"state": before}, after={"state": state})
    _changed(review)


def _changed(review: Review) -> None:
    """Something that a viewer can see is different. The review is locked, or was just made."""
    review.changes += 1
    review.save()
    publish(f"review.{review.pk}", review=review.pk, version=review.changes)
