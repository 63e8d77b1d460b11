"""What is thrown away, what stays, and that no sweep is long."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone

from webapp import env
from webapp.accounts.invitations import invite
from webapp.accounts.models import AuditEvent, Invitation, Membership, Team, Token, User
from webapp.accounts.services import create_token
from webapp.imports.models import Import, ImportChunk
from webapp.jobs import leases
from webapp.jobs.models import Job, Run, RunEvent, Worker
from webapp.notices.models import Delivery, Email, Notice
from webapp.operations import housekeeping
from webapp.operations.housekeeping import Rule
from webapp.operations.models import SizeOfDay
from webapp.operations.rules import RULES
from webapp.results.models import PackedScores, Report, Score
from webapp.tests import factories

BY_KEY = {rule.key: rule for rule in RULES}
SECOND = timedelta(seconds=1)


def aged(rule: Rule, beyond: timedelta = SECOND) -> datetime:
    """A time at which something began to be kept that is due since `beyond`."""
    assert rule.keep is not None
    return timezone.now() - rule.keep - beyond


@pytest.fixture
def sessions(alice: User) -> list[str]:
    """Of four browsers: three have not been heard of for long, the last one is at work."""
    keys = []
    for days in (3, 1, 2, -14):
        client = Client()
        client.force_login(alice)
        keys.append(client.cookies["sessionid"].value)
        Session.objects.filter(pk=keys[-1]).update(expire_date=timezone.now() - timedelta(days=days))
    return keys


def test_sessions_that_are_over_are_forgotten(sessions: list[str]) -> None:
    assert BY_KEY["sessions"].turn() == 3
    assert set(Session.objects.values_list("pk", flat=True)) == {sessions[-1]}


def test_a_turn_takes_a_bounded_number_the_oldest_first(sessions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    assert BY_KEY["sessions"].turn() == 2
    assert set(Session.objects.values_list("pk", flat=True)) == {sessions[1], sessions[3]}
    assert [BY_KEY["sessions"].turn() for _ in range(2)] == [1, 0]


def told(user: User, team: Team) -> Notice:
    """A notice whose e-mail is gone already."""
    made = factories.notice(user, team)
    made.email.delete()
    return made


@pytest.fixture
def old(alice: User, team: Team, job: Job, tmp_path: Path, settings: Any) -> Callable[[str], Any]:
    """Makes something that a rule is about, and returns how to set the time from which on it is kept."""
    settings.KEEP_DIARIES, settings.EMAIL_FILE_PATH = timedelta(days=365), tmp_path / "mail"
    makers: dict[str, Callable[[], Any]] = {
        "uploads": lambda: factories.imported(alice, team).pk,
        "notices": lambda: told(alice, team).pk,
        "silent_notices": lambda: told(alice, team).pk,
        "emails": lambda: Email.objects.create(user=alice, state="sent").pk,
        "deliveries": lambda: factories.webhook(alice, team).deliveries.get().pk,
        "tokens": lambda: create_token(actor=alice, name="ci", scopes=["read"], days=1)[0].pk,
        "invitations": lambda: invite(actor=alice, team=team, role="viewer", days=1, uses=1)[0].pk,
        "workers": lambda: Worker.objects.get(name=factories.worker()).pk,
        "sizes": lambda: SizeOfDay.objects.create(day="2020-01-01", at=timezone.now(), total=1, kinds={}, teams={}).pk,
    }
    return lambda key: makers[key]()


STORED: dict[str, tuple[Any, Callable[[datetime], dict[str, Any]]]] = {
    "notices": (Notice, lambda at: {"read_at": at}),
    "silent_notices": (Notice, lambda at: {"created_at": at, "in_inbox": False}),
    "emails": (Email, lambda at: {"ended_at": at}),
    "deliveries": (Delivery, lambda at: {"ended_at": at, "state": "sent"}),
    "tokens": (Token, lambda at: {"expires_at": at}),
    "invitations": (Invitation, lambda at: {"expires_at": at}),
    "workers": (Worker, lambda at: {"seen_at": at, "stopped_at": at}),
    "sizes": (SizeOfDay, lambda at: {"at": at}),
}


@pytest.mark.parametrize("key", STORED)
def test_it_goes_when_it_has_been_kept_for_longer_and_not_before(key: str, old: Callable[[str], Any]) -> None:
    rule, (model, fields) = BY_KEY[key], STORED[key]
    pk = old(key)
    model.objects.filter(pk=pk).update(**fields(aged(rule, -timedelta(minutes=1))))
    assert rule.turn() == 0
    assert (rule.outlook().due, rule.outlook().coming) == (0, 1)

    model.objects.filter(pk=pk).update(**fields(aged(rule)))
    assert rule.outlook().due == 1
    assert rule.turn() == 1
    assert not model.objects.filter(pk=pk).exists()
    assert rule.turn() == 0, "once more changes nothing"


@pytest.mark.parametrize("key", STORED)
def test_exactly_as_old_stays(key: str, old: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(housekeeping.timezone, "now", lambda: now)
    rule, (model, fields) = BY_KEY[key], STORED[key]
    pk = old(key)
    model.objects.filter(pk=pk).update(**fields(now - rule.keep))
    assert (rule.turn(), rule.outlook().due) == (0, 0)
    model.objects.filter(pk=pk).update(**fields(now - rule.keep - timedelta(microseconds=1)))
    assert rule.turn() == 1


@pytest.mark.parametrize("key", STORED)
def test_nothing_goes_where_it_is_kept_for_ever(key: str, old: Callable[[str], Any], settings: Any) -> None:
    rule, (model, fields) = BY_KEY[key], STORED[key]
    model.objects.filter(pk=old(key)).update(**fields(timezone.now() - timedelta(days=30_000)))
    assert rule.outlook().due == 1
    setattr(settings, rule.setting, None)
    assert (rule.turn(), rule.outlook().due) == (0, 0)
    assert model.objects.exists()


def test_an_upload_gives_its_room_back_and_stays_in_the_list(alice: User, team: Team) -> None:
    job = factories.imported(alice, team)
    chunks = ImportChunk.objects.filter(owner=job)
    assert chunks.exists()
    Import.objects.update(touched_at=aged(BY_KEY["uploads"]))
    assert BY_KEY["uploads"].outlook().due == 1
    assert BY_KEY["uploads"].turn() == 1
    job.refresh_from_db()
    assert (job.state, chunks.exists()) == ("cancelled", False)
    assert (BY_KEY["uploads"].turn(), BY_KEY["uploads"].outlook().due) == (0, 0)


def test_an_import_that_is_being_read_keeps_its_bytes(alice: User, team: Team) -> None:
    factories.imported(alice, team)
    Import.objects.update(touched_at=aged(BY_KEY["uploads"]), state="queued")
    assert BY_KEY["uploads"].turn() == 0
    assert ImportChunk.objects.exists()


def test_a_notice_that_waits_for_its_reader_or_its_e_mail_stays(alice: User, team: Team) -> None:
    long_ago = timezone.now() - timedelta(days=9_000)
    unread, sent = told(alice, team), factories.notice(alice, team)
    Notice.objects.update(created_at=long_ago)
    Notice.objects.filter(pk=sent.pk).update(read_at=long_ago)
    for key in ("notices", "silent_notices"):
        assert BY_KEY[key].turn() == 0
    assert set(Notice.objects.values_list("pk", flat=True)) == {unread.pk, sent.pk}
    assert Email.objects.get().state == "queued"


def test_a_letter_and_a_message_that_are_still_to_be_sent_stay(alice: User, team: Team) -> None:
    Email.objects.create(user=alice)
    delivery = factories.webhook(alice, team).deliveries.get()
    Delivery.objects.filter(pk=delivery.pk).update(state="queued", ended_at=None)
    for model in (Email, Delivery):
        model.objects.update(created_at=timezone.now() - timedelta(days=9_000))
    assert (BY_KEY["emails"].turn(), BY_KEY["deliveries"].turn()) == (0, 0)


def test_a_token_counts_from_when_it_was_revoked(alice: User) -> None:
    token, _ = create_token(actor=alice, name="ci", scopes=["read"], days=300)
    assert BY_KEY["tokens"].turn() == 0
    Token.objects.filter(pk=token.pk).update(revoked_at=aged(BY_KEY["tokens"]))
    assert BY_KEY["tokens"].turn() == 1


def test_an_invitation_by_which_somebody_came_stays(alice: User, bob: User, team: Team) -> None:
    invitation, _ = invite(actor=alice, team=team, role="viewer", days=1, uses=1)
    Membership.objects.filter(user=bob).update(invitation=invitation)
    Invitation.objects.update(expires_at=aged(BY_KEY["invitations"]))
    assert BY_KEY["invitations"].turn() == 0
    assert Membership.objects.get(user=bob, team=team).invitation == invitation


@pytest.mark.parametrize("mode", ["paused", "draining"])
def test_a_worker_that_people_held_stays(db: None, mode: str) -> None:
    factories.worker()
    Worker.objects.update(seen_at=aged(BY_KEY["workers"]), mode=mode)
    assert BY_KEY["workers"].turn() == 0


def test_a_worker_whose_runs_are_on_boards_stays(job: Job) -> None:
    """Reports name the device of a run by its worker."""
    factories.worker()
    run = factories.finish([True, False, True, True])
    factories.worker("idle-one")
    Worker.objects.update(seen_at=aged(BY_KEY["workers"]))
    assert BY_KEY["workers"].turn() == 1
    assert list(Worker.objects.values_list("name", flat=True)) == [run.worker]


def test_a_worker_that_comes_back_meanwhile_stays(transactional_db: None) -> None:
    """Its sign of life is in a transaction that is not over when the sweep looks."""
    factories.worker()
    Worker.objects.update(seen_at=aged(BY_KEY["workers"]))
    name = Worker.objects.get().name
    with transaction.atomic():
        leases.worker_alive(name)
        assert elsewhere(BY_KEY["workers"].turn) == 0
    assert (BY_KEY["workers"].turn(), Worker.objects.count()) == (0, 1)


def elsewhere(action: Callable[[], int]) -> int:
    """What it returns on a connection of its own."""
    from concurrent.futures import ThreadPoolExecutor

    def alone() -> int:
        try:
            return action()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(alone).result(timeout=20)


def test_diaries_go_when_their_runs_ended_long_ago(job: Job, settings: Any, client: Client, alice: User) -> None:
    rule = BY_KEY["diaries"]
    assert rule.keep is None, "unless somebody says otherwise they are kept"
    factories.worker()
    done = factories.finish([True] * 4)
    RunEvent.objects.update(at=timezone.now() - timedelta(days=500))
    settings.KEEP_DIARIES = timedelta(days=365)
    assert (rule.turn(), rule.outlook().due) == (0, 0), "the run itself ended just now"
    Run.objects.filter(pk=done.pk).update(finished_at=timezone.now() - timedelta(days=366))
    entries = done.events.count()
    assert entries > 0
    assert (rule.outlook().due, rule.turn()) == (entries, entries)
    assert done.events.count() == 0
    assert Score.objects.filter(run=done).count() == 4
    client.force_login(alice)
    page = client.get(f"/runs/{done.pk}/").content.decode()
    assert "It is not kept any more" in page
    assert "All 4 samples are scored." in page


def test_files_of_letters_go_one_by_one(tmp_path: Path, settings: Any) -> None:
    rule = BY_KEY["mail_files"]
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    assert (rule.turn(), rule.outlook().due) == (0, 0), "there may be no folder"
    (tmp_path / "mail" / "folder").mkdir(parents=True)
    (tmp_path / "elsewhere").write_text("not ours")
    (tmp_path / "mail" / "link").symlink_to(tmp_path / "elsewhere")
    for name, age in (("old.log", 91), ("new.log", 89)):
        (tmp_path / "mail" / name).write_text("a letter")
        then = (timezone.now() - timedelta(days=age)).timestamp()
        os.utime(tmp_path / "mail" / name, (then, then))
    os.utime(tmp_path / "elsewhere", (0, 0))
    os.utime(tmp_path / "mail" / "link", (0, 0), follow_symlinks=False)
    assert (rule.outlook().due, rule.outlook().coming) == (1, 1)
    assert [rule.turn() for _ in range(2)] == [1, 0]
    assert sorted(one.name for one in (tmp_path / "mail").iterdir()) == ["folder", "link", "new.log"]
    assert (tmp_path / "elsewhere").exists()


def test_what_people_decided_by_is_never_thrown_away(
    world: dict[str, dict[str, Any]], settings: Any, tmp_path: Path
) -> None:
    """A whole platform that was left alone for twenty years, with everything kept for one day."""
    settings.EMAIL_FILE_PATH = tmp_path
    for rule in filter(lambda one: one.setting, RULES):
        setattr(settings, rule.setting, timedelta(days=1))
    kept = (Score, PackedScores, Report, Run, Job, AuditEvent, Membership, User, Team)
    before = {model: set(model._default_manager.values_list("pk", flat=True)) for model in kept}
    assert all(before.values())
    future = timezone.now() + timedelta(days=20 * 365)
    for rule in RULES:
        while rule.take(future):
            pass
    assert {model: set(model._default_manager.values_list("pk", flat=True)) for model in kept} == before


def retention(*options: str) -> str:
    out = StringIO()
    call_command("retention", *options, stdout=out)
    return out.getvalue()


def test_the_command_says_what_would_go_and_then_does_it(sessions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "BATCH", 2)
    said = retention("--dry-run")
    assert "Sign-ins that have expired: 3 due (not kept)" in said
    assert "Notices that were read: 0 due (kept for 180 days, CROSSTABLE_KEEP_NOTICES_DAYS)" in said
    assert "Diaries of runs that ended: kept for ever (CROSSTABLE_KEEP_DIARIES_DAYS=0)" in said
    assert Session.objects.count() == 4
    assert retention() == "Sign-ins that have expired: 3 thrown away\n"
    assert (Session.objects.count(), retention()) == (1, "")


def test_counting_ends_somewhere(sessions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "COUNTED", 1)
    look = BY_KEY["sessions"].outlook()
    assert (look.due, look.more) == (2, True)


def test_each_rule_is_told_apart_and_its_setting_is_listed() -> None:
    example = (env.ROOT / "deploy/env.example").read_text()
    listed = set(re.findall(r"CROSSTABLE_KEEP_\w+", example))
    assert {rule.variable for rule in RULES if rule.setting} == listed
    assert len({rule.key for rule in RULES}) == len({rule.title for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("value", "days"), [("", 7), ("0", None), ("1", 1), ("99999", 99_999)])
def test_days_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, days: int | None) -> None:
    monkeypatch.setenv("CROSSTABLE_KEEP_X_DAYS", value)
    assert env.days("CROSSTABLE_KEEP_X_DAYS", 7) == (None if days is None else timedelta(days=days))


@pytest.mark.parametrize("value", ["-1", "1.5", "week", "1000000", "٣"])
def test_other_words_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CROSSTABLE_KEEP_X_DAYS", value)
    with pytest.raises(ImproperlyConfigured, match="CROSSTABLE_KEEP_X_DAYS"):
        env.days("CROSSTABLE_KEEP_X_DAYS", 7)
