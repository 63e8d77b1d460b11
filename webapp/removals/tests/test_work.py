"""The work in batches: it survives whatever ends it, goes on where it was, and two at once do no harm."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, connections, transaction

from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion, ModelEntry
from webapp.celery import app
from webapp.jobs import leases, quota
from webapp.jobs import services as jobs
from webapp.jobs.leases import LeaseLost
from webapp.jobs.models import Job, Run, SpendingTotal
from webapp.locks import Lock
from webapp.removals import work
from webapp.removals.models import Removal
from webapp.removals.services import remove_entry, remove_team
from webapp.results.models import Score
from webapp.results.services import finish_run
from webapp.tests import factories
from workers.tests.conftest import Start, start, wait_until  # noqa: F401 - fixtures

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def many(runs: list[Run]) -> int:
    """Scores that the first run also has, beyond what one batch takes."""
    rows = [Score(run=runs[0], index=at, score=1.0, answer="", output="") for at in range(4, 20_004)]
    Score.objects.bulk_create(rows, batch_size=5000)
    return len(rows)


@pytest.fixture
def removal(alice: User, runs: list[Run], entry: EntryVersion) -> Removal:
    return remove_entry(actor=alice, entry=entry.entry, name="small")


def left() -> int:
    return Score.objects.filter(run__contender__version__entry__name__startswith="deleted-").count()


def finish(removal: Removal) -> Removal:
    for _ in range(100):
        if work.work_on(removal_id=removal.pk):
            break
    removal.refresh_from_db()
    return removal


def test_a_batch_is_bounded_and_a_slice_ends_in_time(monkeypatch, many, removal):
    monkeypatch.setattr(work, "SLICE_SECONDS", 0)
    before, seen = left(), []
    while not work.work_on(removal_id=removal.pk):
        seen.append(left())
    assert max(a - b for a, b in zip([before, *seen], seen, strict=False)) <= work.BATCH
    assert sorted(seen, reverse=True) == seen
    assert len(seen) > many // work.BATCH
    removal.refresh_from_db()
    assert removal.removed["sample scores"] == before
    assert not ModelEntry.objects.filter(pk=removal.target).exists()


def test_what_ends_it_in_the_middle_takes_nothing_along(monkeypatch, many, removal):
    """The batch that was under way is undone; what it had counted, too."""
    deleted, calls = work.deleted, []

    def torn(rows, most=None):
        calls.append(rows.model)
        count = deleted(rows, most)
        if calls.count(Score) == 3:
            raise KeyboardInterrupt
        return count

    before = left()
    monkeypatch.setattr(work, "deleted", torn)
    with pytest.raises(KeyboardInterrupt):
        work.work_on(removal_id=removal.pk)
    monkeypatch.undo()
    removal.refresh_from_db()
    assert before - left() == removal.removed["sample scores"] == 2 * work.BATCH
    assert finish(removal).removed["sample scores"] == before
    assert removal.removed["runs"] == 2


def test_what_a_deleted_entry_cost_stays_spent_however_often_its_worker_ends(monkeypatch, alice, team, suite, entry):
    factories.price(alice, entry)
    factories.job(alice, team, suite, [entry])
    factories.worker()
    for _ in range(2):
        factories.finish([True] * 4)
    [before] = quota.spending([team])
    assert before.spent > 0
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")
    deleted = work.deleted

    def torn(rows, most=None):
        count = deleted(rows, most)
        if rows.model is Run:
            raise KeyboardInterrupt
        return count

    monkeypatch.setattr(work, "WHOLE", 1)
    for _ in range(2):
        monkeypatch.setattr(work, "deleted", torn)
        with pytest.raises(KeyboardInterrupt):
            work.work_on(removal_id=removal.pk)
        assert quota.spending([team]) == [before]
    monkeypatch.setattr(work, "deleted", deleted)
    finish(removal)
    assert not Run.objects.exists()
    [after] = quota.spending([team])
    assert (after.spent, after.uncosted) == (pytest.approx(before.spent), before.uncosted)
    assert finish(remove_team(actor=alice, team=team, name="lab")).state == Removal.State.DONE
    assert not SpendingTotal.objects.exists()


SLOWLY = """
import os, time, django
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
django.setup()
from webapp.removals import work
take = work.deleted
def slowly(rows, most=None):
    count = take(rows, most)
    time.sleep(0.3)
    return count
work.deleted, work.BATCH = slowly, 1000
work.work_on(removal_id=int(os.environ["REMOVAL"]))
"""


@pytest.mark.process
def test_a_worker_that_is_killed_loses_nothing_and_another_goes_on(start: Start, tmp_path, many, removal):  # noqa: F811
    module = tmp_path / "slowly.py"
    module.write_text(SLOWLY)
    before = left()
    process = start("slowly", REMOVAL=str(removal.pk), PYTHONPATH=f".:{tmp_path}")
    wait_until(lambda: left() < before, of=process)
    assert not work.work_on(removal_id=removal.pk), "one at a time"
    process.kill()
    removal.refresh_from_db()
    assert 0 < removal.removed["sample scores"] == before - left() < before
    wait_until(lambda: not sessions_that_hold(removal))
    assert finish(removal).state == Removal.State.DONE
    assert removal.removed["sample scores"] == before


def sessions_that_hold(removal: Removal) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s",
            [Lock.REMOVING, removal.pk],
        )
        return int(cursor.fetchone()[0])


def test_the_sweep_rings_for_what_nobody_goes_on_with(monkeypatch, removal):
    rung: list[tuple[object, ...]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args=(), **_: rung.append((name, *args)))
    work.ring_again()
    assert ("workers.remove", removal.pk) not in rung, "somebody has only just begun"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE removals_removal SET touched_at = now() - interval '1 minute'")
    work.ring_again()
    assert ("workers.remove", removal.pk) in rung
    finish(removal)
    rung.clear()
    work.ring_again()
    assert ("workers.remove", removal.pk) not in rung


def in_another_thread(todo: object) -> threading.Thread:
    def run() -> None:
        try:
            todo()  # type: ignore[operator]
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def answers() -> list[object]:
    return []


def asked_meanwhile(monkeypatch, answers, alice, team, suite, entry) -> tuple[threading.Event, threading.Thread]:
    """A submission that has planned its runs and has not committed yet; the event lets it go on."""
    inserted, go_on = threading.Event(), threading.Event()
    joined = jobs._joined

    def waits(*args: object) -> None:
        joined(*args)  # type: ignore[arg-type]
        inserted.set()
        go_on.wait(20)

    monkeypatch.setattr(jobs, "_joined", waits)

    def submit() -> None:
        try:
            answers.append(factories.job(alice, team, suite, [entry], "bf16"))
        except Exception as error:
            answers.append(error)

    thread = in_another_thread(submit)
    assert inserted.wait(20)
    return go_on, thread


def test_a_submission_that_commits_after_the_deletion_of_its_entry_goes_too(
    monkeypatch, answers, alice, team, suite, entry, runs
):
    go_on, thread = asked_meanwhile(monkeypatch, answers, alice, team, suite, entry)
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")
    go_on.set()
    thread.join(20)
    assert isinstance(answers[0], Job)
    assert finish(removal).state == Removal.State.DONE
    assert not Run.objects.filter(contender__version__entry=removal.target).exists()
    assert not Job.objects.filter(pk=answers[0].pk).exists()


def test_a_submission_that_commits_after_its_entry_is_gone_is_refused(
    monkeypatch, answers, alice, team, suite, entry, runs
):
    """Its contender is of the same transaction: it hangs on the version, which the deletion waits for no one with."""
    go_on, thread = asked_meanwhile(monkeypatch, answers, alice, team, suite, entry)
    removal = finish(remove_entry(actor=alice, entry=entry.entry, name="small"))
    go_on.set()
    thread.join(20)
    finish(removal)
    assert isinstance(answers[0], IntegrityError), "the database refuses it; people are told so: test_gone.py"
    assert not Run.objects.filter(contender__name__startswith="small@bf16").exists()


def test_new_rows_under_a_deletion_are_told_of_with_what_is_deleted(monkeypatch, caplog, removal):
    def meets(*_: object) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO jobs_jobrun (job_id, run_id, reused) VALUES (0, 0, false)")
        return True

    with monkeypatch.context() as patched:
        patched.setattr(work, "_batch", meets)
        assert not work.work_on(removal_id=removal.pk)
    assert caplog.messages[-1].startswith(f"removal {removal.pk} of entry lab/small meets new rows: ")


def test_a_submission_at_the_same_time_goes_with_its_team(monkeypatch, answers, alice, team, suite, entry, runs):
    go_on, thread = asked_meanwhile(monkeypatch, answers, alice, team, suite, entry)
    removal = remove_team(actor=alice, team=team, name="lab")
    go_on.set()
    thread.join(20)
    assert isinstance(answers[0], Job)
    assert finish(removal).state == Removal.State.DONE
    assert not Team.objects.filter(pk=team.pk).exists()
    assert Run.objects.count() == Job.objects.count() == 0


def test_a_worker_whose_run_goes_stops(alice, team, suite, entry, runs):
    """A run that was submitted in that moment, and claimed since."""
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")
    factories.job(alice, team, suite, [entry], "bf16")
    lease = factories.claim()
    finish(removal)
    with pytest.raises(LeaseLost):
        leases.keep(lease)
    with pytest.raises(LeaseLost):
        factories.score(lease, [True])


def test_a_job_whose_last_run_lands_while_others_of_it_go_ends_then(
    monkeypatch, alice, team, suite, entry, other_entry
):
    job = factories.job(alice, team, suite, [entry, other_entry])
    factories.worker()
    claimed = [factories.claim() for _ in range(4)]
    for lease in claimed:
        factories.score(lease, [True] * 4)
    last = next(one for one in claimed if Run.objects.filter(pk=one.run_id, contender__version=other_entry).exists())
    for lease in claimed:
        if lease != last:
            finish_run(lease=lease, provenance={})
    removal = remove_entry(actor=alice, entry=entry.entry, name="small")
    stay = work._jobs_that_stay

    def and_the_last_lands(*args):
        found = stay(*args)
        if found:
            finish_run(lease=last, provenance={})
        return found

    monkeypatch.setattr(work, "_jobs_that_stay", and_the_last_lands)
    finish(removal)
    job.refresh_from_db()
    assert (job.state, job.reason) == ("done", "All 2 runs are done.")
    assert job.finished_at is not None


def test_two_owners_press_at_once(alice, entry, runs):
    with transaction.atomic():
        first = remove_entry(actor=alice, entry=entry.entry, name="small")
        found: list[Removal] = []
        thread = in_another_thread(lambda: found.append(remove_entry(actor=alice, entry=entry.entry, name="small")))
        thread.join(0.5)
        assert thread.is_alive(), "the second one waits"
    thread.join(20)
    assert found == [first]
