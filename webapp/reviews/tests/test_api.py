"""REST of reviews: scopes, forged rulings, and the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from webapp.accounts import services as accounts
from webapp.accounts.models import User
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.reviews import services
from webapp.reviews.models import Review, Verdict
from webapp.reviews.record import verified
from webapp.reviews.services import Subject
from webapp.tests import factories

REVIEWS = "/api/v1/reviews/"


@pytest.fixture
def caller() -> Callable[..., Callable[..., Any]]:
    """call(method, path, body) with a token of somebody that has these scopes."""

    def of(user: User, *scopes: str) -> Callable[..., Any]:
        secret = accounts.create_token(actor=user, name="ci", scopes=scopes, days=1)[1]

        def call(method: str, path: str, body: Any = None) -> Any:
            headers = {"Authorization": f"Bearer {secret}"}
            sent = {} if method == "get" else {"data": body, "content_type": "application/json"}
            return getattr(Client(), method)(path, headers=headers, **sent)

        return call

    return of


def place(review: Review, rest: str = "") -> str:
    return f"{REVIEWS}{review.pk}/{rest}"


def approval(review: Review, **more: Any) -> dict[str, Any]:
    return {"ruling": "approve", "seen_hash": review.subject_hash, **more}


def test_a_review_from_the_request_to_the_record(
    caller: Any, bob: User, rita: User, alice: User, board: Leaderboard, runs: list[Run]
) -> None:
    factories.refresh(board)
    asked = {"team": "lab", "title": "Ship it?", "leaderboard": "lab/main", "reviewers": ["rita"]}
    made = caller(bob, "submit")("post", REVIEWS, asked)
    assert made.status_code == 201
    review = Review.objects.get()
    assert made["Location"].endswith(place(review))
    assert made.json()["leaderboard"] == "lab/main"

    rule = caller(rita, "read", "review")
    assert [one["id"] for one in rule("get", f"{REVIEWS}?inbox=1").json()["results"]] == [review.pk]
    remark = {"body": "Why?", "anchor": {"run": runs[0].pk, "sample": 1}}
    assert rule("post", place(review, "verdicts/"), approval(review, comments=[remark])).status_code == 201
    assert rule("get", f"{REVIEWS}?inbox=1").json()["results"] == []

    assert caller(alice, "admin")("post", place(review, "publish/")).json()["state"] == "published"
    detail = rule("get", place(review)).json()
    assert (detail["reviewers"], detail["stale_because"]) == (["rita"], [])
    assert detail["comments"][0]["anchor"] == remark["anchor"]
    assert {check["name"] for check in detail["checks"]} >= {"Enough samples", "One harness"}
    record = rule("get", place(review, "sign-off/")).json()
    assert verified(record)["subject_hash"] == review.subject_hash


@pytest.mark.parametrize(
    ("who", "scope", "path", "body"),
    [
        ("rita", "submit", "verdicts/", {"ruling": "approve"}),
        ("rita", "read", "comments/", {"body": "x"}),
        ("bob", "review", "withdraw/", {}),
        ("bob", "review", "freeze/", {}),
        ("alice", "submit", "publish/", {}),
    ],
)
def test_each_call_needs_its_scope(
    caller: Any, review: Review, who: str, scope: str, path: str, body: Any, request: pytest.FixtureRequest
) -> None:
    answer = caller(request.getfixturevalue(who), scope)("post", place(review, path), body)

    assert answer.status_code == 403
    assert "lacks the scope" in answer.json()["detail"]


def test_an_approval_cannot_be_forged(
    caller: Any, review: Review, bob: User, rita: User, vera: User, alice: User, runs: list[Run]
) -> None:
    path = place(review, "verdicts/")
    by_author, by_viewer = (caller(user, "review")("post", path, approval(review)) for user in (bob, vera))
    assert (by_author.status_code, by_viewer.status_code) == (403, 403)

    rule = caller(rita, "review")
    for wrong in ({"seen_hash": "0" * 64}, {"seen_hash": ""}, {"author": "alice"}, {"subject_hash": "x"}):
        assert rule("post", path, approval(review, **wrong)).status_code in {400, 409}, wrong
    assert rule("post", path, {"ruling": "approve"}).status_code == 400, "the hash that was seen is part of a ruling"

    Run.objects.filter(pk=runs[0].pk).update(mean=0.1)
    assert rule("post", path, approval(review)).status_code == 409
    Run.objects.filter(pk=runs[0].pk).update(mean=runs[0].mean)

    accounts.remove_member(actor=alice, team=review.team, user=rita)
    assert rule("post", path, approval(review)).status_code == 404
    assert Verdict.objects.count() == 0


def test_only_one_subject_is_named(caller: Any, bob: User, job: Job, runs: list[Run], team: Any) -> None:
    call = caller(bob, "submit")
    asked = {"team": "lab", "title": "Ship it?"}

    for more in ({}, {"job": job.pk, "runs": [runs[0].pk]}, {"runs": []}, {"report": 999}, {"job": 2**80}, {"x": 1}):
        assert call("post", REVIEWS, {**asked, **more}).status_code == 400, more
    assert call("post", REVIEWS, {**asked, "job": job.pk, "reviewers": ["nobody"]}).status_code == 422
    assert call("post", REVIEWS, {**asked, "job": job.pk}).json()["state"] == "in_review"


def test_a_draft_is_sent_and_withdrawn(caller: Any, bob: User, runs: list[Run], team: Any) -> None:
    call = caller(bob, "submit")
    made = call("post", REVIEWS, {"team": "lab", "title": "Ship it?", "runs": [runs[0].pk], "draft": True}).json()
    review = Review.objects.get(pk=made["id"])

    assert call("post", place(review, "send/")).json()["state"] == "in_review"
    assert call("post", place(review, "send/")).status_code == 409
    for _ in range(2):
        assert call("post", place(review, "withdraw/"), {"reason": "Not yet."}).json()["reason"] == "Not yet."


def test_other_runs_are_frozen(caller: Any, review: Review, bob: User, runs: list[Run]) -> None:
    call = caller(bob, "submit")

    frozen = call("post", place(review, "freeze/"), {"runs": [runs[0].pk]})

    assert frozen.json()["subject_hash"] != review.subject_hash
    review.refresh_from_db()
    assert review.runs == [runs[0].pk]
    assert call("post", place(review, "freeze/"), {"report": 1}).status_code == 400


def test_a_report_stays_a_report(
    caller: Any, ask: Callable[..., Review], bob: User, board: Leaderboard, runs: list[Run]
) -> None:
    factories.refresh(board)
    review = ask(subject=Subject(report=factories.report(bob, board, "mean-score")))

    refused = caller(bob, "submit")("post", place(review, "freeze/"), {"runs": [runs[0].pk]})

    assert refused.json()["errors"]["runs"] == ["This is not what is under review here."]


def test_comments_are_answered_resolved_and_rulings_dismissed(
    caller: Any, review: Review, rita: User, bob: User, alice: User
) -> None:
    ask, answer = caller(rita, "review"), caller(bob, "review")
    first = ask("post", place(review, "comments/"), {"body": "Why?"}).json()
    second = answer("post", place(review, "comments/"), {"body": "Because.", "parent": first["id"]}).json()
    resolved = answer("post", place(review, f"comments/{first['id']}/resolve/"), {}).json()
    assert (second["parent"], resolved["resolved_by"]) == (first["id"], "bob")

    verdict = services.submit_verdict(
        actor=rita, review=review, ruling="request_changes", seen_hash=review.subject_hash, body="No."
    )
    path = place(review, f"verdicts/{verdict.pk}/dismiss/")
    assert caller(bob, "admin")("post", path, {"reason": "I disagree."}).status_code == 403
    assert caller(alice, "admin")("post", path, {"reason": " "}).status_code == 400
    assert caller(alice, "admin")("post", path, {"reason": "She left."}).json()["dismissed_by"] == "alice"


def test_a_record_needs_an_approval(api: Any, review: Review, rita: User) -> None:
    assert api(rita).get(place(review, "sign-off/")).status_code == 409
    assert api(rita).get(f"{REVIEWS}?state=nonsense").status_code == 400
    assert api(None).get(f"{REVIEWS}?inbox=1").json()["results"] == []
