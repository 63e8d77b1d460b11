"""Comments on a sample: beside all its answers, for the team alone."""

from __future__ import annotations

import pytest

from webapp.accounts import services as accounts
from webapp.accounts.models import AuditEvent
from webapp.catalog.models import Benchmark
from webapp.errors import NotAllowed, Unprocessable
from webapp.notices.models import Notice
from webapp.reviews import sample_comments as comments
from webapp.tests import factories


def address(benchmark, index=1):
    return f"/samples/{benchmark.pk}/{index}/comments/"


def test_a_reviewer_comments_and_the_team_reads(client, rita, vera, team, benchmark):
    client.force_login(rita)
    answer = client.post(address(benchmark), {"team": team.pk, "body": "The target is wrong, <b>@vera</b>."})
    client.force_login(vera)

    shown = client.get(address(benchmark))
    page = shown.content.decode()

    assert answer.status_code == 200
    assert "The target is wrong, &lt;b&gt;<a href=" in page
    offered = shown.context["form"].fields["team"].queryset
    assert [one.name for one in offered] == ["vera"], "viewers read; a team of her own she may tell what she likes"
    assert Notice.objects.get(user=vera).path == f"/compare/samples/{benchmark.pk}/1/#sample_comments"
    assert "No comments on this question yet." in client.get(address(benchmark, 2)).content.decode()


def test_other_teams_read_nothing_of_it_even_on_a_public_benchmark(client, rita, charlie, team, benchmark):
    factories.sample_comment(rita, team, benchmark, "Between us.")
    Benchmark.objects.update(visibility="public")
    accounts.create_team(actor=charlie, name="others", title="Others")
    client.force_login(charlie)

    assert "Between us." not in client.get(address(benchmark)).content.decode()
    assert client.post(address(benchmark), {"team": team.pk, "body": "Me too"}).status_code == 422
    assert client.get(f"/api/v1{address(benchmark)}").json()["results"] == []
    made = comments.SampleComment.objects.get()
    assert client.post(f"/samples/comments/{made.pk}/remove/").status_code == 404
    with pytest.raises(NotAllowed):
        comments.comment(actor=charlie, team=team, version=benchmark, index=1, body="Me too")


def test_whoever_may_not_see_the_benchmark_hears_nothing_of_it(rita, alice, vera, team, benchmark):
    Benchmark.objects.update(visibility="private", created_by=rita)

    made = factories.sample_comment(rita, team, benchmark, "@vera @alice: see this.")

    assert [notice.user for notice in Notice.objects.all()] == [alice], "owners see what is private; viewers do not"
    assert made.body == "@vera @alice: see this."


def test_a_comment_taken_back_stays_in_the_log(client, rita, bob, alice, team, benchmark):
    made = factories.sample_comment(rita, team, benchmark, "Nonsense.")
    with pytest.raises(NotAllowed):
        comments.take_back(actor=bob, comment=made)

    for _ in range(2):
        comments.take_back(actor=alice, comment=made)
    client.force_login(bob)

    page = client.get(address(benchmark)).content.decode()
    assert "Taken back." in page
    assert "Nonsense." not in page
    assert client.get(f"/api/v1{address(benchmark)}").json()["results"][0]["body"] == ""
    assert AuditEvent.objects.get(verb="took back a comment").before["body"] == "Nonsense."


@pytest.mark.parametrize(("body", "index", "field"), [(" ", 1, "body"), ("x" * 4001, 1, "body"), ("x", 999, "index")])
def test_what_cannot_be_said_names_its_field(rita, team, benchmark, body, index, field):
    with pytest.raises(Unprocessable) as refused:
        comments.comment(actor=rita, team=team, version=benchmark, index=index, body=body)

    assert refused.value.field == field


def test_a_person_of_several_teams_says_for_which(client, rita, team, benchmark):
    other = accounts.create_team(actor=rita, name="aaa", title="Aaa")
    client.force_login(rita)

    chosen = client.get(address(benchmark)).context["form"]["team"].initial
    client.post(address(benchmark), {"team": other.pk, "body": "Ours."})

    assert chosen == team.pk, "the benchmark's own team comes first"
    assert comments.SampleComment.objects.get().team == other
