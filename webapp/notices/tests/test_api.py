"""Notices and webhooks over REST: whose they are, which scopes they need, what an answer never holds."""

from __future__ import annotations

import pytest

from webapp.accounts import services as accounts
from webapp.notices import webhooks
from webapp.notices.models import Delivery, Kind, Webhook
from webapp.notices.services import News, notify
from webapp.tests import factories

HOOKS = "/api/v1/teams/lab/webhooks/"


@pytest.fixture
def told(team, bob):
    return [notify(news=News(kind, team, f"{kind}.", "/jobs/"), to=[bob])[0] for kind in (Kind.MENTION, Kind.COMMENT)]


def test_a_person_reads_their_own(api, bob, alice, told):
    caller = api(bob)
    listed = caller.get("/api/v1/notices/").json()["results"]
    assert [one["kind"] for one in listed] == ["comment", "mention"]
    assert listed[0]["url"].endswith("/jobs/")
    assert api(alice).get("/api/v1/notices/").json()["results"] == []

    first = caller.post(f"/api/v1/notices/{told[0].pk}/read/").json()
    assert first["read_at"] == caller.post(f"/api/v1/notices/{told[0].pk}/read/").json()["read_at"]
    for word in ("1", "true"):
        found = caller.get(f"/api/v1/notices/?unread={word}").json()["results"]
        assert [one["id"] for one in found] == [told[1].pk]
    assert caller.post("/api/v1/notices/read/").json() == {"read": 1}
    assert caller.get("/api/v1/notices/?kind=nonsense").status_code == 400


def test_wishes_that_are_not_named_stay(api, bob):
    caller = api(bob)
    wish = {"kind": "job_ended", "in_app": True, "by_email": False}

    changed = caller.patch("/api/v1/notice-preferences/", {"preferences": [wish]}).json()["preferences"]

    assert wish in changed
    assert changed == caller.get("/api/v1/notice-preferences/").json()["preferences"]
    assert {"kind": "mention", "in_app": True, "by_email": True} in changed
    wrong = caller.patch("/api/v1/notice-preferences/", {"preferences": [{**wish, "sms": True}]})
    assert (wrong.status_code, wrong["Content-Type"]) == (400, "application/problem+json")


def test_the_life_of_a_webhook(api, alice, team):
    owner = api(alice)
    made = owner.post(HOOKS, {"url": "https://1.1.1.1/hook", "events": ["job.ended", "review.ruled"]})
    assert made.status_code == 201
    secret, place = made.json()["secret"], f"{HOOKS}{made.json()['id']}/"
    assert made["Location"] == f"http://testserver{place}"
    assert secret not in owner.get(place).content.decode() + owner.get(HOOKS).content.decode()

    assert owner.patch(place, {"active": False}).json()["events"] == ["job.ended", "review.ruled"]
    assert owner.post(f"{place}ping/").status_code == 202
    log = owner.get(f"{place}deliveries/").json()["results"]
    assert (log[0]["event"], log[0]["state"], log[0]["attempts"]) == ("ping", "queued", [])
    again = owner.post(f"{place}deliveries/{log[0]['id']}/replay/").json()
    assert (again["replay_of"], again["message"], again["body"]) == (log[0]["id"], log[0]["message"], log[0]["body"])

    renewed = owner.post(f"{place}secret/").json()["secret"]
    assert renewed != secret
    assert webhooks.SECRETS.unseal(Webhook.objects.get().sealed_secret) == renewed
    assert owner.delete(place).status_code == 204
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("field", ["url", "events"])
def test_what_is_wrong_is_named(api, alice, team, field):
    body = {"url": "https://1.1.1.1/hook", "events": ["job.ended"]}
    body[field] = {"url": "http://169.254.169.254/", "events": []}[field]

    answer = api(alice).post(HOOKS, body)

    assert answer.status_code in {400, 422}
    assert list(answer.json()["errors"]) == [field]
    assert not Webhook.objects.exists()


def test_reading_webhooks_needs_the_scope_admin(client, alice, team):
    """An address can hold a secret of its receiver."""
    factories.webhook(alice, team)
    for scopes, status in ((["read", "submit", "review"], 403), (["read", "admin"], 200)):
        token = accounts.create_token(actor=alice, name="t", scopes=scopes, days=1)[1]
        headers = {"Authorization": f"Bearer {token}"}
        assert client.get(HOOKS, headers=headers).status_code == status
        assert client.get(f"{HOOKS}{Webhook.objects.get().pk}/deliveries/", headers=headers).status_code == status


def test_a_team_has_so_many_webhooks_and_no_more(api, alice, team, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST", 1)
    body = {"url": "https://1.1.1.1/hook", "events": ["job.ended"]}

    assert [api(alice).post(HOOKS, body).status_code for _ in range(2)] == [201, 409]
