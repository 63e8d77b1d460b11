"""The life of a run under a worker: claim, keep, fence, let go; and the sweep that finds lost ones.

Postgres' clock decides (Now()), so workers' clocks may differ. Every write is fenced with the attempt number: a worker
that was declared lost and comes back can change nothing.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from webapp.accounts.models import Team
from webapp.catalog.selectors import price_on, unit_prices
from webapp.jobs.endings import note_loss
from webapp.jobs.models import Job, Run, Worker
from webapp.jobs.queue import depths, lock_next, waiting_resources
from webapp.jobs.resources import CPU
from webapp.jobs.selectors import alive_workers
from webapp.jobs.services import note, requeue, ring, run_changed
from webapp.live import publish
from webapp.locks import Lock

log = logging.getLogger("crosstable.worker")
State = Run.State
LOST = "was lost: no heartbeat"  # of a worker that went silent, in the diary of its run
READ = ("contender__version__entry", "version__benchmark", "team")
TRIES = 8  # runs that a claim looks at whose teams turn out to be at their limit
HAND_OVERS = 30  # attempts after which a run is bounded whatever became of its workers


class LeaseLost(Exception):
    """This attempt no longer holds the run: stop, write nothing."""


@dataclass(frozen=True)
class Lease:
    """The right to write to a run: checked on every write."""

    run_id: int
    attempt: int
    worker: str

    def held(self) -> dict[str, object]:
        return {"pk": self.run_id, "attempt": self.attempt, "worker": self.worker, "state": State.RUNNING}


def _until() -> Now:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)  # type: ignore[return-value]


def database_now() -> datetime:
    """The moment by the only clock that counts: hosts' clocks differ."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@transaction.atomic
def claim(*, worker: str, schemes: Sequence[str], resources: Sequence[str] = (CPU,)) -> Run | None:
    """Take the next queued run that this worker can do, or None. Two workers never get the same one, and one that was
    paused gets none."""
    if is_held(worker):
        return None
    run = _next(schemes, resources)
    if run is None:
        return None
    attempt = run.attempt + 1
    before = f" Before: {run.reason}" if attempt > 1 else ""
    reason = f"Running on {worker}, attempt {attempt} of {run.last_attempt}.{before}"
    Run.objects.filter(pk=run.pk).update(
        state=State.RUNNING,
        attempt=attempt,
        worker=worker,
        leased_until=_until(),
        heartbeat_at=Now(),
        started_at=Now(),
        done_before=F("done"),
        unit_prices=_prices(run),
        reason=reason,
    )
    run = Run.objects.select_related(*READ).get(pk=run.pk)
    note(run, State.RUNNING, reason)
    run_changed(run)
    return run


def _next(schemes: Sequence[str], resources: Sequence[str]) -> Run | None:
    """The next run, locked. Two workers that claim in the same instant could both find room for a team with a limit:
    each counts again once it is alone with the team."""
    for _ in range(TRIES):
        pk = lock_next(schemes=schemes, resources=resources)
        if pk is None:
            return None
        run = Run.objects.select_related("contender__version", "team").get(pk=pk)
        if run.team.running_limit is None or _has_room(run.team):
            return run
    return None


def _has_room(team: Team) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [Lock.CLAIMING, team.pk])
    return Run.objects.filter(team=team, state=State.RUNNING).count() < (team.running_limit or 0)


def _prices(run: Run) -> dict[str, str | None]:
    """What its attempts will be costed with, fixed once: all of a run is paid at the prices of its first day."""
    if run.unit_prices or run.seconds is not None:
        return dict(run.unit_prices)
    prices = unit_prices(price_on(run.contender, database_now().date()))
    return {} if prices is None else prices.to_json()


def lease_of(run: Run) -> Lease:
    return Lease(run.pk, run.attempt, run.worker)


def locked(lease: Lease) -> Run:
    """The run, locked for this transaction; raises LeaseLost when the lease is not ours any more."""
    run = Run.objects.select_for_update().filter(**lease.held()).first()
    if run is None:
        raise LeaseLost(f"run {lease.run_id}, attempt {lease.attempt}")
    return run


def keep(lease: Lease) -> None:
    """Extend the lease; raises LeaseLost when it is not ours any more."""
    kept = Run.objects.filter(**lease.held()).update(leased_until=_until(), heartbeat_at=Now())
    if not kept:
        raise LeaseLost(f"run {lease.run_id}, attempt {lease.attempt}")


def beat(lease: Lease) -> bool:
    """Keep the lease. Returns True when the run is to stop (a person cancelled it)."""
    keep(lease)
    return Run.objects.filter(pk=lease.run_id, cancel_requested=True).exists()


@transaction.atomic
def start(*, lease: Lease, total: int, attempts: int | None = None) -> None:
    """The engine has loaded the model and counted the samples that the run has in all.

    attempts: at each of them, where the engine knows better than the plan: a task of the harness may turn out to
    compare log-likelihoods, which is done once.
    """
    run = locked(lease)
    planned = run.settings.get("attempts", 1)
    settings = run.settings if attempts in {None, planned} else {**run.settings, "attempts": attempts}
    reason = _running(run) if "search" in run.provenance else run.reason
    Run.objects.filter(pk=run.pk).update(total=total, settings=settings, reason=reason)
    progressed(run)


@transaction.atomic
def searched(*, lease: Lease, news: Mapping[str, Any]) -> None:
    """How far a scheme that searches has come: `step` of `of`, `kl` in nats, and the map of `bits` where it has one."""
    run = locked(lease)
    steps = f"step {news['step']} of {news['of']}" if "of" in news else "under way"
    kl = f", KL {news['kl']:.4f} nats a token" if "kl" in news else ""
    reason = f"{_running(run)} Searching: {steps}{kl}."
    Run.objects.filter(pk=run.pk).update(reason=reason, provenance={"search": dict(news)})
    progressed(run)


def held_run(lease: Lease) -> Run:
    """The run as it stands now, with what a worker reads of it; raises LeaseLost."""
    found = Run.objects.filter(**lease.held()).select_related(*READ).first()
    if found is None:
        raise LeaseLost(f"run {lease.run_id}, attempt {lease.attempt}")
    return found


@transaction.atomic
def remark(*, lease: Lease, text: str) -> None:
    """Something that people should know of this attempt, while it goes on."""
    run = locked(lease)
    Run.objects.filter(pk=run.pk).update(reason=f"{_running(run)} {text}")
    note(run, run.state, text)
    progressed(run)


@transaction.atomic
def computed_with(*, lease: Lease, software: Mapping[str, str]) -> None:
    """Keep which versions this attempt computes with. One that goes on with samples of other versions says so."""
    run = locked(lease)
    before = run.software.get(max(run.software, key=int)) if run.software else None
    Run.objects.filter(pk=run.pk).update(software={**run.software, str(lease.attempt): dict(software)})
    if before is None or before == software or not run.done:
        return
    named = sorted(name for name in {*before, *software} if before.get(name) != software.get(name))
    changed = ", ".join(f"{name} {before.get(name, 'none')} before, {software.get(name, 'none')} now" for name in named)
    remark(lease=lease, text=f"Goes on with other versions than {run.done} of its samples were scored with: {changed}.")


def versions_of(lease: Lease) -> dict[str, Any]:
    """For the provenance: the versions of each attempt, where they were not all the same."""
    software: dict[str, dict[str, str]] = Run.objects.values_list("software", flat=True).get(pk=lease.run_id)
    return {"software_by_attempt": software} if len({tuple(sorted(v.items())) for v in software.values()}) > 1 else {}


def _running(run: Run) -> str:
    return f"Running on {run.worker}, attempt {run.attempt} of {run.last_attempt}."


def progressed(run: Run) -> None:
    """Tell pages that show the run's jobs that there is more to show."""
    jobs = list(Job.objects.filter(parts__run=run).order_by("pk").values_list("pk", flat=True))
    for job in jobs:  # one by one, in the order of all others who lock several
        Job.objects.filter(pk=job).update(changes=F("changes") + 1)
        publish(f"job.{job}", job=job)


@transaction.atomic
def end(*, lease: Lease, state: str, reason: str) -> None:
    """Close the attempt as failed or cancelled, with the reason that people will read. A run that was asked for again
    after its worker had been told to stop is returned instead."""
    run = locked(lease)
    if state == State.CANCELLED and not run.cancel_requested:
        hand_over(lease=lease, reason="It was asked for again while its worker stopped.")
        return
    run.state, run.reason, run.finished_at, run.leased_until = state, reason, database_now(), None
    run.save(update_fields=["state", "reason", "finished_at", "leased_until"])
    note(run, state, reason)
    run_changed(run)


@transaction.atomic
def give_back(*, lease: Lease, reason: str) -> None:
    """Return a run that this worker could not finish (internal error, full disk); bounded by its attempts."""
    _again_or_fail(locked(lease), reason)


@transaction.atomic
def hand_over(*, lease: Lease, reason: str) -> None:
    """Return the run of a worker that was asked to stop, or whose host is not fit for it. That says nothing against the
    run, so it gets another attempt for it: a new version on three hosts would fail it otherwise. Not for ever, because
    a run that fills its host gets its worker evicted each time."""
    run = locked(lease)
    run.last_attempt += run.attempt < HAND_OVERS
    _again_or_fail(run, reason)


def _credit_progress(run: Run) -> None:
    """Attempts are bounded for runs that kill their workers, and those do so at one sample, or when all are there. A
    run that got further was lost by chance, however often its hosts fail: its attempts are counted anew, with this one
    as the first."""
    if run.done > run.done_before and run.attempt < HAND_OVERS:
        run.last_attempt = max(run.last_attempt, run.attempt + settings.RUN_ATTEMPTS - 1)


def _again_or_fail(run: Run, reason: str) -> None:
    if run.cancel_requested:
        run.state, run.reason = State.CANCELLED, f"Cancelled. {reason}"
    elif run.attempt >= run.last_attempt:
        run.state, run.reason = State.FAILED, f"Given up after {run.attempt} attempts. {reason}"
    else:
        again = (
            f"{reason} Requeued; next is attempt {run.attempt + 1} of {run.last_attempt}, {run.done} samples are kept."
        )
        requeue(run, again, fresh_attempts=False)
        ring([run.resource])
        run_changed(run)
        return
    run.finished_at, run.leased_until = database_now(), None
    run.save(update_fields=["state", "reason", "finished_at", "leased_until"])
    note(run, run.state, run.reason)
    run_changed(run)


def sweep(landed: Callable[[Run], object] = lambda run: None) -> list[int]:
    """Requeue runs whose worker went silent, and ring again for runs that wait while nobody was rung.

    Returns the ids of the lost runs. Safe to run anywhere, any number of times at once. landed: called with each of
    them in its transaction, for boards stand right of jobs. One that cannot be dealt with holds up no other.
    """
    lost = []
    for pk in Run.objects.filter(state=State.RUNNING, leased_until__lt=Now()).values_list("pk", flat=True):
        try:
            if _taken_back(pk, landed):
                lost.append(pk)
        except Exception:
            log.exception("run %s was lost, and could not be dealt with", pk)
            connection.ensure_connection()  # raises where all the others would fail like it
    ring_idle_workers()
    return lost


@transaction.atomic
def _taken_back(pk: int, landed: Callable[[Run], object]) -> bool:
    """Whether it was still lost, and nobody else was at it."""
    late = Run.objects.select_for_update(skip_locked=True).filter(pk=pk, state=State.RUNNING, leased_until__lt=Now())
    run = late.first()
    if run is None:
        return False
    note_loss(run)
    _credit_progress(run)
    _again_or_fail(run, f"Worker {run.worker} {LOST} for {settings.LEASE_SECONDS} s.")
    landed(run)
    return True


@transaction.atomic
def ring_next() -> None:
    """One more doorbell per class that something waits for: a worker that took a run rings for the next ones."""
    ring(waiting_resources())


@transaction.atomic
def ring_idle_workers() -> None:
    """A doorbell can be lost (broker down, worker killed): ring once for each worker that could take a run."""
    busy = Run.objects.filter(state=State.RUNNING).values("worker")
    idle = alive_workers().filter(mode=Worker.Mode.WORKING).exclude(name__in=busy)
    hands = Counter(resource for worker in idle for resource in worker.resources)
    for depth in depths():
        ring([depth.resource] * min(depth.waiting, hands[depth.resource]))


@dataclass(frozen=True)
class Usage:
    """What a worker says of itself with each sign of life: bytes of its device and of its process (rss), and samples
    scored in the last hour or in the `seconds` of it that it has lived."""

    total: int | None = None
    free: int | None = None
    rss: int | None = None
    samples: int = 0
    seconds: float = 0.0


def worker_seen(
    *,
    name: str,
    host: str,
    device: str,
    schemes: Sequence[str],
    environment: dict[str, object],
    resources: Sequence[str] = (CPU,),
) -> None:
    """A worker says that it lives; its row is what the queue's reasons and the workers' page are made of."""
    new = {"host": host, "device": device, "schemes": list(schemes), "resources": list(resources)}
    lives = {"environment": environment, "started_at": Now(), "seen_at": Now(), "stopped_at": None}
    Worker.objects.update_or_create(name=name, defaults={**new, **lives})


def worker_alive(name: str, usage: Usage | None = None) -> str | None:
    """Keep the worker among the living. Returns what people want of it: a `Worker.Mode`; None: it is not known, for it
    was silent so long that its row was thrown away, and has to say once more who it is."""
    usage = usage or Usage()
    Worker.objects.filter(name=name).update(
        seen_at=Now(),
        memory_total=usage.total,
        memory_free=usage.free,
        memory_rss=usage.rss,
        samples_last_hour=usage.samples,
        counted_seconds=usage.seconds,
    )
    return Worker.objects.filter(name=name).values_list("mode", flat=True).first()


def is_held(worker: str) -> bool:
    """Whether somebody paused it, or drains it: it is to take nothing new."""
    return Worker.objects.filter(name=worker).exclude(mode=Worker.Mode.WORKING).exists()


def pause_myself(*, name: str, reason: str) -> None:
    """A worker that would fail whatever it takes (its disk is full) takes nothing until an operator resumes it."""
    Worker.objects.filter(name=name, mode=Worker.Mode.WORKING).update(mode=Worker.Mode.PAUSED, mode_reason=reason[:300])


def worker_stopped(name: str) -> None:
    Worker.objects.filter(name=name).update(stopped_at=Now())
