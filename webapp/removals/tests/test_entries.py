"""Deleting an entry: what people are told, what goes, what stays, and what stands in the way."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.accounts.models import AuditEvent, Role, Visibility
from webapp.accounts.services import create_team, create_token, set_member
from webapp.catalog.models import Contender, EntryVersion, ModelEntry, Price
from webapp.catalog.selectors import entries
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.imports.models import Import
from webapp.jobs.models import Job, Run
from webapp.jobs.selectors import runs as visible_runs
from webapp.jobs.services import cancel_job
from webapp.leaderboards.models import Standing
from webapp.leaderboards.services import refresh
from webapp.notices.models import Kind, Notice
from webapp.releases.models import Release
from webapp.removals import parts, selectors, work
from webapp.removals.counting import counted
from webapp.removals.models import Removal
from webapp.removals.services import remove_entry
from webapp.results.models import Report, Score
from webapp.reviews.models import Review
from webapp.searches.models import Search
from webapp.tests import factories

pytestmark = pytest.mark.django_db


def address(name: str = "small") -> str:
    return reverse("removals:delete_entry", args=["lab", name])


def finish(removal: Removal) -> Removal:
    while not work.work_on(removal_id=removal.pk):
        pass
    removal.refresh_from_db()
    return removal


def test_the_page_counts_what_goes(client, alice, lived):
    client.force_login(alice)
    preview = client.get(address()).context["preview"]
    assert preview.goes == {
        "searches": 1, "runs": 2, "sample scores": 8, "speed measurements": 1, "board rows": 1, "contenders": 1,
        "prices": 1, "versions of entries": 1, "entries": 1,
    }  # fmt: skip
    assert preview.obstacles == ()
    assert [link.label for link in preview.links] == ["Main"]
    assert any("(its boards have 1)" in said for said in preview.stays)


def test_what_is_told_is_what_goes(alice, lived, entry, other_entry, board):
    told = selectors.of_entry(entry.entry).goes
    job = Job.objects.filter(runs__contender__version=other_entry).first()
    ended = job.finished_at
    before = {model: model.objects.count() for model in (Score, Report, Release)}

    removal = finish(remove_entry(actor=alice, entry=entry.entry, name="small"))

    assert removal.state == Removal.State.DONE
    assert removal.removed == told == removal.expected
    assert not ModelEntry.objects.filter(pk=entry.entry_id).exists()
    assert counted(parts.of_entry(entry.entry_id))[0] == {}
    assert Score.objects.count() == before[Score] - told["sample scores"]
    assert Report.objects.count() == before[Report]
    assert Release.objects.count() == before[Release]
    job.refresh_from_db()
    assert (job.state, job.finished_at, job.runs.count()) == (Job.State.DONE, ended, 2)
    assert job.reason == "All 2 runs are done."
    assert not Search.objects.exists()
    assert [row.contender.version_id for row in Standing.objects.filter(leaderboard=board)] == [other_entry.pk]


def test_it_is_hidden_at_once_and_its_name_is_free(client, alice, lived, entry, board, tmp_path):
    client.force_login(alice)
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")

    assert not entries(alice).filter(pk=entry.entry_id).exists()
    assert not visible_runs(alice).filter(contender__version=entry).exists()
    assert client.get(reverse("catalog:entry", args=["lab", "small"])).status_code == 404
    before = board.version
    refresh(board_id=board.pk)
    board.refresh_from_db()
    assert not board.standings.filter(contender__version=entry).exists()
    assert board.version > before, "open pages are told"
    assert "Being deleted" in client.get(reverse("removals:removal", args=[removal.pk])).content.decode()
    factories.entry(alice, lived, "small", factories.checkpoint(tmp_path / "again", width=8))


def test_pages_of_what_stays_still_open(client, alice, lived, entry, other_entry):
    finish(remove_entry(actor=alice, entry=entry.entry, name="small"))
    client.force_login(alice)
    job = Job.objects.filter(runs__contender__version=other_entry).first()
    asked = Report.objects.filter(leaderboard=None)
    assert asked.exists()
    for page in (
        reverse("leaderboards:leaderboard", args=["lab", "main"]),
        reverse("leaderboards:tournament", args=["lab", "main"]),
        reverse("releases:release", args=[Release.objects.get().pk]),
        reverse("jobs:job", args=[job.pk]),
        reverse("reviews:review", args=[Review.objects.get().pk]),
        *(reverse("results:report", args=[one.pk]) for one in asked),
        reverse("imports:import", args=[Import.objects.get().pk]),
        reverse("jobs:jobs"),
        reverse("accounts:audit", args=["lab"]),
        reverse("pages:home"),
    ):
        assert client.get(page).status_code == 200, page


def test_runs_under_way_stand_in_the_way_with_their_job(client, alice, job, entry):
    client.force_login(alice)
    page = client.get(address())
    assert [one.text for one in page.context["preview"].obstacles] == ["2 runs under way."]
    assert reverse("jobs:job", args=[job.pk]) in page.content.decode()
    refused = client.post(address(), {"name": "small"})
    assert refused.status_code == 422
    assert "Cancel the jobs" in refused.content.decode()
    cancel_job(actor=alice, job=job)
    assert client.post(address(), {"name": "small"}).status_code == 302


def test_a_review_in_force_keeps_what_it_is_about(alice, runs, entry, board, rita):
    factories.review(alice, rita, board, [run.pk for run in runs])
    with pytest.raises(Conflict, match="what was approved stays"):
        remove_entry(actor=alice, entry=entry.entry, name="small")
    assert ModelEntry.objects.filter(pk=entry.entry_id, visibility=Visibility.TEAM).exists()


def test_results_of_other_teams_keep_it(alice, charlie, runs, entry, suite):
    for row in (entry.entry, suite, *(version.benchmark for version in suite.benchmarks.all())):
        type(row).objects.filter(pk=row.pk).update(visibility=Visibility.PUBLIC)
    theirs = factories.job(charlie, charlie.memberships.get().team, suite, [entry])
    cancel_job(actor=charlie, job=theirs)
    with pytest.raises(Conflict, match="Other teams rely on it: 2 runs of theirs") as refusal:
        remove_entry(actor=alice, entry=entry.entry, name="small")
    assert "charlie" not in str(refusal.value)


@pytest.mark.parametrize("typed", ["", "Small", "large", "lab/small"])
def test_another_name_deletes_nothing(client, alice, runs, entry, typed):
    client.force_login(alice)
    assert client.post(address(), {"name": typed}).status_code == 422
    assert Removal.objects.count() == 0


def test_submitters_and_owners_of_other_teams_may_not(client, bob, charlie, runs, entry):
    create_team(actor=charlie, name="rivals", title="Rivals")
    ModelEntry.objects.update(visibility=Visibility.PUBLIC)
    for user in (bob, charlie):
        client.force_login(user)
        assert client.post(address(), {"name": "small"}).status_code == 403
        with pytest.raises(NotAllowed):
            remove_entry(actor=user, entry=entry.entry, name="small")


def test_pressing_twice_is_once(alice, runs, entry):
    first = remove_entry(actor=alice, entry=entry.entry, name="small")
    assert remove_entry(actor=alice, entry=entry.entry, name="small") == first


@pytest.mark.parametrize(("scopes", "status"), [(["read", "submit", "review"], 403), (["admin"], 202)])
def test_a_token_needs_the_scope_admin(api, alice, runs, entry, scopes, status):
    _, secret = create_token(actor=alice, name="t", scopes=scopes, days=1)
    caller = api()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    answer = caller.post("/api/v1/entries/lab/small/deletion/", {"name": "small"}, format="json")
    assert answer.status_code == status
    assert Removal.objects.count() == (status == 202)


def test_rest_previews_refuses_and_deletes(api, alice, runs, entry):
    caller, here = api(alice), "/api/v1/entries/lab/small/deletion/"
    preview = caller.get(here).json()
    assert (preview["name"], preview["goes"]["runs"], preview["obstacles"]) == ("small", 2, [])
    assert caller.post(here, {"name": "x"}, format="json").json()["errors"] == {
        "name": ["This is another name. Type small to confirm."]
    }
    assert caller.post(here, {"name": "small", "force": True}, format="json").status_code == 400
    begun = caller.post(here, {"name": "small"}, format="json")
    assert begun.status_code == 202
    finish(Removal.objects.get())
    assert caller.get(begun["Location"]).json()["state"] == "done"
    assert caller.get(here).status_code == 404


def test_the_log_says_who_and_what(alice, runs, entry):
    finish(remove_entry(actor=alice, entry=entry.entry, name="small"))
    over, began = AuditEvent.objects.order_by("-pk")[:2]
    assert (began.verb, began.target, began.actor_name) == ("began deleting", "ModelEntry small", "alice")
    assert (over.verb, over.target, over.team.name) == ("deleted", "Removal of entry lab/small", "lab")
    assert over.after["runs"] == began.before["runs"] == 2


@pytest.mark.parametrize(("visibility", "told"), [(Visibility.TEAM, ["bob", "vera"]), (Visibility.PRIVATE, ["bob"])])
def test_the_others_who_could_read_it_are_told(client, alice, bob, vera, team, runs, entry, visibility, told):
    set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    ModelEntry.objects.filter(pk=entry.entry_id).update(visibility=visibility)
    finish(remove_entry(actor=alice, entry=entry.entry, name="small"))
    notices = Notice.objects.filter(kind=Kind.ENTRY_DELETED)
    assert sorted(notices.values_list("user__username", flat=True)) == told
    client.force_login(bob)
    assert f"alice deleted the entry small of {team.title}" in client.get(reverse("notices:notices")).content.decode()
    assert "began deleting" in client.get(notices[0].path).content.decode()


def test_versions_of_other_entries_are_untouched(alice, lived, entry, other_entry):
    finish(remove_entry(actor=alice, entry=entry.entry, name="small"))
    assert EntryVersion.objects.filter(pk=other_entry.pk).exists()
    assert Contender.objects.filter(version=other_entry).count() == 1
    assert Run.objects.filter(contender__version=other_entry).count() == 2
    assert not Price.objects.exists()


def test_an_unknown_name_is_refused_in_words(alice, runs, entry):
    with pytest.raises(Unprocessable, match="Type small to confirm"):
        remove_entry(actor=alice, entry=entry.entry, name="")
