"""Who may rule on what, and when: however a request is forged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from webapp.accounts import services as accounts
from webapp.accounts.models import AuditEvent, Membership, Role, Team, User
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.releases.models import Release
from webapp.reviews import selectors, services
from webapp.reviews.models import Comment, Review, Verdict
from webapp.reviews.services import Remark, Subject
from webapp.tests import factories

State = Review.State


def rule(user: User, review: Review, ruling: str = "approve", **more: object) -> Review:
    services.submit_verdict(
        actor=user, review=review, ruling=ruling, **{"seen_hash": review.subject_hash, "body": "Looked at it.", **more}
    )
    review.refresh_from_db()
    return review


def submitter(team: Team, alice: User, name: str, role: str = Role.REVIEWER) -> User:
    user = factories.person(name)
    accounts.set_member(actor=alice, team=team, username=name, role=role)
    return user


def test_a_request_waits_for_its_reviewers(review: Review, rita: User, bob: User) -> None:
    assert (review.state, review.reason) == (State.IN_REVIEW, "Waiting for rita.")
    assert list(selectors.inbox(rita)) == [review]
    assert list(selectors.inbox(bob)) == []
    rule(rita, review)
    assert (review.state, review.reason) == (State.APPROVED, "Approved by rita.")
    assert list(selectors.inbox(rita)) == []
    verbs = AuditEvent.objects.filter(target__startswith="Review").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["drafted review", "requested review", "reviewed"]


def test_a_draft_is_sent_later(ask: Callable[..., Review], bob: User, rita: User) -> None:
    draft = ask(draft=True)
    assert draft.state == State.DRAFT
    assert list(selectors.inbox(rita)) == []
    with pytest.raises(Conflict):
        rule(rita, draft)
    assert services.send_review(actor=bob, review=draft).state == State.IN_REVIEW
    with pytest.raises(Conflict):
        services.send_review(actor=bob, review=draft)


def test_the_author_never_rules_on_the_request(review: Review, bob: User, team: Team, alice: User) -> None:
    for ruling in ("approve", "request_changes"):
        with pytest.raises(NotAllowed):
            rule(bob, review, ruling)
    accounts.set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    with pytest.raises(NotAllowed):
        rule(bob, review)
    assert rule(bob, review, "comment").state == State.IN_REVIEW


@pytest.mark.parametrize("who", ["vera", "charlie"])
def test_viewers_and_strangers_do_not_rule(review: Review, who: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowed):
        rule(request.getfixturevalue(who), review)
    assert review.verdicts.count() == 0


def test_a_removed_member_neither_rules_nor_counts(review: Review, rita: User, alice: User, team: Team) -> None:
    rule(rita, review)
    accounts.remove_member(actor=alice, team=team, user=rita)
    with pytest.raises(Conflict, match="approved, and not stale"):
        services.publish_review(actor=alice, review=review)
    with pytest.raises(NotAllowed):
        rule(rita, review)
    review.refresh_from_db()
    assert selectors.standings(review) == []


def test_a_demoted_reviewer_does_not_count(review: Review, rita: User, alice: User, team: Team) -> None:
    rule(rita, review)
    accounts.set_member(actor=alice, team=team, username="rita", role=Role.VIEWER)
    with pytest.raises(Conflict):
        services.publish_review(actor=alice, review=review)


def test_new_numbers_make_approvals_stale(review: Review, rita: User, bob: User, alice: User, runs: list[Run]) -> None:
    rule(rita, review)
    Run.objects.filter(pk=runs[0].pk).update(mean=0.5)
    assert "have changed" in selectors.stale_because(review)[0]
    with pytest.raises(Conflict):
        services.publish_review(actor=alice, review=review)
    with pytest.raises(Conflict, match="have changed"):
        rule(rita, review)
    review = services.freeze_again(actor=bob, review=review)
    assert (review.state, review.reason) == (State.IN_REVIEW, "Waiting for rita.")
    assert [one.fresh for one in selectors.standings(review)] == [False]
    assert list(selectors.inbox(rita)) == [review]
    assert rule(rita, review).state == State.APPROVED


def test_a_newer_run_makes_approvals_stale(review: Review, rita: User, runs: list[Run]) -> None:
    rule(rita, review)
    old = runs[0]
    old.pk, old.identity = None, "f" * 64
    old.save()
    assert selectors.stale_because(review) == [f"There are newer results of {old.contender.name}."]
    assert services.recheck() == 1
    review.refresh_from_db()
    assert review.state == State.IN_REVIEW
    assert "stale" in review.reason


def test_what_is_no_newer_result_leaves_approvals_alone(review: Review, runs: list[Run], charlie: User) -> None:
    """Other settings, somebody's private run, another team's, an older one; another repetition is news."""

    def again(**differs: Any) -> None:
        run = Run.objects.get(pk=runs[0].pk)
        run.pk, run.identity, run.settings = None, f"{Run.objects.count():064}", dict(run.settings)
        for name, value in differs.items():
            setattr(run, name, value)
        run.save(force_insert=True)

    again(settings={**runs[0].settings, "seed": 7})
    again(visibility="private")
    again(team=charlie.memberships.get().team)
    again(state=Run.State.FAILED)
    again(pk=-1)
    assert selectors.stale_because(review) == []
    assert selectors.newest(review.runs) == review.runs
    again(settings={**runs[0].settings, "repeat": 1, "batch_size": 8})
    assert selectors.stale_because(review) == [f"There are newer results of {runs[0].contender.name}."]
    assert selectors.newest(review.runs) == [Run.objects.latest("pk").pk, *review.runs[1:]]


def test_a_sweep_looks_at_a_bounded_number_those_first_that_waited_longest(
    review: Review, rita: User, runs: list[Run], monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """Of three approved reviews with new numbers each sweep finds one; the next ones find the others."""
    monkeypatch.setattr(services, "LOOKS", 1)
    rule(rita, review)
    review.refresh_from_db()
    for _ in range(2):
        review.pk = None
        review._state.adding = True
        review.save()
    for _ in range(3):
        assert services.recheck() == 0
    with django_assert_num_queries(5):  # two of a savepoint, the review, its numbers with newer ones, the mark
        services.recheck()
    Run.objects.filter(pk=runs[0].pk).update(mean=0.5)
    assert [services.recheck() for _ in range(4)] == [1, 1, 1, 0]


def test_a_ruling_on_other_numbers_than_those_seen_is_refused(review: Review, rita: User, bob: User) -> None:
    with pytest.raises(Conflict, match="frozen anew"):
        rule(rita, review, seen_hash="0" * 64)
    with pytest.raises(Conflict):
        rule(rita, review, seen_hash="")


def test_changes_block_until_their_author_approves(review: Review, rita: User, alice: User, team: Team) -> None:
    second = submitter(team, alice, "rolf")
    rule(rita, review)
    assert rule(second, review, "request_changes").state == State.CHANGES_REQUESTED
    assert rule(rita, review).state == State.CHANGES_REQUESTED
    assert rule(second, review).state == State.APPROVED


def test_an_owner_dismisses_with_a_reason(review: Review, rita: User, alice: User, bob: User) -> None:
    verdict = services.submit_verdict(
        actor=rita, review=review, ruling="request_changes", seen_hash=review.subject_hash, body="No."
    )
    with pytest.raises(NotAllowed):
        services.dismiss_verdict(actor=bob, verdict=verdict, reason="I disagree.")
    with pytest.raises(Unprocessable):
        services.dismiss_verdict(actor=alice, verdict=verdict, reason=" ")
    services.dismiss_verdict(actor=alice, verdict=verdict, reason="She is away.")
    review.refresh_from_db()
    assert (review.state, review.reason) == (State.IN_REVIEW, "Waiting for rita.")


def test_nobody_sets_aside_a_ruling_on_their_own_request(
    review: Review, rita: User, bob: User, alice: User, team: Team
) -> None:
    verdict = services.submit_verdict(
        actor=rita, review=review, ruling="request_changes", seen_hash=review.subject_hash, body="No."
    )
    accounts.set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    with pytest.raises(NotAllowed):
        services.dismiss_verdict(actor=bob, verdict=verdict, reason="I disagree.")


def test_a_verdict_does_not_change_in_the_database(review: Review, rita: User) -> None:
    rule(rita, review, "request_changes")
    for change in ({"ruling": "approve"}, {"subject_hash": "0" * 64}, {"body": "Fine."}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Verdict.objects.update(**change)


def test_several_approvals(ask: Callable[..., Review], rita: User, alice: User) -> None:
    review = ask(approvals=2)
    assert rule(rita, review).reason == "1 of 2 approvals."
    assert rule(alice, review).state == State.APPROVED


def test_who_is_asked_must_be_able_to(ask: Callable[..., Review], bob: User, vera: User, charlie: User) -> None:
    for user in (bob, vera, charlie):
        with pytest.raises(Unprocessable) as refused:
            ask(reviewers=[user])
        assert refused.value.field == "reviewers"


def test_what_is_asked_about_must_be_finished_and_ones_own(
    ask: Callable[..., Review], job: Job, charlie: User, runs: list[Run], board: Leaderboard
) -> None:
    for subject, field in (
        (Subject(), "runs"),
        (Subject(runs=[10**9]), "runs"),
    ):
        with pytest.raises(Unprocessable) as refused:
            ask(subject=subject)
        assert refused.value.field == field
    Run.objects.filter(pk=runs[0].pk).update(state="failed")
    with pytest.raises(Unprocessable):
        ask()
    with pytest.raises(NotAllowed):
        services.request_review(actor=charlie, team=job.team, title="Mine?", subject=Subject(runs=[runs[1].pk]))
    theirs = charlie.memberships.get().team
    with pytest.raises(Unprocessable):
        services.request_review(actor=charlie, team=theirs, title="Mine?", subject=Subject(runs=[runs[1].pk]))


def test_a_report_is_reviewed_with_its_runs(
    ask: Callable[..., Review], board: Leaderboard, runs: list[Run], bob: User, rita: User
) -> None:
    report = factories.report(bob, factories.refresh(board), "mean-score")
    review = ask(subject=Subject(report=report, leaderboard=board))
    assert sorted(review.runs) == sorted(run.pk for run in runs)
    rule(rita, review)
    report.result["contenders"] = ["other"]
    report.save()
    assert selectors.stale_because(review)


def test_publishing_can_freeze_the_board_with_it(alice, rita, ask, board, runs):
    factories.refresh(board)
    review = ask(subject=Subject(runs=[run.pk for run in runs], leaderboard=board))
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)

    services.publish_review(actor=alice, review=review, release="2026-q4")

    made = Release.objects.get()
    assert (made.name, made.review) == ("2026-q4", review.pk)
    assert {row["signed_off"] for row in made.frozen["standings"]} == {review.pk}


def test_a_release_that_cannot_be_frozen_publishes_nothing(alice, rita, ask, runs):
    review = ask()
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)

    with pytest.raises(Unprocessable, match="names no board"):
        services.publish_review(actor=alice, review=review, release="2026-q4")

    review.refresh_from_db()
    assert review.state == State.APPROVED


def test_publishing_supersedes(
    ask: Callable[..., Review], board: Leaderboard, runs: list[Run], rita: User, alice: User, bob: User
) -> None:
    subject = Subject(runs=[run.pk for run in runs], leaderboard=board)
    first, second = ask(subject=subject), ask(subject=subject, title="Again")
    for review in (first, second):
        rule(rita, review)
        with pytest.raises(NotAllowed):
            services.publish_review(actor=bob, review=review)
        assert services.publish_review(actor=alice, review=review).state == State.PUBLISHED
    first.refresh_from_db()
    assert (first.state, first.superseded_by) == (State.SUPERSEDED, second)
    with pytest.raises(Conflict):
        services.withdraw_review(actor=bob, review=second)
    with pytest.raises(Conflict):
        rule(rita, first)


def test_withdrawing_is_safe_to_press_twice(review: Review, bob: User, rita: User) -> None:
    with pytest.raises(NotAllowed):
        services.withdraw_review(actor=rita, review=review)
    for _ in range(2):
        assert services.withdraw_review(actor=bob, review=review).state == State.WITHDRAWN
    assert AuditEvent.objects.filter(verb="withdrew").count() == 1


def test_a_verdict_lands_with_all_its_comments_or_not_at_all(review: Review, rita: User, runs: list[Run]) -> None:
    good = Remark("Why?", {"run": runs[0].pk, "sample": 1})
    for bad in ({"run": 10**9}, {"sample": 1}, {"plot": ""}, {"run": runs[0].pk, "sample": -1}, {"page": 1}):
        with pytest.raises(Unprocessable):
            rule(rita, review, remarks=[good, Remark("x", bad)])
    assert Verdict.objects.count() == Comment.objects.count() == 0
    rule(rita, review, "request_changes", body="", remarks=[good, Remark("Axis?", {"plot": "ambiguity"})])
    assert [comment.anchor for comment in review.comments.all()] == [good.anchor, {"plot": "ambiguity"}]


def test_threads_are_answered_and_settled(review: Review, rita: User, bob: User, vera: User) -> None:
    first = services.add_comment(actor=rita, review=review, remark=Remark("Why?"))
    services.add_comment(actor=bob, review=review, remark=Remark("Because.", parent=first.pk))
    with pytest.raises(NotAllowed):
        services.add_comment(actor=vera, review=review, remark=Remark("I think", parent=first.pk))
    services.resolve_comment(actor=bob, comment=first)
    thread = selectors.threads(review)[0]
    assert (thread.resolved_by, [answer.body for answer in thread.answers.all()]) == (bob, ["Because."])
    services.resolve_comment(actor=rita, comment=first, resolved=False)
    assert selectors.threads(review)[0].resolved_at is None
    with pytest.raises(Unprocessable):
        services.add_comment(actor=rita, review=review, remark=Remark("x", parent=10**9))


def test_reviews_are_seen_by_the_team(review: Review, vera: User, charlie: User) -> None:
    assert list(selectors.reviews(vera)) == [review]
    assert list(selectors.reviews(charlie)) == []
    assert list(selectors.reviews(vera, state="approved")) == []
    assert list(selectors.reviews(vera, search="ship")) == [review]


def test_two_who_rule_at_once_both_count(review: Review, rita: User, alice: User) -> None:
    """The state is derived from all rulings under the review's lock."""
    stale_copy = Review.objects.get(pk=review.pk)
    rule(alice, review, "request_changes")
    rule(rita, stale_copy)
    review.refresh_from_db()
    assert review.state == State.CHANGES_REQUESTED
    assert Membership.objects.filter(user=rita).exists()
