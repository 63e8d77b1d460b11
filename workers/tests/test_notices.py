"""The analysis worker sends what waits: by the doorbell, and by the sweep when the doorbell was lost."""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django import Settings

from webapp.accounts.invitations import accept_invitation, invite
from webapp.bells import Bell
from webapp.notices import outbox, webhooks
from webapp.notices.models import Delivery, Email, Event, Notice
from webapp.notices.receiver import verify
from webapp.notices.tests.conftest import LetterBox, Receiver, letter_box, receiver  # noqa: F401 - fixtures
from webapp.results import reports
from webapp.tests import factories
from workers import tasks
from workers.tests.conftest import CELERY, Lab, Start, wait_until


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_process_sends_messages_and_letters(
    lab: Lab,
    start: Start,
    settings: Settings,
    receiver: Receiver,  # noqa: F811 - fixture
    letter_box: LetterBox,  # noqa: F811 - fixture
) -> None:
    settings.ALLOWED_NETWORKS = ["127.0.0.1"]
    hook, secret = webhooks.create_webhook(actor=lab.owner, team=lab.team, url=receiver.url, events=Event.values)
    link = invite(actor=lab.owner, team=lab.team, role="viewer", days=1, uses=1)[1]
    worker = start(
        *CELERY, "-P", "threads", "-c", "1", "-Q", "analysis", "-n", "analysis@test",
        CROSSTABLE_ALLOWED_NETWORKS="127.0.0.1", EMAIL_URL=f"smtp://127.0.0.1:{letter_box.port}",
    )  # fmt: skip

    accept_invitation(actor=factories.person("nora"), secret=link)
    webhooks.ping(actor=lab.owner, webhook=hook)
    factories.notice(lab.owner, lab.team)

    wait_until(lambda: len(receiver.got) == 2 and letter_box.got, of=worker)
    for _, headers, body in receiver.got:
        verify(secret, headers, body)
    assert Notice.objects.filter(kind="joined", user=lab.owner).count() == 1
    wait_until(lambda: not Delivery.objects.exclude(state="sent").exists(), of=worker)


def test_the_sweep_rings_again_for_what_waits(lab: Lab, django_capture_on_commit_callbacks) -> None:
    factories.notice(lab.owner, lab.team)

    with django_capture_on_commit_callbacks() as bells:
        tasks.sweep()
    assert Bell("send_out") in factories.rung(bells)

    tasks.send_out()
    assert Email.objects.get().state == Email.State.SENT
    with django_capture_on_commit_callbacks() as bells:
        tasks.sweep()
    assert Bell("send_out") not in factories.rung(bells)


def test_a_part_of_the_sweep_that_fails_keeps_no_other_from_its_work(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks
) -> None:
    def broken() -> None:
        raise RuntimeError("a row that nobody expected")

    monkeypatch.setattr(reports, "ring_again", broken)
    factories.notice(lab.owner, lab.team)

    with django_capture_on_commit_callbacks() as bells:
        tasks.sweep()

    assert Bell("send_out") in factories.rung(bells)
    assert "a row that nobody expected" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_one_sends_and_the_others_return(lab: Lab) -> None:
    """The lock is held by another connection: nothing is sent twice at once."""
    factories.notice(lab.owner, lab.team)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [outbox.LOCK])
        assert outbox.send_out() == 0
        with other.cursor() as cursor:
            cursor.execute("ROLLBACK")
        assert outbox.send_out() == 1
    finally:
        other.close()
