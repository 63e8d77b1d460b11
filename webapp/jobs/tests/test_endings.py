from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from webapp.jobs import endings, leases
from webapp.jobs.models import Ending, EndingTotal, Job, Run

SCHEMES = ("fp32", "bf16")


def counts() -> dict[str, int]:
    return {kind: one.count for kind, one in endings.endings().items()}


def claimed() -> Run:
    run = leases.claim(worker="w", schemes=SCHEMES)
    assert run is not None
    return run


@pytest.mark.django_db
def test_every_way_to_end_is_counted_once(job: Job) -> None:
    run = claimed()
    leases.end(lease=leases.lease_of(run), state=Run.State.FAILED, reason="It broke.")
    assert counts() == {"failed": 1}
    leases.give_back(lease=leases.lease_of(claimed()), reason="The worker stops.")
    assert counts() == {"failed": 1}, "what goes on has not ended"
    Run.objects.filter(state=Run.State.QUEUED).update(state=Run.State.CANCELLED)
    assert counts() == {"failed": 1}, "what never ran took no time"


@pytest.mark.django_db
def test_a_run_that_ends_twice_has_two_endings(job: Job) -> None:
    for _ in range(2):
        run = claimed()
        leases.end(lease=leases.lease_of(run), state=Run.State.FAILED, reason="It broke.")
        Run.objects.filter(pk=run.pk).update(state=Run.State.QUEUED, priority=9, finished_at=None)
        endings.fold()
    assert counts() == {"failed": 2}


@pytest.mark.django_db
def test_a_loss_that_ends_the_run_is_both(job: Job) -> None:
    run = claimed()
    Run.objects.filter(pk=run.pk).update(leased_until=Now() - timedelta(seconds=1), last_attempt=1)
    assert leases.sweep() == [run.pk]
    assert counts() == {"failed": 1, "lost": 1}


@pytest.mark.django_db
def test_what_is_rolled_back_was_no_ending(job: Job) -> None:
    run = claimed()
    with transaction.atomic():
        leases.end(lease=leases.lease_of(run), state=Run.State.FAILED, reason="It broke.")
        assert counts() == {"failed": 1}
        transaction.set_rollback(True)
    assert counts() == {}


@pytest.mark.django_db
def test_totals_of_old_edges_count_under_the_next_larger_one() -> None:
    EndingTotal.objects.create(kind="done", edge=2.0, count=3, microseconds=4_500_000)
    Ending.objects.create(kind="done", microseconds=1_000_000)
    found = endings.endings()["done"]
    assert found.within == (1, 4, 4, 4, 4, 4, 4, 4, 4)
    assert found.seconds == 5.5


@pytest.mark.django_db
def test_one_sweep_adds_up_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "MOST", 3)
    Ending.objects.bulk_create(Ending(kind="done", microseconds=7) for _ in range(5))
    for left in (2, 0, 0):
        endings.fold()
        assert (Ending.objects.count(), counts()) == (left, {"done": 5})
    assert EndingTotal.objects.get().microseconds == 35


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_or_doubled_while_several_add_up_and_others_write() -> None:
    """Each on a connection of its own; a reader never sees the counters go back."""
    seen: list[int] = []
    over = threading.Event()
    writers = [_begun(_write_sixty) for _ in range(2)]
    others = [_begun(lambda: _until(over, endings.fold)) for _ in range(2)]
    others.append(_begun(lambda: _until(over, lambda: seen.append(sum(counts().values())))))
    _join(writers)
    over.set()
    _join(others)
    assert seen == sorted(seen)
    assert counts() == {"done": 60, "failed": 60}
    endings.fold()
    assert (Ending.objects.count(), counts()) == (0, {"done": 60, "failed": 60})


def _write_sixty() -> None:
    for at in range(60):
        with transaction.atomic():
            Ending.objects.create(kind=("done", "failed")[at % 2], microseconds=10 ** at.bit_length())


def _until(over: threading.Event, action: Callable[[], object]) -> None:
    while not over.is_set():
        action()


def _begun(action: Callable[[], object]) -> threading.Thread:
    def closing() -> None:
        try:
            action()
        finally:
            connections.close_all()

    thread = threading.Thread(target=closing)
    thread.start()
    return thread


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)


@pytest.mark.django_db
def test_the_migration_counts_what_was_over_before(job: Job) -> None:
    """Its own statements on rows as the version before left them."""
    from importlib import import_module

    migration = import_module("webapp.jobs.migrations.0007_endings")
    run = claimed()
    Run.objects.filter(pk=run.pk).update(leased_until=Now() - timedelta(seconds=1))
    leases.sweep()
    began = timezone.now()
    late = {"state": Run.State.FAILED, "started_at": began, "finished_at": began + timedelta(seconds=2)}
    Run.objects.filter(pk=run.pk).update(**late)
    Ending.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(migration.LOSSES)
        cursor.execute(migration.RUNS)
    found = endings.endings()
    assert (found["failed"].within[:2], found["failed"].seconds, found["lost"].count) == ((0, 1), 2.0, 1)
