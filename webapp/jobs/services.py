"""What people do with jobs: submit, cancel, retry. The life of a run under a worker is in leases.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings as conf
from django.db import IntegrityError, transaction
from django.db.models import Count, F, QuerySet
from django.urls import reverse
from django.utils import timezone

from webapp import logs
from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.bells import MOST
from webapp.catalog.models import BenchmarkVersion, CalibrationSet, Contender, EntryVersion, Suite
from webapp.catalog.selectors import calibration_sets
from webapp.catalog.sources import refuse_outside
from webapp.celery import enqueue
from webapp.errors import DomainError, Unprocessable
from webapp.jobs import planning, quota
from webapp.jobs.estimates import Estimate
from webapp.jobs.joining import Taken, attach, call_back, take_runs
from webapp.jobs.models import Job, JobRun, Run, RunEvent
from webapp.jobs.resources import AUTOMATIC, doorbell
from webapp.jobs.selectors import classes_lately_served, classes_served, counted_as
from webapp.jobs.tracing import tell
from webapp.live import publish
from webapp.locks import in_peace
from webapp.notices.models import Kind
from webapp.notices.services import News, notify
from webapp.prepared import Prepared, PreparedInsert, at_once

State = Run.State
OVER = frozenset({Job.State.DONE, Job.State.FAILED, Job.State.CANCELLED})
STOPPED = [State.FAILED, State.CANCELLED]


@dataclass(frozen=True)
class JobRequest:
    """What a team asks for. contenders: rows, or what `catalog.services.crossed` gives. resource: a class that a person
    chose for all its runs. key and body_hash make a repeated submission the same submission."""

    contenders: Sequence[Contender]
    versions: Sequence[BenchmarkVersion]
    suite: Suite | None = None
    title: str = ""
    settings: Mapping[str, Any] | None = None
    priority: int = 0
    visibility: str = Visibility.TEAM
    max_seconds: int | None = None
    resource: str = AUTOMATIC
    key: str = ""
    body_hash: str = ""


class Keyed(Protocol):
    """What was made by a request with a key."""

    request_hash: str


def submit_job(*, actor: User, team: Team, request: JobRequest) -> tuple[Job, bool]:
    """Returns the job and whether it is new. Plans its runs, reuses identical ones, rings the workers on commit.

    Raises OverLimit, which is recorded, when its new runs do not fit into the team's spending limit.
    """
    require(actor, team, May.SUBMIT)
    with quota.refusals_recorded(actor=actor, team=team):
        try:
            return _submitted(actor, team, request), True
        except (_SameKey, DomainError):
            # A request that comes again is answered with its job whatever has changed since. It is rare, so nothing is
            # asked for it beforehand.
            earlier = _with_key.first(actor.pk, request.key) if request.key else None
            if earlier is None:
                raise
    refuse_another_body(earlier, request.body_hash)
    tell(earlier, "was there")
    return earlier, False


class _SameKey(Exception):
    """Another job has this key."""


_with_key = Prepared(
    # The index of keys leaves jobs without one out, and so must whoever wants to use it.
    lambda person, key: Job.objects.filter(created_by=person, idempotency_key=key).exclude(idempotency_key=""),
    -1, "a key",
)  # fmt: skip
_inserted = PreparedInsert(Job)


@in_peace  # another request may ask for the same runs in another order
@transaction.atomic
def _submitted(actor: User, team: Team, request: JobRequest) -> Job:
    limited = quota.hold(team)
    settings, cells = _plan(actor, team, request)
    expected = planning.estimate(cells)
    quota.require_room(limited, expected)
    job = Job(
        team=team,
        created_by=actor,
        visibility=request.visibility,
        title=request.title or _title(request),
        suite=request.suite,
        settings=settings,
        estimate=expected.to_json(),
        priority=request.priority,
        idempotency_key=request.key,
        request_hash=request.body_hash,
        request_id=logs.request_id(),
    )
    taken = take_runs(job, cells, max_seconds=_time_limit(request), resource=request.resource)
    states = Counter(run.state for run in taken.runs)
    job.state, job.reason = _verdict(states)
    job.finished_at = timezone.now() if job.state in OVER else None
    if not _inserted([job]):
        raise _SameKey
    with at_once():
        _joined(job, cells, taken)
        record(actor=actor, team=team, verb="submitted", target=job, after={"runs": len(cells), "new": len(taken.new)})
    tell(job, "submitted", runs=len(cells), new=len(taken.new))
    if job.state in OVER:
        _tell_of_end(job)
    return counted_as(job, states)


def add_runs(*, job: Job, cells: Sequence[planning.Cell], max_seconds: int) -> None:
    """The runs of these cells join the job, identical ones are reused; the workers are rung.

    Call it in a transaction that holds the team (`quota.hold`) where it has a limit.
    """
    _joined(job, cells, take_runs(job, cells, max_seconds=max_seconds))
    settle(job)


def _joined(job: Job, cells: Sequence[planning.Cell], taken: Taken) -> None:
    attach(job, cells, taken)
    enqueue("job_changed", job.pk, joined=True)
    ring((run.resource for run in taken.new), served=classes_lately_served)


def plan_job(*, actor: User, team: Team, request: JobRequest) -> list[planning.Cell]:
    """What submitting would do: the same checks and the same cells, and nothing is written."""
    require(actor, team, May.SUBMIT)
    return _plan(actor, team, request)[1]


def _plan(actor: User, team: Team, request: JobRequest) -> tuple[dict[str, Any], list[planning.Cell]]:
    _time_limit(request)
    settings = planning.clean_settings(request.settings or {})
    calibration = _calibration(actor, settings)
    return settings, planning.plan(team, request.contenders, request.versions, settings, calibration)


def _calibration(actor: User, settings: Mapping[str, Any]) -> CalibrationSet | None:
    """The set that is named, of those that the person may see."""
    if planning.CALIBRATION not in settings:
        return None
    found = calibration_sets(actor).filter(pk=settings[planning.CALIBRATION]).first()
    if found is None:
        raise Unprocessable(
            "There is no such calibration set.", field=planning.CALIBRATION, remedy="Choose one that you can see."
        )
    return found


def refuse_another_body(earlier: Keyed | None, body_hash: str) -> None:
    """Raises Unprocessable where the key of a request was that of another one."""
    if earlier is not None and earlier.request_hash != body_hash:
        raise Unprocessable(
            "This Idempotency-Key was used with another body.",
            field="Idempotency-Key",
            remedy="Use a new key for a new request.",
        )


def _title(request: JobRequest) -> str:
    names = [contender.name for contender in request.contenders]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{shown} on {request.suite or request.versions[0].benchmark}"[:160]


def _time_limit(request: JobRequest) -> int:
    seconds = request.max_seconds or conf.RUN_MAX_SECONDS
    if not 1 <= seconds <= conf.RUN_MAX_SECONDS:
        raise Unprocessable(
            f"A run may take 1 to {conf.RUN_MAX_SECONDS} seconds.", field="max_seconds", remedy="Choose less."
        )
    return seconds


def ring(waiting: Iterable[str], *, served: Callable[[], set[str]] = classes_served) -> None:
    """A doorbell per run that waits, given by its class of resources, where a living worker listens: without one nobody
    would take the messages away, and a worker looks at the queue when it comes."""
    counts = Counter(waiting)
    heard = served() if counts else set()
    for resource, runs in counts.items():
        for _ in range(min(runs, MOST) if resource in heard else 0):
            enqueue("evaluate", queue=doorbell(resource))


def settle(job: Job, *, tells: bool = True) -> None:
    """Derive the job's state and reason from its runs. Call it in the transaction that changed one of them.

    tells: of its end, where the caller does not.
    """
    now = Job.objects.select_for_update().get(pk=job.pk)
    _ring_for_growth(now)
    if now.state == Job.State.CANCELLED:
        _changed(job)
        return
    counts = dict(job.runs.values_list("state").annotate(n=Count("id")).order_by())
    state, reason = _growing(counts) if now.grows else _verdict(counts)
    over = state in OVER
    job.state, job.reason, job.finished_at = state, reason, (timezone.now() if over else None)
    _changed(job, state=state, reason=reason, finished_at=job.finished_at)
    if tells and over and now.state not in OVER:
        _tell_of_end(job)


def _tell_of_end(job: Job, actor: User | None = None) -> None:
    """Its author hears of it once per end, however many runs it has."""
    text = f"Job {job.get_state_display().lower()}: {job.title}. {job.reason}"
    facts = {"job": job.pk, "title": job.title, "state": job.state, "reason": job.reason}
    news = News(Kind.JOB_ENDED, job, text, reverse("jobs:job", args=[job.pk]), actor, facts)
    notify(news=news, to=[job.created_by])


def _ring_for_growth(job: Job) -> None:
    """Searches stand right of jobs: the one whose job this is looks at it again."""
    if job.grows:
        enqueue("advance_search", job.pk)


def _changed(job: Job, **fields: Any) -> None:
    """Pages that show the job have something new to show. fields: what is stored of it."""
    Job.objects.filter(pk=job.pk).update(**fields, changes=F("changes") + 1)
    publish(f"job.{job.pk}", job=job.pk)


def _verdict(counts: Mapping[str, int]) -> tuple[str, str]:
    total = sum(counts.values())
    done, failed = counts.get(State.DONE, 0), counts.get(State.FAILED, 0)
    queued, running, cancelled = (counts.get(s, 0) for s in (State.QUEUED, State.RUNNING, State.CANCELLED))
    if queued or running:
        parts = [f"{done} of {total} runs done", f"{running} running", f"{queued} waiting"]
        if failed:
            parts.append(f"{failed} failed")
        state = Job.State.RUNNING if running or done else Job.State.QUEUED
        return state, ", ".join(parts) + "."
    if failed:
        return Job.State.FAILED, f"{failed} of {total} runs failed. Retry runs only those again."
    if cancelled:
        return Job.State.CANCELLED, f"Cancelled with {done} of {total} runs done. Retry runs the rest."
    return Job.State.DONE, f"All {total} runs are done." if total > 1 else "Its run is done."


def _growing(counts: Mapping[str, int]) -> tuple[str, str]:
    """Of a job that more runs may join: whether its runs are done or failed, it is not over."""
    state, reason = _verdict(counts)
    if state in {Job.State.QUEUED, Job.State.RUNNING}:
        return state, reason
    ended = sum(counts.values())
    return Job.State.RUNNING, f"{ended} {'run has' if ended == 1 else 'runs have'} ended; what comes next is decided."


def run_changed(run: Run) -> None:
    """After any change of a run's state: settle its jobs, in a fixed order so that no two workers deadlock."""
    for job in Job.objects.filter(parts__run=run).order_by("pk"):
        settle(job)


def note(run: Run, state: str, text: str) -> None:
    RunEvent.objects.create(run=run, attempt=run.attempt, state=state, text=text)


def _locked_after_its_runs(job: Job, more: QuerySet[Run] | None = None) -> Job:
    """Workers lock a run and then its jobs; the other way round a person and a worker would wait for each other."""
    runs = [*job.runs.values_list("pk", flat=True), *(more.values_list("pk", flat=True) if more is not None else ())]
    list(Run.objects.select_for_update().filter(pk__in=runs).order_by("pk"))
    return Job.objects.select_for_update().get(pk=job.pk)


@transaction.atomic
def cancel_job(*, actor: User, job: Job) -> Job:
    """Stop what only this job needs; finished scores stay. Safe to press twice."""
    require(actor, job.team, May.SUBMIT)
    job = _locked_after_its_runs(job)
    if job.state in OVER:
        return job
    others = JobRun.objects.filter(job__state__in=[Job.State.QUEUED, Job.State.RUNNING]).exclude(job=job)
    alone = Run.objects.select_for_update(of=("self",)).filter(parts__job=job).exclude(pk__in=others.values("run"))
    for run in alone.filter(state=State.QUEUED):
        run.state, run.reason, run.finished_at = State.CANCELLED, f"Cancelled by {actor}.", timezone.now()
        run.save(update_fields=["state", "reason", "finished_at"])
        note(run, run.state, run.reason)
    stopping = f"Cancelled by {actor}: its worker stops within seconds and keeps the finished samples."
    for run in alone.filter(state=State.RUNNING, cancel_requested=False):
        run.cancel_requested, run.reason = True, stopping
        run.save(update_fields=["cancel_requested", "reason"])
        note(run, run.state, run.reason)
    job.state, job.finished_at = Job.State.CANCELLED, timezone.now()
    job.reason = f"Cancelled by {actor}. Retry runs what is not done."
    job.changes += 1
    job.save(update_fields=["state", "reason", "finished_at", "changes"])
    publish(f"job.{job.pk}", job=job.pk)
    enqueue("job_changed", job.pk, joined=True)
    _ring_for_growth(job)
    record(actor=actor, team=job.team, verb="cancelled", target=job)
    if not job.grows:  # else it is the search that ends, and says what it found
        _tell_of_end(job, actor)
    return job


def retry_job(*, actor: User, job: Job) -> Job:
    """Queue again what failed or was cancelled; finished samples of those runs are kept. Safe to press twice.

    Raises OverLimit, which is recorded, when what is left of them does not fit into the team's spending limit.
    """
    require(actor, job.team, May.SUBMIT)
    with quota.refusals_recorded(actor=actor, team=job.team):
        try:
            return _retry(actor, job)
        except IntegrityError:  # an identical run was made in the same moment: now it is there to be taken
            return _retry(actor, job)


@transaction.atomic
def _retry(actor: User, job: Job) -> Job:
    limited = quota.hold(job.team)
    twins = Run.objects.filter(identity__in=job.runs.filter(state__in=STOPPED).values("identity"))
    job = _locked_after_its_runs(job, twins.filter(state__in=planning.ACTIVE))
    if job.state == Job.State.CANCELLED:
        job.state = Job.State.QUEUED
        job.save(update_fields=["state"])
    again = _stopped(job)
    refuse_outside(EntryVersion.objects.filter(contenders__runs__in=again).distinct(), field="contenders")
    quota.require_room(limited, _of_the_rest(again))
    for run in again:
        requeue(run, f"Queued again by {actor}; {run.done} finished samples are kept.")
    call_back(job.runs.select_for_update(of=("self",)).filter(cancel_requested=True).order_by("pk"))
    settle(job)
    enqueue("job_changed", job.pk, joined=True)
    ring(run.resource for run in again)
    record(actor=actor, team=job.team, verb="retried", target=job, after={"runs": len(again)})
    tell(job, "queued again", runs=len(again))
    return job


def _stopped(job: Job) -> list[Run]:
    """The runs of the job that stopped before they were done; one that exists anew elsewhere is taken from there.

    It is locked, so that it does not end before it belongs to the job: whoever ends it settles the jobs that it has.
    """
    stopped = Run.objects.select_for_update(of=("self",)).filter(parts__job=job, state__in=STOPPED)
    again = []
    for run in stopped:
        there = Run.objects.select_for_update(no_key=True).filter(identity=run.identity, state__in=planning.ACTIVE)
        twin = there.first()
        if twin:
            JobRun.objects.filter(job=job, run=run).update(run=twin, reused=True)
        else:
            again.append(run)
    return again


def _of_the_rest(runs: Sequence[Run]) -> Estimate:
    """What is left of stopped runs, at the cost that was expected of all of them."""
    left = [run.estimated_usd * (1 - (run.done / run.total if run.total else 0)) for run in runs if run.estimated_usd]
    unknown = sum(run.estimated_usd is None for run in runs)
    return Estimate(runs=len(runs), new=len(runs), samples=None, seconds=None, cost_usd=sum(left), unmeasured=unknown)


def requeue(run: Run, reason: str, *, fresh_attempts: bool = True) -> None:
    run.state, run.reason, run.worker, run.leased_until, run.cancel_requested = State.QUEUED, reason, "", None, False
    run.finished_at = None
    if fresh_attempts:
        run.last_attempt, run.request_id = run.attempt + conf.RUN_ATTEMPTS, logs.request_id()
    run.save()
    note(run, State.QUEUED, reason)
