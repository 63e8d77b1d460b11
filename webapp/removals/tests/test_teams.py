"""Deleting a team: all of it goes, its people lose it at once, and what others rely on is not pulled away."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.urls import reverse

from webapp.accounts.models import AuditEvent, Membership, Role, Team, User, Visibility
from webapp.accounts.selectors import teams_where, visible
from webapp.accounts.services import create_team, create_token, set_member
from webapp.catalog.models import Benchmark, ModelEntry, Suite
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.imports.models import Import
from webapp.jobs.models import Job, Run
from webapp.jobs.services import cancel_job
from webapp.leaderboards.models import Leaderboard
from webapp.notices.models import Webhook
from webapp.releases.services import withdraw
from webapp.removals import parts, selectors, work
from webapp.removals.counting import counted
from webapp.removals.models import Removal
from webapp.removals.services import SEEN, hand_over, remove_team
from webapp.results.models import Score
from webapp.reviews.record import verified
from webapp.reviews.services import publish_review
from webapp.tests import factories
from workers.specs import calibration_of, spec_of

pytestmark = pytest.mark.django_db
ADDRESS = "/teams/lab/delete/"


def finish(removal: Removal) -> Removal:
    while not work.work_on(removal_id=removal.pk):
        pass
    removal.refresh_from_db()
    return removal


def everybody_sees(team: Team) -> None:
    for model in (ModelEntry, Benchmark, Suite):
        model.objects.filter(team=team).update(visibility=Visibility.PUBLIC)


@pytest.fixture
def rivals(charlie: User) -> Team:
    return create_team(actor=charlie, name="rivals", title="Rivals")


def test_nothing_is_left_but_people_and_the_log(alice, bob, charlie, lived, rivals):
    told = selectors.of_team(lived).goes
    log = AuditEvent.objects.count()
    people = User.objects.count()

    removal = finish(remove_team(actor=alice, team=lived, name="lab"))

    assert removal.state == Removal.State.DONE
    assert removal.removed == told == removal.expected
    assert counted(parts.of_team(lived.pk)) == ({}, 0)
    assert not Team.objects.filter(pk=lived.pk).exists()
    assert Score.objects.count() == Run.objects.count() == 0
    assert User.objects.count() == people
    assert AuditEvent.objects.count() == log + 2
    assert teams_where(charlie).filter(pk=rivals.pk).exists()


def test_it_tells_of_every_kind(alice, lived):
    goes = selectors.of_team(lived).goes
    assert goes["sample scores"] == 16 + 3
    assert set(goes) >= {
        "runs", "jobs", "searches", "reviews", "verdicts", "comments in reviews", "releases", "imports", "boards",
        "board rows", "saved views", "reports", "uploaded tables", "entries", "contenders", "prices", "suites",
        "benchmarks", "questions", "calibration sets", "comments on samples", "webhooks", "notices",
        "speed measurements",
    }  # fmt: skip


def test_its_people_lose_it_at_once(client, api, alice, bob, lived):
    for model in SEEN:
        model._default_manager.filter(team=lived).update(visibility=Visibility.PUBLIC)
    Leaderboard.objects.get().releases.update(withdrawn_at=None, visibility=Visibility.TEAM)
    _, secret = create_token(actor=bob, name="t", scopes=["read"], days=1)

    remove_team(actor=alice, team=lived, name="lab")

    assert not Membership.objects.filter(team=lived).exists()
    assert not Webhook.objects.filter(active=True).exists()
    for model in SEEN:
        for viewer in (alice, bob, AnonymousUser()):
            assert not visible(model._default_manager.filter(team=lived), viewer).exists(), model
    caller = api()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert caller.get("/api/v1/teams/lab/").status_code == 404
    assert caller.get("/api/v1/leaderboards/lab/main/").status_code == 404
    client.force_login(alice)
    assert client.get(reverse("accounts:team", args=["lab"])).status_code == 404
    create_team(actor=alice, name="lab", title="Its name is free")


def test_a_public_release_is_withdrawn_first(client, alice, runs, board):
    release = factories.release(alice, board, visibility="public")
    client.force_login(alice)
    page = client.post(ADDRESS, {"name": "lab"})
    assert page.status_code == 422
    assert reverse("releases:release", args=[release.pk]) in page.content.decode()
    withdraw(actor=alice, release=release, reason="The team ends.")
    assert client.post(ADDRESS, {"name": "lab"}).status_code == 302


def test_signatures_outlive_the_team(client, alice, rita, runs, board):
    review = factories.review(alice, rita, board, [run.pk for run in runs])
    publish_review(actor=alice, review=review)
    client.force_login(alice)
    [link] = selectors.of_team(board.team).links
    record = client.get(link.path).json()

    finish(remove_team(actor=alice, team=board.team, name="lab"))

    kept = AuditEvent.objects.get(verb="began deleting").after["sign_offs"]
    assert [one["signature"] for one in kept] == [record["signature"]]
    assert verified(record)["review"] == review.pk


@pytest.mark.parametrize(
    ("under_way", "words"), [("job", "runs? under way"), ("import", "1 import under way"), ("search", "1 search under")]
)
def test_what_is_under_way_stands_in_the_way(alice, entry, suite, team, under_way, words):
    if under_way == "job":
        factories.job(alice, team, suite, [entry])
    elif under_way == "import":
        factories.imported(alice, team)
        assert Import.objects.get().state == Import.State.READY
    else:
        factories.search(alice, team, suite, entry)
    with pytest.raises(Conflict, match=words):
        remove_team(actor=alice, team=team, name="lab")
    assert Membership.objects.filter(team=team, user=alice).exists()


def test_what_others_use_is_handed_over_first(client, alice, charlie, rivals, runs, entry, suite, team):
    everybody_sees(team)
    theirs = factories.job(charlie, rivals, suite, [entry])
    cancel_job(actor=charlie, job=theirs)
    board = factories.board(charlie, rivals, "theirs", suite)
    with pytest.raises(Conflict, match="2 runs and 1 board of theirs"):
        remove_team(actor=alice, team=team, name="lab")
    heirs = create_team(actor=alice, name="heirs", title="Heirs")
    client.force_login(alice)
    assert client.get(ADDRESS).context["relied_on"]

    assert client.post("/teams/lab/hand-over/", {"to": heirs.pk}).status_code == 302

    assert {
        row.team.name for model in (ModelEntry, Benchmark, Suite) for row in model.objects.exclude(name="large")
    } == {"heirs"}
    finish(remove_team(actor=alice, team=team, name="lab"))
    assert list(Run.objects.values_list("team__name").distinct()) == [("rivals",)]
    assert Leaderboard.objects.get() == board
    client.force_login(charlie)
    assert client.get(reverse("leaderboards:leaderboard", args=["rivals", "theirs"])).status_code == 200
    assert client.get(reverse("jobs:job", args=[theirs.pk])).status_code == 200


def test_texts_that_runs_of_others_wait_for_are_handed_over_first(alice, charlie, rivals, team, tmp_path):
    texts = factories.calibration_set(alice, team, visibility=Visibility.PUBLIC)
    theirs = factories.entry(charlie, rivals, "theirs", factories.checkpoint(tmp_path / "theirs"))
    own = factories.suite(charlie, rivals, "own", [factories.benchmark(charlie, rivals, "own")])
    job = factories.job(charlie, rivals, own, [theirs], "gptq_int3", settings={"calibration": texts.pk})
    with pytest.raises(Conflict, match="1 run of theirs"):
        remove_team(actor=alice, team=team, name="lab")
    heirs = create_team(actor=alice, name="heirs", title="Heirs")

    assert hand_over(actor=alice, team=team, to=heirs) == [texts]

    finish(remove_team(actor=alice, team=team, name="lab"))
    calibration_of.cache_clear()
    spec = spec_of(job.runs.get(), device="cpu", skip=frozenset())
    assert spec.calibration is not None
    assert spec.calibration.texts == tuple(texts.texts)


def test_texts_of_runs_of_others_that_are_over_go_with_their_team(alice, charlie, rivals, team, tmp_path):
    texts = factories.calibration_set(alice, team, visibility=Visibility.PUBLIC)
    theirs = factories.entry(charlie, rivals, "theirs", factories.checkpoint(tmp_path / "theirs"))
    own = factories.suite(charlie, rivals, "own", [factories.benchmark(charlie, rivals, "own")])
    job = factories.job(charlie, rivals, own, [theirs], "gptq_int3", settings={"calibration": texts.pk})
    cancel_job(actor=charlie, job=job)
    finish(remove_team(actor=alice, team=team, name="lab"))
    assert job.runs.count() == 1


def test_nobody_gets_what_they_do_not_want(alice, charlie, rivals, team, bob):
    with pytest.raises(NotAllowed):
        hand_over(actor=alice, team=team, to=rivals)
    with pytest.raises(NotAllowed):
        hand_over(actor=bob, team=team, to=bob.memberships.get(role=Role.OWNER).team)
    with pytest.raises(Unprocessable, match="No other team uses"):
        hand_over(actor=alice, team=team, to=create_team(actor=alice, name="heirs", title="Heirs"))


def test_a_name_that_is_taken_there_moves_nothing(alice, charlie, rivals, entry, suite, team, tmp_path):
    everybody_sees(team)
    cancel_job(actor=charlie, job=factories.job(charlie, rivals, suite, [entry]))
    heirs = create_team(actor=alice, name="heirs", title="Heirs")
    factories.entry(alice, heirs, "small", factories.checkpoint(tmp_path / "again", width=8))
    with pytest.raises(Conflict, match="heirs has something called small already"):
        hand_over(actor=alice, team=team, to=heirs)
    assert {row.team for model in (Benchmark, Suite) for row in model.objects.all()} == {team}


def test_jobs_of_others_keep_running_without_the_suite(alice, charlie, rivals, team, suite, tmp_path):
    """They took only the list of another team's benchmarks from it."""
    own = factories.benchmark(charlie, rivals, "own", visibility=Visibility.PUBLIC)
    mixed = factories.suite(alice, team, "mixed", [own], visibility=Visibility.PUBLIC)
    theirs = factories.entry(charlie, rivals, "theirs", factories.checkpoint(tmp_path / "theirs"))
    job = factories.job(charlie, rivals, mixed, [theirs])
    finish(remove_team(actor=alice, team=team, name="lab"))
    job = Job.objects.get(pk=job.pk)
    assert (job.suite, job.runs.count(), job.state) == (None, 1, Job.State.QUEUED)


def test_only_owners_and_only_its_name(client, alice, bob, charlie, team, rivals):
    for user, status in ((bob, 403), (charlie, 404)):
        client.force_login(user)
        assert client.post(ADDRESS, {"name": "lab"}).status_code == status
    client.force_login(alice)
    assert client.post(ADDRESS, {"name": "The lab"}).status_code == 422
    assert Removal.objects.count() == 0


@pytest.mark.parametrize(("scope", "status"), [("submit", 403), ("admin", 202)])
def test_rest_needs_the_scope_admin(api, alice, team, scope, status):
    _, secret = create_token(actor=alice, name="t", scopes=["read", scope], days=1)
    caller = api()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert caller.get("/api/v1/teams/lab/deletion/").status_code == 200
    assert caller.post("/api/v1/teams/lab/deletion/", {"name": "lab"}, format="json").status_code == status


def test_another_owner_can_delete_it(bob, alice, team):
    set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    assert finish(remove_team(actor=bob, team=team, name="lab")).state == Removal.State.DONE


def test_the_demo_does_not_come_back(db):
    """Its person is still there; the next start of the platform must neither fail nor make everything anew."""
    demo = factories.person("demo")
    finish(remove_team(actor=demo, team=demo.memberships.get().team, name="demo"))
    call_command("demo")
    assert not Team.objects.filter(name="demo").exists()
