"""Messages to a real server on this machine: signed, repeated, bounded; and the ways to misuse them."""

from __future__ import annotations

import json
import socket
import time
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from webapp.accounts.models import AuditEvent
from webapp.errors import Unprocessable
from webapp.notices import delivering, outbox, posting
from webapp.notices import receiver as example
from webapp.notices import webhooks as services
from webapp.notices.models import Delivery, Event, Kind, Notice, Webhook
from webapp.notices.services import News, notify
from webapp.notices.tests.conftest import due_now
from webapp.tests import factories

State = Delivery.State


@pytest.fixture
def hook(alice, team, receiver, nearby):
    """(webhook, secret), told of everything."""
    return services.create_webhook(actor=alice, team=team, url=receiver.url, events=Event.values)


def ended(team, **facts):
    return notify(news=News(Kind.JOB_ENDED, team, "Job done: tiny.", "/jobs/7/", facts={"job": 7, **facts}), to=[])


def test_a_message_is_signed_and_its_receiver_can_verify_it(hook, team, receiver):
    ended(team)

    assert outbox.send_out() == 1

    ((path, headers, body),) = receiver.got
    assert path == "/hook"
    example.verify(hook[1], headers, body)
    said = json.loads(body)
    assert said["type"] == "job.ended"
    assert said["data"]["team"] == "lab"
    assert said["data"]["job"] == 7
    assert said["data"]["url"].endswith("/jobs/7/")
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries[0]["status"], delivery.tries[0]["body"]) == (State.SENT, 200, "thank you")
    with pytest.raises(ValueError, match="signature"):
        example.verify(hook[1], headers, body + b" ")
    with pytest.raises(ValueError, match="signature"):
        example.verify(posting.new_secret(), headers, body)
    with pytest.raises(ValueError, match="too old"):
        example.verify(hook[1], {**headers, "webhook-timestamp": str(int(time.time()) - 600)}, body)


def test_the_signature_is_that_of_the_published_convention():
    """The example of the Standard Webhooks documentation."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    signature = posting.sign(secret, message, 1614265330, b'{"test": 2432232314}')

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_failure_is_repeated_with_the_same_id_and_body(hook, team, receiver):
    receiver.status, receiver.answer = 503, b"not now"
    ended(team)

    assert outbox.send_out() == 1
    assert outbox.send_out() == 0, "not at once"
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.error) == (State.QUEUED, "Answered with 503.")
    assert 5 < (delivery.next_at - timezone.now()).total_seconds() < 11
    assert Webhook.objects.get().failing_since

    receiver.status = 204
    due_now()
    outbox.send_out()
    first, second = receiver.got
    assert (first[1]["webhook-id"], first[2]) == (second[1]["webhook-id"], second[2])
    assert [one["status"] for one in Delivery.objects.get().tries] == [503, 204]
    assert Webhook.objects.get().failing_since is None


def test_ten_attempts_span_about_a_day():
    pauses = [delivering.pause(n) for n in range(1, delivering.ATTEMPTS)]

    assert all(later > 1.5 * sooner for sooner, later in pairwise(pauses))
    assert 14 * 3600 < sum(pauses) < 30 * 3600
    assert len({delivering.pause(3) for _ in range(5)}) > 1, "no herd"


def test_it_is_given_up_after_the_last_attempt(hook, team, receiver):
    receiver.status = 500
    ended(team)
    for _ in range(delivering.ATTEMPTS):
        due_now()
        outbox.send_out()

    due_now()
    assert outbox.send_out() == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, len(delivery.tries)) == (State.FAILED, delivering.ATTEMPTS)
    assert delivery.error == "Given up after 10 attempts. Answered with 500."


def test_a_redirect_is_not_followed(hook, team, receiver):
    receiver.status, receiver.headers = 302, {"Location": receiver.url.replace("/hook", "/admin")}
    ended(team)

    outbox.send_out()

    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert Delivery.objects.get().error == "Answered with 302: redirects are not followed."


def test_only_the_first_kilobyte_of_an_answer_is_kept(hook, team, receiver):
    receiver.answer = b"\0\xff" + b"x" * 5_000_000
    ended(team)

    outbox.send_out()

    kept = Delivery.objects.get().tries[0]["body"]
    assert len(kept) == posting.KEPT_BYTES
    assert kept.startswith("\N{REPLACEMENT CHARACTER}" * 2)


def test_a_server_that_trickles_is_left_in_time(hook, team, receiver, monkeypatch):
    monkeypatch.setattr(posting, "TOTAL_SECONDS", 0.5)
    receiver.slowly, receiver.answer = 0.2, b"y" * 200
    ended(team)

    began = time.monotonic()
    outbox.send_out()

    assert time.monotonic() - began < 3
    assert "Timeout" in Delivery.objects.get().error


@pytest.fixture
def names(monkeypatch):
    """A name server in the attacker's hands: `names` says what each look-up of hook.example.org answers, in turn."""
    answers, real = [], socket.getaddrinfo

    def getaddrinfo(host, port, *more, **options):
        if host != "hook.example.org":
            return real(host, port, *more, **options)
        return real(answers.pop(0) if len(answers) > 1 else answers[0], port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return answers


def test_a_name_that_turns_to_a_private_address_is_not_connected_to(alice, team, receiver, names):
    names += ["1.1.1.1", "127.0.0.1"]  # public when it is saved, ours when it is used
    services.create_webhook(
        actor=alice, team=team, url=f"http://hook.example.org:{receiver.port}/", events=["job.ended"]
    )
    ended(team)

    outbox.send_out()

    assert receiver.got == []
    assert Delivery.objects.get().error == "The host hook.example.org has the address 127.0.0.1, which is not public."


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(receiver, names, settings):
    names += ["127.0.0.1", "10.0.0.1"]  # a second look-up would lead elsewhere
    message = posting.Message(f"http://hook.example.org:{receiver.port}/", "msg_1", b"{}", posting.new_secret())

    answer = posting.post(message, allowed=["127.0.0.0/8"], timestamp=int(time.time()))

    assert answer.accepted
    assert receiver.got[0][1]["host"] == f"hook.example.org:{receiver.port}"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost:8000/", "http://[::1]/", "http://10.1.2.3/", "http://169.254.169.254/latest",
        "http://0x7f000001/", "http://2130706433/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
        "https://user:secret@1.1.1.1/", "ftp://1.1.1.1/", "file:///etc/passwd", "https://1.1.1.1/a b", "https://", "x",
        "https://no-such-host.invalid/", "https://1.1.1.1/\r\nHost: x", "https://1.1.1.1:99999/",
        "https://ex\N{CYRILLIC SMALL LETTER A}mple.org/",
    ],
)  # fmt: skip
def test_no_webhook_leads_inside_or_nowhere(alice, team, url):
    with pytest.raises(Unprocessable) as refused:
        services.create_webhook(actor=alice, team=team, url=url, events=["job.ended"])

    assert refused.value.field == "url"
    assert not Webhook.objects.exists()


def test_after_days_of_failures_it_is_switched_off_and_owners_hear_of_it(hook, team, receiver, alice, bob):
    receiver.status = 500
    Webhook.objects.update(failing_since=timezone.now() - delivering.DISABLE_AFTER - timedelta(hours=1))
    ended(team)
    ended(team)

    outbox.send_out()

    webhook = Webhook.objects.get()
    assert not webhook.active
    assert "Answered with 500." in webhook.off_because
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.FAILED}
    notice = Notice.objects.get(kind=Kind.WEBHOOK_OFF)
    assert (notice.user, notice.path) == (alice, f"/teams/lab/webhooks/{webhook.pk}/")
    assert AuditEvent.objects.filter(verb="switched off webhook", actor=None).count() == 1
    ended(team)
    assert Delivery.objects.filter(state=State.QUEUED).count() == 0, "nothing is kept for it"


def test_a_receiver_that_is_gone_is_asked_no_more(hook, team, receiver):
    receiver.status = 410
    ended(team)

    outbox.send_out()

    assert Delivery.objects.get().state == State.FAILED
    assert not Webhook.objects.get().active


def test_a_test_reaches_one_that_is_off_once(hook, alice, receiver):
    webhook, _ = hook
    services.change_webhook(actor=alice, webhook=webhook, url=receiver.url, events=["job.ended"], active=False)
    receiver.status = 500
    services.ping(actor=alice, webhook=webhook)

    outbox.send_out()

    assert json.loads(receiver.got[0][2])["type"] == "ping"
    assert Delivery.objects.get().state == State.FAILED


def test_a_replay_is_the_same_message_signed_anew(hook, team, alice, receiver):
    ended(team)
    outbox.send_out()
    _, secret = services.renew_secret(actor=alice, webhook=hook[0])

    again = services.replay(actor=alice, delivery=Delivery.objects.get())
    outbox.send_out()

    first, second = receiver.got
    assert again.replay_of.event == "job.ended"
    assert (first[1]["webhook-id"], first[2]) == (second[1]["webhook-id"], second[2])
    example.verify(secret, second[1], second[2])
    with pytest.raises(ValueError, match="signature"):
        example.verify(hook[1], second[1], second[2])


def test_a_secret_that_cannot_be_read_any_more_is_said(hook, team, receiver, settings):
    ended(team)
    settings.SECRET_KEY = "another one"

    outbox.send_out()

    assert receiver.got == []
    assert "make a new secret" in Delivery.objects.get().error


def test_each_hears_only_what_it_chose_and_nothing_private(hook, team, alice, job, receiver):
    other = services.create_webhook(actor=alice, team=team, url=receiver.url, events=["review.ruled"])[0]
    foreign = factories.person("dora")
    services.create_webhook(actor=foreign, team=foreign.memberships.get().team, url=receiver.url, events=["job.ended"])
    Delivery.objects.all().delete()
    job.visibility = "private"
    notify(news=News(Kind.JOB_ENDED, job, "Job done.", "/jobs/1/"), to=[alice])
    assert not Delivery.objects.exists()

    ended(team)
    assert [one.webhook_id for one in Delivery.objects.all()] == [hook[0].pk]
    assert other.pk != hook[0].pk
