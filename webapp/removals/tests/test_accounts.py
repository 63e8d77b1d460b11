"""Deleting one's own account: it becomes nameless at once, and its work stays with the team."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from webapp.accounts.door import BY_ACCOUNT
from webapp.accounts.models import AuditEvent, Membership, Role, Team, User
from webapp.accounts.password_resets import make_reset_link
from webapp.accounts.services import create_team, create_token, set_member, sign_up
from webapp.errors import Conflict, Unprocessable
from webapp.leaderboards.models import SavedView
from webapp.leaderboards.saved_views import save_view
from webapp.notices.models import Email, Notice
from webapp.removals import leaving
from webapp.removals.leaving import own_rows, remove_account
from webapp.removals.models import Removal
from webapp.reviews.models import Comment, Review, Verdict
from webapp.tests import factories

pytestmark = pytest.mark.django_db
ADDRESS = "/profile/delete/"
TYPED = {"name": "bob", "password": factories.PASSWORD}


def test_the_page_says_what_goes_and_stays(client, bob, lived):
    client.force_login(bob)
    create_token(actor=bob, name="t", scopes=["read"], days=1)
    page = client.get(ADDRESS)
    preview = page.context["preview"]
    assert preview.obstacles == ()
    assert preview.goes["memberships"] == 2
    assert preview.goes["tokens"] == preview.goes["empty teams"] == 1
    assert f"deleted-{bob.pk}" in page.content.decode()
    assert any("reviews: 1" in said and "audit log" not in said for said in preview.stays)


def test_nothing_of_the_person_is_left_but_the_work(client, bob, lived, board):
    told = leaving.of_account(bob)
    save_view(actor=bob, board=board, name="Mine", query="", shared=False)
    work = [Review.objects.get(created_by=bob).pk, *Comment.objects.values_list("pk", flat=True)]
    client.force_login(bob)

    answer = client.post(ADDRESS, TYPED)

    assert (answer.status_code, answer.url) == (302, reverse("accounts:sign_in"))
    gone = User.objects.get(pk=bob.pk)
    assert (gone.username, gone.email) == (f"deleted-{bob.pk}", f"deleted-{bob.pk}@deleted.invalid")
    assert (gone.is_active, gone.has_usable_password(), gone.last_login) == (False, False, None)
    assert sum(rows.count() for _, rows in own_rows(gone)) == 0
    assert told.goes["memberships"] == 2
    assert [view.shared for view in SavedView.objects.filter(created_by=gone)] == [True]
    assert Review.objects.filter(pk=work[0], created_by=gone).exists()
    assert Comment.objects.filter(pk__in=work[1:]).count() == len(work) - 1
    event = AuditEvent.objects.get(verb="deleted account")
    assert (event.actor_name, event.before["memberships"]) == ("bob", 2)
    assert Removal.objects.get().name == "bob", "the empty team goes along"


def test_nobody_gets_in_any_more(client, api, bob, team):
    _, secret = create_token(actor=bob, name="t", scopes=["read", "admin"], days=1)
    elsewhere, mail = Client(), bob.email
    elsewhere.force_login(bob)
    link = make_reset_link(actor=None, username="bob")
    caller = api()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert caller.get("/api/v1/me/").status_code == 200
    client.force_login(bob)
    client.post(ADDRESS, TYPED)

    assert caller.get("/api/v1/me/").status_code == 401
    for browser in (client, elsewhere):
        assert browser.get(reverse("accounts:profile")).status_code == 302
        assert not browser.login(username="bob", password=factories.PASSWORD)
        assert not browser.login(username=f"deleted-{bob.pk}", password=factories.PASSWORD)
    assert "set-password" not in str(Client().get(link).headers)
    Client().post(reverse("notices:forgot_password"), {"email": mail})
    assert not Email.objects.exists()
    sign_up(username="bob", email=mail, password=factories.PASSWORD)
    assert not Notice.objects.filter(user__username="bob").exists(), "the name is free, and nobody's"


def test_the_last_owner_hands_over_or_deletes_first(client, alice, bob, team):
    client.force_login(alice)
    page = client.post(ADDRESS, {"name": "alice", "password": factories.PASSWORD})
    assert page.status_code == 422
    assert "You are the only owner of lab, which has 1 other member." in page.content.decode()
    assert reverse("removals:delete_team", args=["lab"]) in page.content.decode()
    set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    remove_account(actor=alice, name="alice", password=factories.PASSWORD)
    assert Membership.objects.get(team=team).user == bob


def test_a_team_with_anything_in_it_is_not_deleted_by_the_way(alice, entry):
    with pytest.raises(Conflict, match="only owner of lab"):
        remove_account(actor=alice, name="alice", password=factories.PASSWORD)
    assert Team.objects.filter(name="lab").exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "Bob"}, "name"),
        ({"name": ""}, "name"),
        ({"password": "no"}, "password"),
        ({"password": ""}, "password"),
    ],
)
def test_what_is_typed_wrongly_deletes_nothing(client, bob, wrong, field):
    client.force_login(bob)
    page = client.post(ADDRESS, {**TYPED, **wrong})
    assert page.status_code == 422
    assert field in page.context["form"].errors
    assert User.objects.get(pk=bob.pk).is_active


def test_guessing_the_password_is_slow(client, bob):
    client.force_login(bob)
    answers = [client.post(ADDRESS, {**TYPED, "password": str(at)}).status_code for at in range(BY_ACCOUNT.count + 1)]
    assert answers == [422] * BY_ACCOUNT.count + [429]
    assert client.post(ADDRESS, TYPED).status_code == 429
    cache.clear()


def test_the_demos_account_stays_in_the_demo(client, settings, db):
    demo = factories.person("demo")
    demo.set_unusable_password()
    demo.save()
    settings.DEMO = True
    client.force_login(demo)
    page = client.get(ADDRESS)
    assert "everybody who opens the demo signs in as it" in page.content.decode()
    assert client.post(ADDRESS, {"name": "demo"}).status_code == 422
    settings.DEMO = False
    assert "password" not in client.get(ADDRESS).context["form"].fields, "none is asked for that there is not"
    assert client.post(ADDRESS, {"name": "demo"}).status_code == 302


def test_one_operator_stays(bob):
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    bob.refresh_from_db()
    with pytest.raises(Conflict, match="only operator"):
        remove_account(actor=bob, name="bob", password=factories.PASSWORD)


def test_a_name_that_looks_deleted_is_no_obstacle(bob, charlie):
    User.objects.filter(pk=charlie.pk).update(username=f"deleted-{bob.pk}")
    remove_account(actor=bob, name="bob", password=factories.PASSWORD)
    assert User.objects.get(pk=bob.pk).username.startswith(f"deleted-{bob.pk}-")


def test_rest_by_session_only(api, bob):
    here = "/api/v1/me/deletion/"
    _, secret = create_token(actor=bob, name="t", scopes=["read", "submit", "review", "admin"], days=1)
    caller = api()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert caller.get(here).json()["name"] == "bob"
    assert caller.post(here, TYPED, format="json").status_code == 403
    session = api(bob)
    assert session.post(here, {"name": "bob"}, format="json").status_code == 422
    assert session.post(here, TYPED, format="json").status_code == 204
    assert session.get("/api/v1/me/").status_code in {401, 403}


def test_it_cannot_be_done_twice(bob):
    remove_account(actor=bob, name="bob", password=factories.PASSWORD)
    with pytest.raises(Exception, match="deleted"):
        remove_account(actor=bob, name="bob", password=factories.PASSWORD)


def test_rulings_keep_their_place(alice, rita, runs, board):
    review = factories.review(alice, rita, board, [run.pk for run in runs])
    remove_account(actor=rita, name="rita", password=factories.PASSWORD)
    verdict = Verdict.objects.get(review=review)
    assert (verdict.author.username, verdict.ruling) == (f"deleted-{rita.pk}", "approve")


def test_two_teams_two_owners(bob, alice, team):
    """Who is not the last owner simply leaves."""
    set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    create_team(actor=bob, name="empty", title="Empty")
    remove_account(actor=bob, name="bob", password=factories.PASSWORD)
    assert {removal.name for removal in Removal.objects.all()} == {"bob", "empty"}
    with pytest.raises(Unprocessable):
        remove_account(actor=alice, name="bob", password=factories.PASSWORD)
