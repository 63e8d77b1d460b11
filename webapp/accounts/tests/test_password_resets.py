"""Links for a new password: by operators only, once, for a day."""

from __future__ import annotations

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.management import CommandError, call_command

from webapp.accounts.models import AuditEvent, User

NEW = {"new_password1": "another long and quiet walk", "new_password2": "another long and quiet walk"}


def use(client, link):
    """Open the link and send its form."""
    page = client.get(link, follow=True)
    return client.post(page.redirect_chain[-1][0], NEW) if page.redirect_chain else page


def test_the_command_prints_a_link_that_works_once(client, bob, settings):
    settings.SITE_URL = "http://testserver"
    out = StringIO()
    call_command("password_link", "BOB", stdout=out)
    link = out.getvalue().strip()

    assert use(client, link).status_code == 302
    assert client.login(username="bob", password=NEW["new_password1"])
    assert "does not work any more" in use(client, link).content.decode()
    assert AuditEvent.objects.filter(actor_name="system", verb="made a password link", target="User bob").exists()


def test_the_command_says_that_there_is_nobody(db):
    with pytest.raises(CommandError, match="Nobody here is called nobody"):
        call_command("password_link", "nobody")


def test_a_superuser_makes_one_on_the_teams_page_and_it_is_shown_once(client, alice, bob, team):
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    client.force_login(alice)
    assert "Password link" in client.get("/teams/lab/").content.decode()

    page = client.post("/teams/lab/members/bob/password-link/")

    link = page.context["password_link"]
    assert link in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert link not in client.get("/teams/lab/").content.decode()
    client.logout()
    assert use(client, link).status_code == 302


@pytest.mark.parametrize("flags", [{}, {"is_staff": True}])
def test_an_owner_cannot_take_over_the_account_of_a_member(client, alice, bob, team, flags):
    User.objects.filter(pk=alice.pk).update(**flags)
    client.force_login(alice)

    assert "Password link" not in client.get("/teams/lab/").content.decode()
    assert client.post("/teams/lab/members/bob/password-link/").status_code == 403


def test_a_link_ends_after_a_day(client, bob, settings, monkeypatch):
    settings.SITE_URL = "http://testserver"
    out = StringIO()
    call_command("password_link", "bob", stdout=out)
    later = datetime.now() + timedelta(hours=25)
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: later)

    assert "does not work any more" in use(client, out.getvalue().strip()).content.decode()
