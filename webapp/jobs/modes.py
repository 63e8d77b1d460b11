"""What operators want of a worker: that it takes runs, pauses, or finishes what it has and ends."""

from __future__ import annotations

from django.db import transaction

from webapp.accounts.models import User
from webapp.accounts.selectors import require_operator
from webapp.accounts.services import record
from webapp.jobs.leases import ring_next
from webapp.jobs.models import Worker

VERBS = {Worker.Mode.WORKING: "resumed", Worker.Mode.PAUSED: "paused", Worker.Mode.DRAINING: "drained"}


def pause(*, actor: User, worker: Worker) -> Worker:
    """It finishes the run in hand and takes nothing new until it is resumed, also after a restart."""
    return _set(actor, worker, Worker.Mode.PAUSED)


def drain(*, actor: User, worker: Worker) -> Worker:
    """It finishes the run in hand and ends. Started again it waits, until it is resumed."""
    return _set(actor, worker, Worker.Mode.DRAINING)


def resume(*, actor: User, worker: Worker) -> Worker:
    return _set(actor, worker, Worker.Mode.WORKING)


@transaction.atomic
def _set(actor: User, worker: Worker, mode: Worker.Mode) -> Worker:
    """Safe to press twice."""
    require_operator(actor)
    worker = Worker.objects.select_for_update().get(pk=worker.pk)
    before = worker.mode
    if before == mode:
        return worker
    worker.mode = mode
    worker.mode_reason = "" if mode == Worker.Mode.WORKING else f"{VERBS[mode].capitalize()} by {actor}."
    worker.save(update_fields=["mode", "mode_reason"])
    record(actor=actor, verb=f"{VERBS[mode]} worker", target=worker, before={"mode": before}, after={"mode": mode})
    if mode == Worker.Mode.WORKING:
        ring_next()
    return worker
