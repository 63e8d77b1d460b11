"""The next step of a search, by the analysis worker.

The search's row lock is the lease: whoever holds it decides from rows, and a second ring waits and finds the same or
nothing to do. Locks: the search, then the team, then runs, then jobs.
"""

from __future__ import annotations

import logging
import uuid

from django.db import InterfaceError, OperationalError, transaction
from django.urls import reverse
from django.utils import timezone

from evaluation.analyses.searching.live import Ask
from evaluation.errors import EvaluationError
from webapp.celery import enqueue
from webapp.errors import DomainError
from webapp.jobs import growing
from webapp.jobs.models import Job, Run
from webapp.locks import in_peace
from webapp.notices.models import Kind
from webapp.notices.services import News
from webapp.searches import selectors
from webapp.searches.knowledge import Found, Look
from webapp.searches.models import Batch, Search

log = logging.getLogger("crosstable.searches")
State = Search.State
UNDER_WAY = [State.QUEUED, State.RUNNING]
RINGS = 16  # of a sweep


@in_peace
@transaction.atomic
def advance(*, job_id: int) -> bool:
    """Look at the search of this job, if it is under way and waits for no run. Returns whether anything was decided."""
    search = Search.objects.select_for_update(of=("self",)).select_related("job__team").filter(job=job_id).first()
    if search is None or search.is_over or _waits(search):
        return False
    try:
        with transaction.atomic():
            _advance(search)
    except (EvaluationError, DomainError) as error:
        _end(search, State.FAILED if isinstance(error, EvaluationError) else State.STOPPED, str(error))
    except (OperationalError, InterfaceError):  # of the database, not of the search: the sweep rings again
        raise
    except Exception:  # a search must never be left without a reason
        reference = uuid.uuid4().hex[:12]
        log.exception("search %s failed, reference %s", search.pk, reference)
        _end(search, State.FAILED, f"Internal error. Tell the operator this reference: {reference}")
    return True


def _waits(search: Search) -> bool:
    """For runs of its own. Those that are told to stop count until they have."""
    return search.job.runs.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING]).exists()


def _advance(search: Search) -> None:
    look = Look(search)
    found = look.found()
    search.found = found.to_json()
    over = _over(search, look, found)
    if over is None:
        asks = look.asks()
        over = None if asks else (State.DONE, _spent(search, look))
    if over is not None:
        _end(search, *over)
        return
    for ask in asks:
        _ask(search, look, found, ask)
    search.state, search.reason = State.RUNNING, _asking(look, asks)
    search.save()


def _over(search: Search, look: Look, found: Found) -> tuple[str, str] | None:
    """State and reason of a search that is to end, before anybody is asked again."""
    if search.job.state == Job.State.CANCELLED:
        return State.STOPPED, f"{search.job.reason.split('. ')[0].rstrip('.')}. What was found until then is kept."
    if search.stop_requested:
        return State.STOPPED, f"{search.reason} What was found until then is kept."
    if len(look.alive) < (2 if search.finds_best else 1):
        who, why = next(iter(look.given_up.items()))
        name = next(one.name for one in look.contenders if one.pk == who)
        return State.FAILED, f"{name} could not be asked: {why}"
    if found.sure:
        return (
            State.DONE,
            f"Stopped early: the leader is above all others, with an error rate of {100 * search.stop_error:g} %.",
        )
    last = found.steps[-1] if found.steps else None
    if search.half_width and last and (last.high - last.low) / 2 <= search.half_width:
        return State.DONE, f"The interval is narrow enough: ± {50 * (last.high - last.low):.1f} points."
    return None


def _spent(search: Search, look: Look) -> str:
    if search.finds_best and look.spent >= search.budget:
        return f"The budget of {search.budget:,} samples is spent."
    if not search.finds_best:
        return f"All {len(look.places):,} samples of the budget are known."
    return "Every sample of every contender is known."


def _asking(look: Look, asks: list[Ask]) -> str:
    fresh = sum(ask.fresh for ask in asks)
    who = look.contenders[asks[0].contender].name if len(asks) == 1 else f"{len(asks)} contenders"
    return f"{who} {'is' if len(asks) == 1 else 'are'} asked {fresh:,} more samples."


def _ask(search: Search, look: Look, found: Found, ask: Ask) -> None:
    """A batch, and a partial run for each benchmark that has samples in it."""
    contender, subsets = look.contenders[ask.contender], look.samples(ask)
    cells = growing.grow(job=search.job, contender=contender, versions=look.versions, subsets=subsets)
    batch = Batch.objects.create(
        search=search,
        number=search.batches.count() + 1,
        contender=contender,
        start=ask.start,
        stop=ask.stop,
        fresh=ask.fresh,
        bound=ask.bound if search.finds_best and ask.start else None,
        leader_id=found.leader,
        chance_wrong=found.chance_wrong,
    )
    batch.runs.set(search.job.runs.filter(identity__in=[cell.identity for cell in cells]))


def _end(search: Search, state: str, reason: str) -> None:
    search.state, search.reason, search.finished_at = state, reason, timezone.now()
    search.save()
    growing.close(job=search.job, news=_news(search))


def _news(search: Search) -> News:
    """Of its end, with the outcome: what it found first, for a notice may be cut short."""
    outcome = selectors.verdict(search, Found.from_json(search.found))
    text = " ".join(
        filter(None, [f"Search {search.get_state_display().lower()}: {search.title}.", outcome, search.reason])
    )
    facts = {"search": search.pk, "job": search.job_id, "title": search.title, "state": search.state}
    path = reverse("searches:search", args=[search.pk])
    return News(Kind.JOB_ENDED, search, text, path, facts={**facts, "reason": search.reason, "outcome": outcome})


def ring_again() -> None:
    """From the sweep: searches whose doorbell was lost, or whose worker was."""
    with transaction.atomic():
        waiting = Search.objects.filter(state__in=UNDER_WAY)
        idle = waiting.exclude(job__runs__state__in=[Run.State.QUEUED, Run.State.RUNNING])
        for job in idle.order_by("pk").values_list("job", flat=True)[:RINGS]:
            enqueue("advance_search", job)
