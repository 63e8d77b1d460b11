"""Letters: sent once, kept while the mail server is away, and never with a secret at rest."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone

from webapp import env
from webapp.accounts import services as accounts
from webapp.notices import mailing, outbox
from webapp.notices.models import Email, Kind
from webapp.notices.services import News, ask_for_reset, notify
from webapp.notices.tests.conftest import due_now, use_mail
from webapp.notices.waiting import BATCH


def tell(team, user, text="rita asks for your review of “Ship it?”."):
    return notify(news=News(Kind.REVIEW_REQUESTED, team, text, "/reviews/1/"), to=[user])[0]


def test_a_letter_is_plain_text_with_its_link_and_the_way_out(team, bob, settings):
    settings.SITE_URL = "https://board.example.org"
    tell(team, bob, "“Ship it?”\r\nBcc: all@example.org is published.")

    assert outbox.send_out() == 1
    assert outbox.send_out() == 0

    (letter,) = mail.outbox
    assert letter.to == ["bob@example.org"]
    assert letter.subject == "[Crosstable] “Ship it?” Bcc: all@example.org is published."
    assert re.findall(r"https?://\S+", letter.body) == [
        "https://board.example.org/reviews/1/",
        "https://board.example.org/profile/notices/",
    ]
    assert letter.extra_headers["List-Unsubscribe"] == "<https://board.example.org/profile/notices/>"
    assert Email.objects.get().state == Email.State.SENT


def test_it_travels_by_smtp(team, bob, letter_box):
    tell(team, bob)

    outbox.send_out()

    (letter,) = letter_box.got
    assert "To: bob@example.org" in letter
    assert "Auto-Submitted: auto-generated" in letter


def test_nothing_is_lost_while_the_mail_server_is_down(team, bob, alice, letter_box, settings):
    use_mail(settings, "smtp://127.0.0.1:9")
    for user in (bob, alice):
        tell(team, user)

    assert outbox.send_out() == 2
    assert outbox.send_out() == 0, "not tried again at once"
    waiting = Email.objects.first()
    assert (waiting.state, waiting.attempts) == (Email.State.QUEUED, 1)
    assert "ConnectionRefusedError" in waiting.error

    due_now()
    use_mail(settings, f"smtp://127.0.0.1:{letter_box.port}")
    assert outbox.send_out() == 2
    assert len(letter_box.got) == 2
    assert set(Email.objects.values_list("state", flat=True)) == {Email.State.SENT}


def test_an_outage_costs_one_connection_however_many_letters_wait(team, bob, settings, monkeypatch):
    use_mail(settings, "smtp://127.0.0.1:9")
    opened = []
    backend = mailing.get_connection
    monkeypatch.setattr(mailing, "get_connection", lambda: opened.append(1) or backend())
    for _ in range(3 * BATCH):
        tell(team, bob)

    outbox.send_out()

    assert len(opened) == 1
    assert Email.objects.filter(attempts=1, state=Email.State.QUEUED).count() == 3 * BATCH


@pytest.mark.parametrize(("answer", "state"), [("550 nobody here", "failed"), ("450 come again", "queued")])
def test_only_a_lasting_refusal_ends_a_letter(team, bob, letter_box, answer, state):
    letter_box.refusal = answer
    tell(team, bob)

    outbox.send_out()

    email = Email.objects.get()
    assert email.state == state
    assert answer.split()[1] in email.error


def test_a_letter_that_waited_too_long_is_given_up(team, bob, settings):
    use_mail(settings, "smtp://127.0.0.1:9")
    tell(team, bob)
    Email.objects.update(created_at=timezone.now() - timedelta(days=6))

    outbox.send_out()

    assert Email.objects.get().state == Email.State.FAILED


def test_who_has_left_the_team_gets_no_letter_of_it(team, bob, alice):
    tell(team, bob)
    accounts.remove_member(actor=alice, team=team, user=bob)

    outbox.send_out()

    assert not mail.outbox
    assert Email.objects.get().state == Email.State.FAILED


def test_the_pauses_between_letters_grow_to_an_hour():
    assert [mailing.pause(n) for n in (1, 2, 3, 4, 20)] == [30, 60, 120, 240, 3600]


def test_a_forgotten_password_is_set_by_a_letter(client, bob, letter_box):
    known, unknown = (
        client.post("/forgot-password/", {"email": f"{name}@example.org"}, follow=True).context
        for name in ("BOB", "no")
    )
    assert [str(one) for one in known["messages"]] == [str(one) for one in unknown["messages"]] != []
    ask_for_reset(email="bob@example.org")

    assert outbox.send_out() == 1, "not a second letter within minutes, and none to nobody"

    (letter,) = letter_box.got
    link = re.search(r"/new-password/\S+", letter)[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(string_agg(e::text, ' '), '') FROM notices_email e")
        assert link.split("/")[-2] not in cursor.fetchone()[0], "the link is stored nowhere"
    page = client.get(link, follow=True)
    new = {"new_password1": "another long and quiet walk", "new_password2": "another long and quiet walk"}
    assert client.post(page.redirect_chain[-1][0], new).status_code == 302
    assert client.login(username="bob", password=new["new_password1"])
    assert "does not work any more" in client.get(link).content.decode()


def test_without_a_mail_server_the_page_says_whom_to_ask(client, bob):
    page = client.post("/forgot-password/", {"email": "bob@example.org"})

    assert "Ask its operator" in page.content.decode()
    assert not Email.objects.exists()


def test_the_mail_server_is_read_from_a_url():
    tls = env.mail("smtp+tls://me%40example.org:p%2Fw@mail.example.org")
    assert (tls.host, tls.port, tls.user, tls.password) == ("mail.example.org", 587, "me@example.org", "p/w")
    assert (tls.starttls, tls.ssl, tls.works) == (True, False, True)
    assert env.mail("smtps://mail.example.org:1465").port == 1465
    assert not env.mail("").works
    assert "console" in env.mail("console:").backend
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        env.mail("mail.example.org")
