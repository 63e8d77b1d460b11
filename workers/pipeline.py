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
from dataclasses import dataclass, field
from functools import cache

from django.db import transaction

from evaluation.errors import EvaluationError
from evaluation.inference import run as inference
from evaluation.inference.engine import Engine
from evaluation.inference.run import Evaluation
from evaluation.records import Attempt
from evaluation.schemes import SCHEMES, unavailable
from webapp.catalog.services import SERVED, pin_weights
from webapp.errors import DomainError
from webapp.jobs import leases
from webapp.jobs.leases import Lease, LeaseLost
from webapp.jobs.models import Run
from webapp.leaderboards.services import run_landed
from webapp.results.services import finish_run, finished_attempts, record_scores, store_questions
from workers import devices
from workers.measuring import Landed, Measuring
from workers.presence import Presence
from workers.specs import spec_of

log = logging.getLogger("crosstable.worker")
# A batch is written when it is this old or this large: often enough to watch, rarely enough to cost little.
FLUSH_SECONDS = 0.5
FLUSH_SAMPLES = 512
BOARD_SECONDS = 2.0
STUCK = 70  # exit status of a worker whose engine does not stop; the supervisor starts a fresh one

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
    landed: Landed = field(default_factory=dict)  # what is measured when nothing waits


_me: Me | None = None


@cache
def engine() -> Engine:
    """Warm for the life of the process: one task manager, models kept by size."""
    return Engine()


def begin(name: str) -> None:
    """At start: load the engine (slow), tell Postgres who we are, and keep saying that we live."""
    global _me  # noqa: PLW0603 - one worker per process, by design of the solo pool
    device = os.environ.get("CROSSTABLE_DEVICE", "cpu")
    offered = offered_schemes(device)
    refused = {f"no {key}": why for key, info in SCHEMES.items() if (why := unavailable(info, device))}
    leases.worker_seen(
        name=name,
        host=name.partition("@")[2],
        device=devices.describe(device),
        schemes=offered,
        environment={**engine().environment(), "pid": os.getpid(), **refused},
    )
    _me = Me(name, device, offered, Presence(name))
    _me.presence.start()
    with transaction.atomic():
        leases.ring_next()  # something may have waited for a worker like us


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
    run = leases.claim(worker=me.name, schemes=me.schemes)
    if run is None:
        return False
    lease = leases.lease_of(run)
    _landed(run)
    try:
        _evaluate(run, lease, me)
    except LeaseLost:
        log.warning("lost the lease of %s: another attempt has it", run)
    except Stop as stop:
        _close(run, lease, stop.state, stop.reason)
    except (EvaluationError, DomainError) as error:
        _close(run, lease, Run.State.FAILED, str(error))
    except Exception as error:  # a run must never be left without a reason
        _internal(run, lease, error)
    with transaction.atomic():
        leases.ring_next()
    return True


def _evaluate(run: Run, lease: Lease, me: Me) -> None:
    finished = finished_attempts(run)
    spec = spec_of(run, device=me.device, skip=finished)
    with inference.run(spec, engine=engine()) as evaluation:
        try:
            _store(run, lease, evaluation, me.presence, already=run.done)
        except Stop as stop:
            evaluation.close()
            if evaluation.alive:
                _leave_stuck_process(run, lease, stop)
            raise
        origin, measured = evaluation.origin, evaluation.measured
    provenance = {**origin, "settings": run.settings, "worker": lease.worker, "attempt": lease.attempt}
    pin_weights(version=run.contender.version, weights_hash=str(origin.get("weights_hash", "")))
    with transaction.atomic():
        run = finish_run(lease=lease, provenance=provenance, measured=measured)
        run_landed(run=run)
    _measuring(me).landed(run, spec)


def _store(run: Run, lease: Lease, evaluation: Evaluation, presence: Presence, *, already: int) -> None:
    """Drain the engine into Postgres until it has no more, or raise what ends the run early."""
    began = flushed = beaten = shown = time.monotonic()
    waiting: list[Attempt] = []
    known, told = False, 0
    for batch in evaluation:
        presence.busy()
        if not known and evaluation.total is not None:
            leases.start(lease=lease, total=evaluation.total + already, attempts=evaluation.attempts)
            store_questions(run=run, questions=evaluation.questions)
            known = True
        waiting.extend(batch)
        now = time.monotonic()
        if waiting and (now - flushed >= FLUSH_SECONDS or len(waiting) >= FLUSH_SAMPLES):
            record_scores(lease=lease, attempts=waiting, seconds=now - flushed)
            waiting, flushed = [], now
        if now - beaten >= 1.0:
            _keep(run, lease, now - began)
            told = _tell(lease, evaluation, told)
            beaten = now
        if now - shown >= BOARD_SECONDS:
            _landed(run)
            shown = now
    if waiting:
        record_scores(lease=lease, attempts=waiting, seconds=time.monotonic() - flushed)


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


def _close(run: Run, lease: Lease, state: str, reason: str) -> None:
    try:
        with transaction.atomic():
            if state == Run.State.QUEUED:
                leases.give_back(lease=lease, reason=reason)
            else:
                leases.end(lease=lease, state=state, reason=reason)
            run_landed(run=run)
    except LeaseLost:
        log.warning("lost the lease of %s before it could be closed", run)


def _internal(run: Run, lease: Lease, error: Exception) -> None:
    """Not the author's fault as far as we know: tried again, a bounded number of times."""
    reference = uuid.uuid4().hex[:12]
    log.error("run %s failed inside, reference %s", run.pk, reference, exc_info=error)
    _close(run, lease, Run.State.QUEUED, f"Internal error {reference} ({type(error).__name__}).")
