"""The inbox, what one wants to be told, and an owner's webhooks, as pages."""

from __future__ import annotations

import html
import subprocess
import sys
import time
import uuid

import pytest

from webapp.notices import posting
from webapp.notices.models import Delivery, Kind, Notice, Preference, Webhook
from webapp.notices.services import News, notify
from webapp.tests import factories

HOOKS = "/teams/lab/webhooks/"


@pytest.fixture
def told(client, team, bob):
    """Three unread notices of two kinds for bob, who is signed in."""
    client.force_login(bob)
    kinds = [Kind.MENTION, Kind.JOB_ENDED, Kind.MENTION]
    return [notify(news=News(kind, team, f"News {n}.", "/jobs/"), to=[bob])[0] for n, kind in enumerate(kinds)]


def texts(page):
    return [notice.text for notice in page.context["page"]]


def test_the_inbox_filters_by_kind_and_by_what_is_unread(client, told):
    assert texts(client.get("/notices/")) == ["News 2.", "News 1.", "News 0."]
    assert texts(client.get("/notices/?kind=mention")) == ["News 2.", "News 0."]
    assert texts(client.get("/notices/?kind=nonsense&page=99")) == ["News 2.", "News 1.", "News 0."]

    client.post("/notices/read/?kind=mention", {"notice": told[0].pk})
    assert texts(client.get("/notices/?unread=1&kind=mention")) == ["News 2."]


def test_the_bell_counts_what_is_unread(client, told):
    assert "3<span" in client.get("/notices/unread/").content.decode()

    assert client.post("/notices/read/").status_code == 302

    assert "<span class" not in client.get("/notices/unread/").content.decode()
    assert not Notice.objects.filter(read_at=None).exists()


def test_opening_a_notice_reads_it_and_leads_to_its_page(client, told):
    answer = client.get(f"/notices/{told[1].pk}/")

    assert answer.headers["Location"] == "/jobs/"
    assert list(Notice.objects.filter(read_at=None).order_by("pk")) == [told[0], told[2]]


def test_nobody_reads_the_notices_of_others(client, told, vera):
    client.force_login(vera)

    assert client.get(f"/notices/{told[0].pk}/").status_code == 404
    assert client.post("/notices/read/", {"notice": told[0].pk}).status_code == 404
    assert client.post("/notices/read/", {"notice": "x"}).status_code == 404
    client.post("/notices/read/")
    assert Notice.objects.filter(read_at=None).count() == 3


def test_wishes_are_set_by_ticking_boxes(client, bob):
    client.force_login(bob)
    usual = {f"{kind}-in_app": "on" for kind in Kind}

    client.post("/profile/notices/", usual | {"mention-by_email": "on"})

    page = client.get("/profile/notices/")
    rows = {kind: (inbox.value(), letter.value()) for kind, inbox, letter in page.context["form"].rows()}
    assert rows[Kind.MENTION] == (True, True)
    assert rows[Kind.JOB_ENDED] == (True, False)
    assert not Preference.objects.filter(kind=Kind.MENTION).exists(), "what is as usual is not stored"
    assert "no mail server" in page.content.decode()


def test_a_webhook_is_made_and_its_secret_is_shown_once(client, alice, team):
    client.force_login(alice)
    page = client.post(HOOKS, {"url": "https://1.1.1.1/hook?key=1", "events": ["job.ended"], "active": "on"})

    webhook, secret = Webhook.objects.get(), page.context["secret"]
    assert secret.startswith("whsec_")
    assert secret in page.content.decode()
    assert page.headers["Cache-Control"] == "no-store"
    assert secret not in client.get(f"{HOOKS}{webhook.pk}/").content.decode()
    assert secret.encode() not in bytes(webhook.sealed_secret)


def test_an_address_inside_is_refused_on_its_field(client, alice, team):
    client.force_login(alice)
    page = client.post(HOOKS, {"url": "http://127.0.0.1:6379/", "events": ["job.ended"]})

    assert page.status_code == 422
    assert "127.0.0.1, which is not public" in page.context["form"].errors["url"][0]


def test_an_owner_changes_tests_replays_and_deletes(client, alice, team):
    client.force_login(alice)
    webhook = factories.webhook(alice, team)
    here = f"{HOOKS}{webhook.pk}/"

    client.post(here, {"url": webhook.url, "events": ["job.ended"]})
    webhook.refresh_from_db()
    assert (webhook.active, webhook.off_because) == (False, "Switched off by alice.")
    assert Delivery.objects.get().error == "The webhook was switched off."

    client.post(f"{here}ping/")
    client.post(f"{here}deliveries/{Delivery.objects.first().pk}/replay/")
    log = client.get(here)
    assert [one.replay_of_id is None for one in log.context["page"]] == [False, True, True]
    assert "alice tests this webhook" in html.unescape(log.content.decode())

    client.post(f"{here}delete/")
    assert not Webhook.objects.exists()


def test_a_webhook_is_found_below_its_own_team_only(client, alice, charlie, team):
    own = charlie.memberships.get().team
    webhook = factories.webhook(alice, team)
    client.force_login(charlie)

    for place in ("", "deliveries/1/replay/"):
        assert client.get(f"/teams/{own.name}/webhooks/{webhook.pk}/{place}").status_code in {404, 405}
    assert client.post(f"/teams/{own.name}/webhooks/{webhook.pk}/delete/").status_code == 404


def test_the_example_on_the_page_runs_with_python_alone(client, alice, team):
    """Copied from the page as it is drawn, and run without any package of ours."""
    client.force_login(alice)
    page = client.get(f"{HOOKS}{factories.webhook(alice, team).pk}/").content.decode()
    block = next(part for part in page.split("<pre") if "def verify" in part)
    example = html.unescape(block[block.index(">") + 1 : block.index("</pre>")])
    secret, message, now, body = posting.new_secret(), f"msg_{uuid.uuid4().hex}", int(time.time()), b'{"type": "ping"}'
    headers = {"webhook-id": message, "webhook-timestamp": str(now)}
    headers["webhook-signature"] = f"v1,bm90IHRoaXM= {posting.sign(secret, message, now, body)}"

    def run(sent):
        code = f"{example}\nverify({secret!r}, {headers!r}, {sent!r})"
        return subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)

    assert run(body).returncode == 0, run(body).stderr
    assert "The signature is wrong." in run(body + b"!").stderr
