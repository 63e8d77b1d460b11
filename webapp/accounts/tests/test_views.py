"""Signing in and up, tokens, teams, as people meet them."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from webapp.accounts.models import AuditEvent, Membership, Role, Team, Token, User
from webapp.accounts.selectors import token_of
from webapp.tests import factories


def test_signing_up_signs_in_and_makes_a_team(client, db):
    answer = client.post(
        "/sign-up/", {"username": "dora", "email": "dora@example.org", "password": factories.PASSWORD}, follow=True
    )

    assert answer.redirect_chain == [("/", 302)]
    assert "Hello, dora" in answer.content.decode()
    assert Membership.objects.get(user__username="dora").role == Role.OWNER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": "alice"}, "This username is taken."),
        ({"username": "Dora!"}, "lower-case letters"),
        ({"email": "alice@example.org"}, "This e-mail address has an account."),
        ({"password": "short"}, "This password is too short"),
    ],
)
def test_sign_up_says_what_is_wrong(client, alice, change, words):
    typed = {"username": "dora", "email": "dora@example.org", "password": factories.PASSWORD} | change

    answer = client.post("/sign-up/", typed)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not User.objects.filter(username="dora").exists()


def test_sign_up_can_be_closed(client, db, settings):
    settings.SIGN_UP_OPEN = False

    answer = client.get("/sign-up/")

    assert answer.status_code == 403
    assert "Ask the operator for an account." in answer.content.decode()


def test_signing_in_leads_back_to_where_one_was(client, alice):
    typed = {"username": "alice", "password": factories.PASSWORD, "next": "/jobs/"}

    assert client.post("/sign-in/", typed).headers["Location"] == "/jobs/"


def test_a_foreign_address_is_never_followed(client, db, settings):
    settings.DEMO = True
    factories.person("demo")

    answer = client.post("/demo-sign-in/", {"next": "https://evil.example/"})

    assert answer.headers["Location"] == "/"


def test_demo_sign_in_exists_in_the_demo_on_this_machine_only(client, db, settings):
    factories.person("demo")
    assert client.post("/demo-sign-in/").status_code == 404

    settings.DEMO = True
    assert client.post("/demo-sign-in/", REMOTE_ADDR="192.0.2.7").status_code == 404
    assert client.get("/demo-sign-in/").status_code == 405
    assert client.post("/demo-sign-in/").status_code == 302
    assert client.get("/profile/").status_code == 200


@pytest.mark.parametrize("address", ["/profile/", "/jobs/", "/workers/", "/entries/new/", "/teams/lab/"])
def test_private_pages_ask_for_a_sign_in(client, team, address):
    assert client.get(address).headers["Location"] == f"/sign-in/?next={address}"


def test_a_token_is_shown_once_and_works(client, alice):
    client.force_login(alice)

    answer = client.post("/profile/tokens/", {"name": "nightly", "scopes": ["read", "submit"], "days": 30})

    [secret] = re.findall(r"ct_[\w-]{43}", answer.content.decode())
    assert token_of(secret).name == "nightly"
    assert answer.headers["Cache-Control"] == "no-store"
    assert secret not in client.get("/profile/").content.decode()


def test_a_token_without_scopes_is_refused_beside_the_form(client, alice):
    client.force_login(alice)

    answer = client.post("/profile/tokens/", {"name": "nightly", "days": 30})

    assert answer.status_code == 422
    assert not Token.objects.exists()


def test_a_token_is_revoked_by_its_owner_alone(client, alice, charlie):
    client.force_login(alice)
    client.post("/profile/tokens/", {"name": "nightly", "scopes": ["read"], "days": 30})
    address = reverse("accounts:revoke_token", args=[Token.objects.get().pk])

    client.force_login(charlie)
    assert client.post(address).status_code == 404
    client.force_login(alice)
    assert client.post(address).headers["Location"] == "/profile/"
    assert Token.objects.get().revoked_at is not None


def test_the_password_changes_and_the_session_stays(client, alice):
    client.force_login(alice)
    new = "another long walk"

    client.post("/profile/password/", {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new})

    alice.refresh_from_db()
    assert alice.check_password(new)
    assert client.get("/profile/").status_code == 200


def test_a_stranger_does_not_learn_that_a_team_exists(client, team, charlie):
    client.force_login(charlie)

    for address in ("/teams/lab/", "/teams/lab/audit/"):
        assert client.get(address).status_code == 404


def test_an_owner_adds_and_removes_people(client, team, alice, charlie):
    client.force_login(alice)

    client.post("/teams/lab/members/", {"username": "charlie", "role": "submitter"})
    assert Membership.objects.get(user=charlie, team=team).role == Role.SUBMITTER

    client.post("/teams/lab/members/charlie/remove/")
    assert not Membership.objects.filter(user=charlie, team=team).exists()
    assert AuditEvent.objects.filter(team=team, verb="removed").exists()


def test_a_submitter_manages_nobody(client, team, bob, charlie):
    client.force_login(bob)

    answer = client.post("/teams/lab/members/", {"username": "charlie", "role": "owner"})

    assert answer.status_code == 403
    assert "This needs the role owner" in answer.content.decode()
    assert "Add a person" not in client.get("/teams/lab/").content.decode()


def test_the_last_owner_stays(client, team, alice):
    client.force_login(alice)

    answer = client.post("/teams/lab/members/alice/remove/")

    assert answer.status_code == 409
    assert "Make somebody else owner first." in answer.content.decode()


def test_a_new_team_has_its_page(client, alice):
    client.force_login(alice)

    answer = client.post("/teams/new/", {"name": "new-lab", "title": "New lab"})

    assert answer.headers["Location"] == "/teams/new-lab/"
    assert Team.objects.get(name="new-lab").title == "New lab"
