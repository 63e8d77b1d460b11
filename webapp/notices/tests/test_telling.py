"""Who hears of what: reviews, rulings, comments, mentions, jobs, joinings; and who does not."""

from __future__ import annotations

import pytest

from webapp.accounts import services as accounts
from webapp.accounts.invitations import accept_invitation, invite
from webapp.accounts.models import Membership
from webapp.jobs import leases
from webapp.jobs import services as jobs
from webapp.jobs.models import Run
from webapp.notices import outbox
from webapp.notices.models import Delivery, Email, Kind, Notice
from webapp.notices.selectors import Channels
from webapp.notices.services import set_preferences, tell_of_joining
from webapp.reviews import services
from webapp.reviews.mentions import names_in
from webapp.reviews.models import Review
from webapp.reviews.subjects import Remark, Subject
from webapp.tests import factories


@pytest.fixture
def runs(job):
    """Four finished runs; what was told of the job is forgotten."""
    done = [factories.finish([True, False, True, True]) for _ in range(4)]
    Notice.objects.all().delete()
    return done


@pytest.fixture
def review(bob, rita, team, runs):
    """bob asks rita."""
    subject = Subject(runs=[run.pk for run in runs])
    return services.request_review(actor=bob, team=team, title="Ship it?", subject=subject, reviewers=[rita])


def told(kind):
    return sorted(Notice.objects.filter(kind=kind).values_list("user__username", "text", "path"))


def events():
    return list(Delivery.objects.exclude(event="ping").order_by("pk").values_list("event", flat=True))


def test_reviewers_hear_of_a_request(review):
    path = f"/reviews/{review.pk}/"
    assert told(Kind.REVIEW_REQUESTED) == [("rita", "bob asks for your review of “Ship it?”.", path)]
    assert Email.objects.get().user.username == "rita"


def test_a_draft_calls_nobody(bob, rita, team, runs):
    subject = Subject(runs=[runs[0].pk])
    draft = services.request_review(actor=bob, team=team, title="Later", subject=subject, reviewers=[rita], draft=True)
    assert not Notice.objects.exists()

    services.send_review(actor=bob, review=draft)
    assert [name for name, _, _ in told(Kind.REVIEW_REQUESTED)] == ["rita"]


def test_its_author_hears_of_a_ruling_once_whatever_the_number_of_remarks(review, rita, alice, team):
    factories.webhook(alice, team)
    remarks = [Remark(f"Remark {n} @vera @alice") for n in range(3)]
    verdict = services.submit_verdict(
        actor=rita,
        review=review,
        ruling="approve",
        seen_hash=review.subject_hash,
        body="Fine, @Alice.",
        remarks=remarks,
    )

    path = f"/reviews/{review.pk}/"
    assert told(Kind.REVIEW_RULED) == [("bob", "rita approved “Ship it?”.", path)]
    mention = ("alice", "rita mentions you in “Ship it?”.", f"{path}#verdict-{verdict.pk}")
    assert told(Kind.MENTION) == [mention], "vera is no member here"
    assert not told(Kind.COMMENT)
    assert events() == ["review.ruled"]


def test_a_comment_reaches_the_thread_and_a_mention_replaces_it(review, bob, rita, alice, vera):
    first = services.add_comment(actor=rita, review=review, remark=Remark("Why is this wrong, @vera?"))
    services.add_comment(actor=alice, review=review, remark=Remark("I wonder, too", parent=first.pk))
    Notice.objects.all().delete()

    services.add_comment(actor=bob, review=review, remark=Remark("It is not, @rita", parent=first.pk))

    place = f"/reviews/{review.pk}/#thread-{first.pk}"
    assert told(Kind.COMMENT) == [("alice", "bob commented on “Ship it?”: It is not, @rita", place)]
    assert told(Kind.MENTION) == [("rita", "bob mentions you in “Ship it?”.", place)]


def test_only_those_who_may_read_it_are_called(review, bob, rita, alice, vera, charlie):
    Review.objects.update(visibility="private")
    review.refresh_from_db()
    Notice.objects.all().delete()

    services.add_comment(actor=bob, review=review, remark=Remark("@alice @vera @rita @charlie @nobody"))

    assert [name for name, _, _ in told(Kind.MENTION)] == ["alice"]
    assert not Notice.objects.exclude(user=alice).exists()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@Rita: look. And @vera.", ["rita", "vera"]),
        ("(@a.b-c_d), @rita's", ["a.b-c_d", "rita"]),
        ("mail me@example.org or x/@rita, @@rita, @ rita, @-", []),
        ("@rita @RITA", ["rita"]),
        ("\n@rita…", ["rita"]),
    ],
)
def test_what_is_a_mention(text, names):
    assert names_in([text]) == names


def test_a_mention_is_drawn_as_a_link_and_nothing_else_of_it_is_markup(client, review, rita, bob):
    services.add_comment(actor=rita, review=review, remark=Remark("<b>@bob</b> & @stranger <script>alert(1)</script>"))
    client.force_login(bob)

    page = client.get(f"/reviews/{review.pk}/").content.decode()

    assert '&lt;b&gt;<a href="/teams/lab/#member-bob">@bob</a>&lt;/b&gt; &amp; @stranger &lt;script&gt;' in page
    assert 'id="member-bob"' in client.get("/teams/lab/").content.decode()


def test_who_asked_and_who_approved_hear_that_it_is_stale_once(review, rita, runs):
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)
    newer = Run.objects.get(pk=runs[0].pk)
    newer.pk, newer.identity = None, "f" * 64
    newer.save()

    assert services.recheck() == 1
    assert services.recheck() == 0

    assert [name for name, _, _ in told(Kind.REVIEW_STALE)] == ["bob", "rita"]
    assert "There are newer results" in told(Kind.REVIEW_STALE)[0][1]


def test_new_numbers_call_the_reviewers_again(review, bob, runs):
    newer = Run.objects.get(pk=runs[0].pk)
    newer.pk, newer.identity = None, "f" * 64
    newer.save()

    services.freeze_again(actor=bob, review=review)

    assert told(Kind.REVIEW_REQUESTED)[0][:2] == (
        "rita",
        "bob asks for your review of “Ship it?” again: its numbers are new.",
    )


def test_publication_is_told(review, rita, alice):
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)
    services.publish_review(actor=alice, review=review)

    assert [name for name, _, _ in told(Kind.REVIEW_PUBLISHED)] == ["bob", "rita"]


def test_the_end_of_a_job_is_told_once_not_per_run(job, alice, team):
    factories.webhook(alice, team)
    for _ in range(3):
        factories.finish([True, False, True, True])
        assert not Notice.objects.exists()
    factories.finish([True, False, True, True])

    text = f"Job done: {job.title}. All 4 runs are done."
    assert told(Kind.JOB_ENDED) == [("alice", text, f"/jobs/{job.pk}/")]
    assert events() == ["job.ended"]


def test_a_failed_job_is_told_and_after_a_retry_its_next_end(job, alice):
    for _ in range(3):
        factories.finish([True, False, True, True])
    leases.end(lease=factories.claim(), state="failed", reason="No such file.")
    assert told(Kind.JOB_ENDED)[0][1].startswith("Job failed: ")

    jobs.retry_job(actor=alice, job=job)
    factories.finish([True, False, True, True])

    assert [text.split(":")[0] for _, text, _ in told(Kind.JOB_ENDED)] == ["Job done", "Job failed"]


def test_who_cancels_a_job_is_not_told_but_its_author_is(job, alice, bob, team):
    factories.webhook(alice, team)
    jobs.cancel_job(actor=bob, job=job)
    jobs.cancel_job(actor=bob, job=job)

    assert [name for name, _, _ in told(Kind.JOB_ENDED)] == ["alice"]
    assert events() == ["job.ended"]
    jobs.retry_job(actor=alice, job=job)
    jobs.cancel_job(actor=alice, job=job)
    assert Notice.objects.count() == 1
    assert events() == ["job.ended"] * 2


def test_the_inviter_hears_who_joined_once_even_when_the_doorbell_was_lost(alice, team, charlie):
    factories.webhook(alice, team)
    secret = invite(actor=alice, team=team, role="viewer", days=1, uses=2)[1]
    joined = accept_invitation(actor=charlie, secret=secret)
    assert not Notice.objects.exists()

    outbox.ring_again()
    tell_of_joining(membership_id=joined.pk)
    accept_invitation(actor=charlie, secret=secret)
    outbox.ring_again()

    text = "charlie joined The lab by your invitation, as viewer."
    assert told(Kind.JOINED) == [("alice", text, "/teams/lab/")]
    assert events() == ["member.joined"]
    assert not Membership.objects.filter(announced=False).exists()


def test_of_a_joining_whose_link_is_gone_nobody_is_told_and_it_is_not_looked_at_again(alice, team, charlie):
    invitation, secret = invite(actor=alice, team=team, role="viewer", days=1, uses=2)
    accept_invitation(actor=charlie, secret=secret)
    invitation.delete()

    outbox.ring_again()

    assert not Notice.objects.exists()
    assert not Membership.objects.filter(announced=False).exists()


def test_wishes_are_kept_to(review, rita, bob):
    set_preferences(
        actor=bob,
        wishes={Kind.REVIEW_RULED: Channels(in_app=False, by_email=True), Kind.COMMENT: Channels(False, False)},
    )
    Email.objects.all().delete()

    services.add_comment(actor=rita, review=review, remark=Remark("Hm."))
    services.submit_verdict(actor=rita, review=review, ruling="approve", seen_hash=review.subject_hash)

    assert Email.objects.get().user == bob
    assert not Notice.objects.filter(user=bob, in_inbox=True).exists()
    assert not told(Kind.COMMENT)


def test_what_is_rolled_back_is_not_told(review, bob, rita):
    Notice.objects.all().delete()
    with pytest.raises(Exception, match="nothing in this"):
        services.submit_verdict(
            actor=rita,
            review=review,
            ruling="comment",
            seen_hash="",
            body="Fine",
            remarks=[Remark("@bob"), Remark(" ")],
        )
    assert not Notice.objects.exists()


def test_who_has_left_the_team_sees_its_notices_no_more(client, review, rita, alice, team):
    client.force_login(rita)
    assert "Ship it?" in client.get("/notices/").content.decode()

    accounts.remove_member(actor=alice, team=team, user=rita)

    assert "Ship it?" not in client.get("/notices/").content.decode()
