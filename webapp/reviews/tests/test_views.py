"""Pages of reviews: from the request to the sign-off record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from webapp.accounts.models import User, Visibility
from webapp.errors import Unprocessable
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.reviews import services
from webapp.reviews.models import Comment, Review, Verdict
from webapp.reviews.services import Remark, Subject
from webapp.tests import factories

State = Review.State


@pytest.fixture
def signed_in() -> Callable[[User], Client]:
    def client(user: User) -> Client:
        made = Client()
        made.force_login(user)
        return made

    return client


def ruling(review: Review, *remarks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the form sends."""
    rows = {f"remarks-{at}-{name}": value for at, row in enumerate(remarks) for name, value in row.items()}
    count = {"remarks-TOTAL_FORMS": len(remarks), "remarks-INITIAL_FORMS": 0}
    return {"ruling": "approve", "body": "", "seen_hash": review.subject_hash, **count, **rows, **more}


def test_a_board_is_frozen_and_people_are_asked(
    signed_in: Any, bob: User, rita: User, board: Leaderboard, runs: list[Run]
) -> None:
    factories.refresh(board)
    client = signed_in(bob)

    page = client.get("/reviews/new/?board=lab/main")
    sent = {"title": "Ship it?", "approvals": 2, "reviewers": [rita.pk], "description": "Have a look."}
    answer = client.post("/reviews/new/?board=lab/main", sent)

    assert "bob" not in str(page.context["form"]["reviewers"]), "nobody is asked to review their own request"
    review = Review.objects.get()
    assert answer["Location"] == f"/reviews/{review.pk}/"
    assert (review.leaderboard, sorted(review.runs)) == (board, sorted(run.pk for run in runs))
    assert (review.approvals, review.state) == (2, State.IN_REVIEW)


def test_contenders_without_all_results_are_left_out(
    signed_in: Any, bob: User, board: Leaderboard, runs: list[Run]
) -> None:
    Run.objects.filter(pk=runs[0].pk).update(state="failed", mean=None)
    factories.refresh(board)

    page = signed_in(bob).get("/reviews/new/?board=lab/main")

    assert len(page.context["found"].subject.runs) == 2
    assert "1 of 2 contenders lack a result" in page.content.decode()


def test_a_job_and_a_report_are_frozen(
    signed_in: Any, bob: User, job: Job, board: Leaderboard, runs: list[Run]
) -> None:
    report = factories.report(bob, factories.refresh(board), "mean-score")
    client = signed_in(bob)

    for query in (f"job={job.pk}", f"report={report.pk}"):
        sent = {"title": "Right?", "approvals": 1, "leaderboard": board.pk, "draft": "1"}
        client.post(f"/reviews/new/?{query}", sent)

    of_job, of_report = Review.objects.order_by("pk")
    assert (of_job.report, of_report.report) == (None, report)
    assert sorted(of_job.runs) == sorted(of_report.runs) == sorted(run.pk for run in runs)
    assert {of_job.state, of_report.state} == {State.DRAFT}
    assert of_job.leaderboard == board


@pytest.mark.parametrize("query", ["report=999", "board=lab/none", "job=x", "report=99999999999999999999"])
def test_what_is_not_there_cannot_be_frozen(signed_in: Any, bob: User, query: str) -> None:
    assert signed_in(bob).get(f"/reviews/new/?{query}").status_code == 404


def test_who_may_not_submit_does_not_ask(signed_in: Any, rita: User, board: Leaderboard, runs: list[Run]) -> None:
    factories.refresh(board)
    client = signed_in(rita)

    assert client.get("/reviews/new/?board=lab/main").status_code == 403
    assert client.post("/reviews/new/?board=lab/main", {"title": "x", "approvals": 1}).status_code == 403


def test_a_job_without_results_has_nothing_to_freeze(signed_in: Any, bob: User, job: Job) -> None:
    client = signed_in(bob)

    assert "nothing to freeze" in client.get(f"/reviews/new/?job={job.pk}").content.decode()
    refused = client.post(f"/reviews/new/?job={job.pk}", {"title": "x", "approvals": 1})
    assert refused.status_code == 422


def test_the_inbox_says_what_waits(signed_in: Any, review: Review, rita: User, bob: User) -> None:
    page = signed_in(rita).get("/reviews/")

    assert [one.pk for one in page.context["inbox"]] == [review.pk]
    assert '1<span class="sr"> waiting for you' in signed_in(rita).get("/reviews/inbox/").content.decode()
    assert "Nothing waits" in signed_in(bob).get("/reviews/").content.decode()
    assert "waiting" not in signed_in(bob).get("/reviews/inbox/").content.decode()


def test_reviews_are_found_by_state_and_title(signed_in: Any, review: Review, rita: User) -> None:
    client = signed_in(rita)

    assert list(client.get("/reviews/?state=in_review&q=ship").context["page"]) == [review]
    assert "No review fits" in client.get("/reviews/?state=published").content.decode()
    assert client.get("/reviews/?state=nonsense").status_code == 200


def test_a_ruling_is_sent_with_all_its_remarks(signed_in: Any, review: Review, rita: User, runs: list[Run]) -> None:
    rows = [
        {"place": runs[0].pk, "sample": "1", "text": "Why?"},
        {"place": "plot", "plot": "Frontier", "text": "Which axis?"},
        {"place": "", "text": "In all: fine."},
        {"place": runs[1].pk, "text": "   "},
    ]
    answer = signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review, *rows, ruling="request_changes", body="No."))

    assert answer.status_code == 302
    verdict = Verdict.objects.get()
    anchors = list(verdict.comments.order_by("pk").values_list("anchor", flat=True))
    assert anchors == [{"run": runs[0].pk, "sample": 1}, {"plot": "Frontier"}, {}]
    page = signed_in(rita).get(f"/reviews/{review.pk}/").content.decode()
    assert f'href="/runs/{runs[0].pk}/samples/1/"' in page
    assert "Changes requested" in page


@pytest.mark.parametrize(
    ("row", "more"),
    [
        ({"place": "999999", "text": "x"}, {}),
        ({"place": "nonsense", "text": "x"}, {}),
        ({"place": "", "sample": "-1", "text": "x"}, {}),
        ({"place": "plot", "plot": "", "text": "x"}, {}),
        ({"text": ""}, {"ruling": "comment"}),
        ({"text": ""}, {"ruling": "praise"}),
        ({"text": ""}, {"seen_hash": "0" * 64}),
    ],
)
def test_nothing_of_a_bad_ruling_is_kept(
    signed_in: Any, review: Review, rita: User, row: dict[str, str], more: dict[str, str]
) -> None:
    answer = signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review, row, **more))

    assert answer.status_code == 422
    assert Verdict.objects.count() == Comment.objects.count() == 0


def test_without_the_form_of_remarks_nothing_is_taken(signed_in: Any, review: Review, rita: User) -> None:
    answer = signed_in(rita).post(f"/reviews/{review.pk}/", {"ruling": "approve", "seen_hash": review.subject_hash})

    assert answer.status_code == 422
    assert Verdict.objects.count() == 0


def test_an_author_comments_and_is_offered_no_ruling(signed_in: Any, review: Review, bob: User) -> None:
    client = signed_in(bob)

    assert "Approve" not in str(client.get(f"/reviews/{review.pk}/").context["form"])
    assert client.post(f"/reviews/{review.pk}/", ruling(review)).status_code == 422
    assert client.post(f"/reviews/{review.pk}/", ruling(review, ruling="comment", body="Note.")).status_code == 302
    assert [one.ruling for one in Verdict.objects.all()] == ["comment"]


def test_stale_numbers_are_said_and_frozen_again(
    signed_in: Any, review: Review, rita: User, bob: User, runs: list[Run]
) -> None:
    newer = Run.objects.get(pk=runs[0].pk)
    newer.pk, newer.identity = None, "f" * 64
    newer.settings = {**newer.settings, "repeat": 1}
    newer.save()

    page = signed_in(rita).get(f"/reviews/{review.pk}/").content.decode()
    refused = signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review))
    frozen = signed_in(bob).post(f"/reviews/{review.pk}/freeze/", follow=True).content.decode()

    assert "There are newer results of" in page
    assert refused.status_code == 422
    assert "frozen anew" in frozen
    review.refresh_from_db()
    assert newer.pk in review.runs
    assert runs[0].pk not in review.runs
    assert "newer results" not in signed_in(rita).get(f"/reviews/{review.pk}/").content.decode()
    assert signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review)).status_code == 302


def test_a_private_rerun_is_nobodys_news(review: Review, runs: list[Run], signed_in: Any, rita: User) -> None:
    newer = Run.objects.get(pk=runs[0].pk)
    newer.pk, newer.identity, newer.visibility = None, "f" * 64, Visibility.PRIVATE
    newer.save()

    assert "newer results" not in signed_in(rita).get(f"/reviews/{review.pk}/").content.decode()


def test_a_later_report_takes_the_place_of_one(
    signed_in: Any, ask: Callable[..., Review], bob: User, board: Leaderboard, runs: list[Run]
) -> None:
    factories.refresh(board)
    report, later = (factories.report(bob, board, "mean-score") for _ in range(2))
    review = ask(subject=Subject(report=report))

    assert signed_in(bob).get(f"/reviews/{review.pk}/").context["later"] == [later]
    signed_in(bob).post(f"/reviews/{review.pk}/freeze/", {"report": later.pk})

    review.refresh_from_db()
    assert review.report == later


def test_threads_are_answered_and_settled(signed_in: Any, review: Review, rita: User, bob: User) -> None:
    first = services.add_comment(actor=rita, review=review, remark=Remark("Why?"))
    client, place = signed_in(bob), f"/reviews/{review.pk}"

    client.post(f"{place}/answer/", {"parent": first.pk, f"body-{first.pk}": "Because.", "body-9": "Not this."})
    empty = client.post(f"{place}/answer/", {"parent": first.pk}, follow=True).content.decode()
    client.post(f"{place}/resolve/", {"resolve": first.pk})

    assert [one.body for one in first.answers.all()] == ["Because."]
    assert "There is nothing in this comment" in empty
    first.refresh_from_db()
    assert first.resolved_by == bob
    client.post(f"{place}/resolve/", {"reopen": first.pk})
    first.refresh_from_db()
    assert first.resolved_at is None


def test_from_approval_to_the_board_and_the_record(
    signed_in: Any, ask: Callable[..., Review], rita: User, alice: User, board: Leaderboard, runs: list[Run]
) -> None:
    factories.refresh(board)
    review = ask(subject=Subject([run.pk for run in runs], leaderboard=board))
    assert signed_in(rita).get(f"/reviews/{review.pk}/sign-off/").status_code == 409

    signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review))
    signed_in(alice).post(f"/reviews/{review.pk}/publish/")

    page = signed_in(rita).get("/boards/lab/main/").content.decode()
    assert page[page.index("<tbody") :].partition("</tbody>")[0].count("</span> signed off") == 2
    record = signed_in(rita).get(f"/reviews/{review.pk}/sign-off/").content.decode()
    assert review.subject_hash in record
    download = signed_in(rita).get(f"/reviews/{review.pk}/sign-off.json")
    assert download["Content-Disposition"] == f'attachment; filename="sign-off-{review.pk}.json"'
    assert download.json()["record"]["state"] == "published"


def test_an_owner_sets_a_ruling_aside(signed_in: Any, review: Review, rita: User, alice: User) -> None:
    signed_in(rita).post(f"/reviews/{review.pk}/", ruling(review, ruling="request_changes", body="No."))
    verdict, client = Verdict.objects.get(), signed_in(alice)

    silent = client.post(f"/reviews/{review.pk}/dismiss/", {"verdict": verdict.pk}, follow=True).content.decode()
    said = {"verdict": verdict.pk, f"reason-{verdict.pk}": "She left."}
    page = client.post(f"/reviews/{review.pk}/dismiss/", said, follow=True).content.decode()

    assert "A dismissal needs a reason" in silent
    assert "Set aside by alice" in page
    assert "She left." in page


def test_a_thread_of_another_review_is_not_reached(
    signed_in: Any, ask: Callable[..., Review], review: Review, rita: User, alice: User
) -> None:
    other = ask(title="Other")
    comment = services.add_comment(actor=rita, review=other, remark=Remark("Why?"))

    assert signed_in(alice).post(f"/reviews/{review.pk}/resolve/", {"resolve": comment.pk}).status_code == 404


def test_private_runs_are_reviewed_by_owners_only(
    ask: Callable[..., Review], signed_in: Any, runs: list[Run], rita: User, alice: User, bob: User
) -> None:
    Run.objects.update(visibility=Visibility.PRIVATE, created_by=bob)
    with pytest.raises(Unprocessable, match="may not read"):
        ask()
    review = ask(reviewers=[alice])
    assert review.visibility == Visibility.PRIVATE
    assert signed_in(rita).get(f"/reviews/{review.pk}/").status_code == 404
    assert signed_in(alice).get(f"/reviews/{review.pk}/").status_code == 200


def test_somebody_elses_private_runs_cannot_be_frozen(ask: Callable[..., Review], alice: User, runs: list[Run]) -> None:
    Run.objects.update(visibility=Visibility.PRIVATE, created_by=alice)
    with pytest.raises(Unprocessable, match="not finished, or not the team’s"):
        ask()
