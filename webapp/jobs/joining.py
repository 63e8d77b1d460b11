"""The runs of a plan join a job: those that are there are reused, the others are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings as conf

from webapp.accounts.models import Visibility
from webapp.jobs.models import Job, JobRun, Run, RunEvent
from webapp.jobs.planning import ACTIVE, Cell
from webapp.jobs.resources import AUTOMATIC, resource_of
from webapp.prepared import PreparedInsert

State = Run.State
UNDER_WAY = [State.QUEUED, State.RUNNING]
# Of a job that is seen by more people than a run that it reuses.
NARROWER = {Visibility.PUBLIC: {Visibility.PRIVATE, Visibility.TEAM}, Visibility.TEAM: {Visibility.PRIVATE}}
GOES_ON = "It was to stop, and goes on: it was asked for again."


@dataclass(frozen=True)
class Taken:
    """Runs by identity; new: those that were made for this job."""

    reused: Mapping[str, Run]
    new: Sequence[Run]

    @property
    def runs(self) -> list[Run]:
        return [*self.reused.values(), *self.new]


_inserted, _parts = PreparedInsert(Run), PreparedInsert(JobRun)


def take_runs(job: Job, cells: Sequence[Cell], *, max_seconds: int, resource: str = AUTOMATIC) -> Taken:
    """The runs of these cells. The job need not be stored yet: runs are locked before jobs, everywhere."""
    reused, new = _there([cell.identity for cell in cells if cell.existing]), list[Run]()
    while missing := _missing(cells, [*reused, *(run.identity for run in new)]):
        new += _inserted([_made(job, cell, max_seconds, resource) for cell in missing])
        # Another job may have made one of them in the same moment; by now it has committed.
        reused |= _there([cell.identity for cell in _missing(missing, [run.identity for run in new])])
    return Taken(reused, new)


def _missing(cells: Sequence[Cell], known: Iterable[str]) -> list[Cell]:
    there = set(known)
    return [cell for cell in cells if cell.identity not in there]


def _there(identities: Sequence[str]) -> dict[str, Run]:
    """Those under way are locked, so that none ends unseen before the job is there; the state of done ones is final."""
    if not identities:
        return {}
    rows = Run.objects.filter(identity__in=identities)
    list(rows.filter(state__in=UNDER_WAY).select_for_update(no_key=True).order_by("pk").values_list("pk"))
    return {run.identity: run for run in rows.filter(state__in=ACTIVE)}


def _made(job: Job, cell: Cell, max_seconds: int, resource: str) -> Run:
    return Run(
        team_id=job.team_id,
        created_by_id=job.created_by_id,
        visibility=job.visibility,
        contender=cell.contender,
        version=cell.version,
        settings=dict(cell.settings),
        identity=cell.identity,
        request_id=job.request_id,
        resource=resource_of(cell.contender, resource),
        priority=job.priority,
        max_seconds=max_seconds,
        subset=None if cell.subset is None else list(cell.subset),
        total=cell.samples,
        estimated_usd=cell.cost_usd,
        last_attempt=conf.RUN_ATTEMPTS,
    )


def attach(job: Job, cells: Iterable[Cell], taken: Taken) -> None:
    """In the order of the plan. Who sees the job sees what it reuses: the same numbers would come out if it ran again;
    what waits moves up to its priority, and what was to stop goes on."""
    runs = {run.identity: run for run in taken.runs}
    parts = [JobRun(job=job, run=runs[cell.identity], reused=cell.identity in taken.reused) for cell in cells]
    _parts.append(parts)
    hidden = NARROWER.get(Visibility(job.visibility), set())
    unseen = [run.pk for run in taken.reused.values() if run.visibility in hidden]
    if unseen:
        Run.objects.filter(pk__in=unseen).update(visibility=job.visibility)
    later = [run.pk for run in taken.reused.values() if run.state == State.QUEUED and run.priority < job.priority]
    if later:
        Run.objects.filter(pk__in=later).update(priority=job.priority)
    call_back(taken.reused.values())


def call_back(runs: Iterable[Run]) -> None:
    """Of these runs, which are locked, those that were told to stop and have not stopped yet simply go on."""
    told = [run for run in runs if run.state == State.RUNNING and run.cancel_requested]
    if not told:
        return
    Run.objects.filter(pk__in=[run.pk for run in told]).update(cancel_requested=False, reason=GOES_ON)
    RunEvent.objects.bulk_create(RunEvent(run=run, attempt=run.attempt, state=run.state, text=GOES_ON) for run in told)
