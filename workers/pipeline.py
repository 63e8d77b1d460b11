"""The life of one run inside a worker: claim, evaluate, store batch by batch, close.

The engine computes in its own thread and hands over finished samples; this thread writes them, keeps the lease, and
watches for cancellation, the time limit and shutdown. Whatever happens, the run ends in a state with a reason.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, TypeVar

from django.db import transaction

from evaluation.errors import EvaluationError, OutOfMemory
from evaluation.inference import run as inference
from evaluation.inference.engine import Engine
from evaluation.inference.run import Evaluation
from evaluation.records import Attempt
from evaluation.schemes import SCHEMES, unavailable
from webapp import logs
from webapp.catalog.services import SERVED, pin_weights
from webapp.errors import DomainError
from webapp.jobs import leases
from webapp.jobs.leases import Lease, LeaseLost
from webapp.jobs.models import Run, Worker
from webapp.jobs.resources import served_by
from webapp.leaderboards.services import run_landed
from webapp.results.services import finish_run, finished_attempts, record_scores, store_questions
from workers import devices, hosts
from workers.disk import is_full
from workers.measuring import Landed, Measuring
from workers.presence import Presence
from workers.software import software
from workers.specs import spec_of
from workers.waiting import patiently

log = logging.getLogger("crosstable.worker")
# A batch is written when it is this old or this large: often enough to watch, rarely enough to cost little.
FLUSH_SECONDS = 0.5
FLUSH_SAMPLES = 512
BOARD_SECONDS = 2.0
ADVICE = "Submit with a smaller batch size or scheme, or choose a class of resources with more memory."
STUCK = 70  # exit status of a worker whose engine does not stop; the supervisor starts a fresh one

T = TypeVar("T")

stopping = threading.Event()


class Stop(Exception):
    """The run ends before its last sample: with which state, and why."""

    def __init__(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason
        super().__init__(reason)


@dataclass
class Me:
    """This worker process."""

    name: str
    device: str
    schemes: list[str]
    presence: Presence
    resources: list[str] = field(default_factory=lambda: ["cpu"])
    landed: Landed = field(default_factory=dict)  # what is measured when nothing waits


_me: Me | None = None


@cache
def engine() -> Engine:
    """Warm for the life of the process: one task manager, models kept by size."""
    return Engine()


def begin(name: str) -> None:
    """At start: load the engine (slow), tell Postgres who we are, and keep saying that we live."""
    global _me  # noqa: PLW0603 - one worker per process, by design of the solo pool
    logs.bind_process(worker=name)
    device = os.environ.get("CROSSTABLE_DEVICE", "cpu")
    offered = offered_schemes(device)
    refused = {f"no {key}": why for key, info in SCHEMES.items() if (why := unavailable(info, device))}
    environment = {**engine().environment(), **software(engine().environment()), "pid": os.getpid(), **refused}
    resources = resources_of(device)
    introduce = partial(
        leases.worker_seen,
        name=name,
        host=name.partition("@")[2],
        device=devices.describe(device),
        schemes=offered,
        resources=resources,
        environment=environment,
    )
    _me = Me(name, device, offered, Presence(name, device, introduce), resources)
    introduce()
    _me.presence.started_drained = leases.worker_alive(name) == Worker.Mode.DRAINING
    _me.presence.start()
    leases.ring_next()  # something may have waited for a worker like us


def resources_of(device: str) -> list[str]:
    """Classes of resources that this device serves: the queues at which the worker listens."""
    return served_by(device, devices.gpu_memory(device))


def offered_schemes(device: str) -> list[str]:
    """Schemes that fit the device and whose packages are installed here."""
    return [*(key for key, info in SCHEMES.items() if not unavailable(info, device)), SERVED]


def leave() -> None:
    if _me is not None:
        _me.presence.stop()


def evaluate_next() -> bool:
    """Take and finish one run; False when there is none for us."""
    if _me is None or stopping.is_set():
        return False
    _me.presence.busy()
    try:
        _measuring(_me).asked()
        worked = _take_and_finish(_me)
        _measuring(_me).idle()
    finally:
        _me.presence.idle()
    return worked


def _measuring(me: Me) -> Measuring:
    return Measuring(me.name, me.device, me.schemes, me.presence, stopping, engine(), me.landed)


def _take_and_finish(me: Me) -> bool:
    run = _wait(me, lambda: leases.claim(worker=me.name, schemes=me.schemes, resources=me.resources))
    if run is None:
        return False
    asked = {"request": run.request_id} if run.request_id else {}
    with logs.bound(run=run.pk, attempt=run.attempt, **asked):
        logging.getLogger("crosstable.run").info("takes %s", run)
        _see_through(run, leases.lease_of(run), me)
    return True


def _see_through(run: Run, lease: Lease, me: Me) -> None:
    try:
        _wait(me, leases.ring_next)  # for the next one: others may be idle
        _wait(me, lambda: _announce(run, lease))
        _evaluate_or_halve(run, lease, me)
    except LeaseLost:
        log.warning("lost the lease of %s: another attempt has it", run)
    except Stop as stop:
        _close(run, lease, stop.state, stop.reason)
    except Exception as error:  # a run must never be left without a reason
        _failed(run, lease, error, me)


def _announce(run: Run, lease: Lease) -> None:
    _landed(run)
    leases.computed_with(lease=lease, software=software(engine().environment()))


def _wait(me: Me, call: Callable[[], T]) -> T:
    return patiently(call, presence=me.presence, stopping=stopping)


def _evaluate_or_halve(run: Run, lease: Lease, me: Me) -> None:
    """Once more with half the batch when the memory does not do, going on from the samples that are finished."""
    size: int = run.settings["batch_size"]
    try:
        _evaluate(run, lease, me, size)
    except OutOfMemory as error:
        if size == 1:
            raise
        said = error.message  # the error itself holds on to what fills the memory
    else:
        return
    again = f"{said} Once more, with a batch size of {size // 2} instead of {size}."
    _wait(me, lambda: leases.remark(lease=lease, text=again))
    _evaluate_halved(_wait(me, lambda: leases.held_run(lease)), lease, me, size // 2)


def _evaluate_halved(run: Run, lease: Lease, me: Me, size: int) -> None:
    try:
        _evaluate(run, lease, me, size)
    except OutOfMemory as error:
        raise Stop(
            Run.State.FAILED,
            f"{error.message} So it did with twice the batch before; this time it was {size}. {ADVICE}",
        ) from error


def _evaluate(run: Run, lease: Lease, me: Me, batch_size: int) -> None:
    spec = _wait(me, lambda: spec_of(run, device=me.device, skip=finished_attempts(run)))
    spec = replace(spec, batch_size=batch_size)
    with inference.run(spec, engine=engine()) as evaluation:
        try:
            _store(run, lease, evaluation, me, already=run.done)
        except Stop as stop:
            evaluation.close()
            if evaluation.alive:
                _leave_stuck_process(run, lease, stop)
            raise
        origin, measured = evaluation.origin, evaluation.measured
    provenance = {**origin, "settings": run.settings, "worker": lease.worker, "attempt": lease.attempt}
    _wait(me, lambda: _finish(run, lease, provenance, measured))
    _measuring(me).landed(run, spec)


def _finish(run: Run, lease: Lease, provenance: dict[str, Any], measured: dict[str, Any]) -> None:
    pin_weights(version=run.contender.version, weights_hash=str(provenance.get("weights_hash", "")))
    with transaction.atomic():
        told = {**provenance, **leases.versions_of(lease)}
        run_landed(run=finish_run(lease=lease, provenance=told, measured=measured))


def _store(run: Run, lease: Lease, evaluation: Evaluation, me: Me, *, already: int) -> None:
    """Drain the engine into Postgres until it has no more, or raise what ends the run early."""
    began = flushed = beaten = shown = time.monotonic()
    waiting: list[Attempt] = []
    known, told = False, 0
    for batch in evaluation:
        me.presence.busy()
        if not known and evaluation.total is not None:
            _wait(me, lambda: _begin(run, lease, evaluation, already))
            known = True
        waiting.extend(batch)
        now = time.monotonic()
        if waiting and (now - flushed >= FLUSH_SECONDS or len(waiting) >= FLUSH_SAMPLES):
            _record(run, lease, waiting, now - flushed, me)
            waiting, flushed = [], now
        if now - beaten >= 1.0:
            _wait(me, lambda: _keep(run, lease, time.monotonic() - began))
            told = _wait(me, partial(_tell, lease, evaluation, told))
            beaten = now
        if now - shown >= BOARD_SECONDS:
            _wait(me, lambda: _landed(run))
            shown = now
    if waiting:
        _record(run, lease, waiting, time.monotonic() - flushed, me)


def _begin(run: Run, lease: Lease, evaluation: Evaluation, already: int) -> None:
    leases.start(lease=lease, total=(evaluation.total or 0) + already, attempts=evaluation.attempts)
    store_questions(run=run, questions=evaluation.questions)


def _record(run: Run, lease: Lease, attempts: list[Attempt], seconds: float, me: Me) -> None:
    """Store a batch once. Made again after the database was away, it leaves out what had been committed after all."""
    tried = False

    def write() -> None:
        nonlocal tried
        stored = finished_attempts(run) if tried else frozenset()
        tried = True
        left = [attempt for attempt in attempts if (attempt.sample, attempt.attempt) not in stored]
        if left:
            record_scores(lease=lease, attempts=left, seconds=seconds)

    _wait(me, write)
    me.presence.throughput.count(len(attempts))


def _tell(lease: Lease, evaluation: Evaluation, told: int) -> int:
    """Show how far a search has come, once per step. Returns the step that was told last."""
    news = evaluation.search
    step = int(news.get("step", 0))
    if step > told and evaluation.total is None:
        leases.searched(lease=lease, news=news)
    return max(step, told)


def _keep(run: Run, lease: Lease, spent: float) -> None:
    if leases.beat(lease):
        raise Stop(Run.State.CANCELLED, "Cancelled; the finished samples are kept.")
    if spent > run.max_seconds:
        raise Stop(
            Run.State.FAILED,
            f"Exceeded its time limit of {run.max_seconds} s. The finished samples are kept: retry goes on from there, "
            "or submit with a higher limit.",
        )
    if stopping.is_set():
        raise Stop(Run.State.QUEUED, f"Worker {lease.worker} was shut down.")


def _leave_stuck_process(run: Run, lease: Lease, stop: Stop) -> None:
    """The engine does not stop: close the run, and end this process; its supervisor starts a fresh one."""
    log.error("the engine hangs in %s: this worker ends", run)
    _close(run, lease, stop.state, f"{stop.reason} The model hung, so its worker was restarted.")
    leave()
    os._exit(STUCK)


def _landed(run: Run) -> None:
    with transaction.atomic():
        run_landed(run=run)


def _close(run: Run, lease: Lease, state: str, reason: str, *, blameless: bool = False) -> None:
    """blameless: what sends it back to the queue says nothing against the run."""

    def close() -> None:
        with transaction.atomic():
            if state == Run.State.QUEUED:
                back = leases.hand_over if blameless or stopping.is_set() else leases.give_back
                back(lease=lease, reason=reason)
            else:
                leases.end(lease=lease, state=state, reason=reason)
            run_landed(run=run)

    try:
        close() if _me is None else _wait(_me, close)
    except LeaseLost:
        log.warning("lost the lease of %s before it could be closed", run)


def _failed(run: Run, lease: Lease, error: Exception, me: Me) -> None:
    """What the job's author can mend fails the run. Anything else is tried again, a bounded number of times; for what
    the operator of this host has to mend, by other hosts."""
    trouble = _wait(me, lambda: hosts.trouble(run.contender.version))
    if trouble:
        _wait(me, lambda: hosts.stand_aside(lease.worker, trouble))
        _close(run, lease, Run.State.QUEUED, f"Worker {lease.worker}: {trouble}.", blameless=True)
    elif is_full(error):
        _close(run, lease, Run.State.QUEUED, f"The disk of worker {lease.worker} is full.")
        leases.pause_myself(name=lease.worker, reason="Paused itself: its disk is full. Make room, then resume it.")
        log.error("no space is left: this worker takes no more runs", exc_info=error)
    elif isinstance(error, EvaluationError | DomainError):
        _close(run, lease, Run.State.FAILED, str(error))
    else:
        reference = uuid.uuid4().hex[:12]
        log.error("run %s failed inside, reference %s", run.pk, reference, exc_info=error)
        _close(run, lease, Run.State.QUEUED, f"Internal error {reference} ({type(error).__name__}).")
