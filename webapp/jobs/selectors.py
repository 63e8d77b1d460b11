"""Reads of jobs, runs and workers, with the words that say why something waits and when it will end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.cache import caches
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from webapp.accounts.models import REMOVED, User, Visibility
from webapp.accounts.selectors import Viewer, teams_where, visible
from webapp.jobs.estimates import Estimate, Rate, attempts_of, rates
from webapp.jobs.models import Job, JobRun, Run, Worker
from webapp.jobs.queue import queue_position
from webapp.jobs.resources import RESOURCES, in_words
from webapp.prepared import Prepared

State = Run.State
ALIVE = timedelta(seconds=30)
COUNTED = ("done", "failed", "running")


def jobs(user: Viewer, *, state: str = "", search: str = "") -> QuerySet[Job]:
    rows = visible(Job.objects.all(), user).select_related("team", "created_by", "suite")
    if state:
        rows = rows.filter(state=state)
    if search:
        rows = rows.filter(title__icontains=search)
    return counted(rows).order_by("-pk")


def counted(rows: QuerySet[Job]) -> QuerySet[Job]:
    """With the number of their runs, in all and in three states."""
    states = {f"runs_{state}": _number(run__state=state) for state in COUNTED}
    return rows.annotate(**states, runs_total=_number())


def _number(**wanted: str) -> Coalesce:
    """Of a job's runs. A subquery: who counts the jobs, or shows the first of them, counts no runs of all others."""
    parts = JobRun.objects.filter(job=OuterRef("pk"), **wanted).order_by().values("job")
    return Coalesce(Subquery(parts.annotate(number=Count("pk")).values("number")), 0)


def counted_as(job: Job, states: Mapping[str, int]) -> Job:
    """The same for a job that has just been made, from how many of its runs are in which state."""
    counts = {f"runs_{name}": states.get(name, 0) for name in COUNTED}
    vars(job).update(counts, runs_total=sum(states.values()))
    return job


def runs(user: Viewer) -> QuerySet[Run]:
    return visible(Run.objects.all(), user).select_related(
        "contender__version__entry__team", "version__benchmark__team", "team", "created_by"
    )


_run_of_person = Prepared(lambda user, pk: runs(User(pk=user)).filter(pk=pk), -1, -2)
_public_run = Prepared(lambda pk: runs(AnonymousUser()).filter(pk=pk), -1)


def readable_run(user: Viewer, pk: int) -> Run | None:
    """One of `runs`, for pages that take little longer than making its SQL would."""
    return _run_of_person.first(user.pk, pk) if user.is_authenticated else _public_run.first(pk)


def still_there(runs: Iterable[int]) -> set[int]:
    """Of these ids those whose runs are neither deleted nor about to be: what speaks of runs can outlive them."""
    wanted = set(runs)
    rows = Run.objects.filter(pk__in=wanted).exclude(visibility=REMOVED)
    return set(rows.values_list("pk", flat=True)) if wanted else set()


def newest_finished(user: Viewer) -> int | None:
    """The id of the run that finished last in a team of this person, else of the newest public one."""
    done = Run.objects.filter(state=State.DONE)
    last = visible(done.filter(team=OuterRef("pk"), finished_at__isnull=False), user).order_by("-finished_at")
    teams = teams_where(user).annotate(run=Subquery(last.values("pk")[:1])).values_list("run", flat=True)
    mine = max(filter(None, teams), default=None)
    public = done.filter(visibility=Visibility.PUBLIC).order_by("-pk").values_list("pk", flat=True)
    return public.first() if mine is None else mine


def usual(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Those of whole benchmarks whose answers are not drawn: what boards and comparisons show beside each other."""
    return runs.filter(settings__limit=None, subset=None).exclude(settings__temperature__gt=0)


def job_runs(job: Job) -> list[Run]:
    """The runs of a job in the order of its plan; `run.reused` says that the job found it there."""
    parts = job.parts.select_related("run__contender__version__entry", "run__version__benchmark", "run__team").order_by(
        "pk"
    )
    found = []
    for part in parts:
        part.run.reused = part.reused  # type: ignore[attr-defined]
        found.append(part.run)
    return found


def alive_workers() -> QuerySet[Worker]:
    return Worker.objects.filter(stopped_at=None, seen_at__gt=Now() - ALIVE)


_classes = Prepared(lambda: alive_workers().values_list("resources"))


def classes_served() -> set[str]:
    """Classes of resources that living workers serve."""
    return {resource for (resources,) in _classes.rows() for resource in resources}


def classes_lately_served() -> set[str]:
    """Within the last second: each submission asks. A worker that has come since looks at the queue by itself, and the
    sweep rings again for what waits."""
    return caches["process"].get_or_set("classes_served", classes_served, timeout=1) or set()


def workers() -> QuerySet[Worker]:
    """Living workers first; those gone for a day are not shown."""
    recent = Worker.objects.filter(seen_at__gt=Now() - timedelta(days=1))
    return recent.order_by(F("stopped_at").desc(nulls_first=True), "-seen_at")


def current_runs() -> dict[str, Run]:
    running = Run.objects.filter(state=State.RUNNING).select_related("contender", "version__benchmark")
    return {run.worker: run for run in running}


@dataclass(frozen=True)
class Progress:
    """Samples done of all, and seconds left where history or the running attempt tells."""

    done: int
    total: int | None
    seconds_left: float | None
    mean: float | None = None

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0

    @property
    def percent(self) -> int:
        return int(100 * self.share)


def run_progress(run: Run, rate: float | None = None) -> Progress:
    """rate: seconds per sample from history, used until the attempt has a speed of its own."""
    mean = run.score_sum / run.done if run.done else None
    if run.state in {State.DONE, State.FAILED, State.CANCELLED}:
        return Progress(run.done, run.total, 0.0 if run.state == State.DONE else None, mean)
    left = run.total - run.done if run.total is not None else None
    fresh = run.done - run.done_before
    if run.state == State.RUNNING and fresh and run.started_at:
        rate = (timezone.now() - run.started_at).total_seconds() / fresh
    return Progress(run.done, run.total, left * rate if left is not None and rate is not None else None, mean)


def job_progress(job: Job, rows: Sequence[Run]) -> Progress:
    """Over all runs; the time left is shared by the workers that are alive."""
    parts = [run_progress(run, rate) for run, rate in zip(rows, _seconds_per_sample(rows), strict=True)]
    total = None if any(p.total is None for p in parts) else sum(p.total or 0 for p in parts)
    waits = [part.seconds_left for part, run in zip(parts, rows, strict=True) if not _given_up(run)]
    hands = max(1, alive_workers().count())
    left = None if None in waits else sum(filter(None, waits)) / hands
    return Progress(sum(p.done for p in parts), total, left)


def _seconds_per_sample(rows: Sequence[Run]) -> list[float | None]:
    """Of each run that waits or runs, from history; nobody waits for those that are over."""
    waited = [run for run in rows if run.state in {State.QUEUED, State.RUNNING}]
    if not waited:
        return [None] * len(rows)
    history = rates([run.contender for run in waited], list({run.version_id: run.version for run in waited}.values()))
    found = [history.get((run.contender_id, run.version_id), Rate()).seconds for run in rows]
    return [s if s is None else s * attempts_of(run.settings) for s, run in zip(found, rows, strict=True)]


@dataclass(frozen=True)
class Taken:
    """What the runs that a job brought with it have taken by now; uncosted: those of which no cost is known."""

    seconds: float
    cost_usd: float
    uncosted: int
    begun: int


def taken(rows: Sequence[Run]) -> Taken:
    """rows: from `job_runs`; what other jobs had asked for before is theirs."""
    begun = [run for run in rows if not run.reused and run.done]  # type: ignore[attr-defined]
    costs = [run.cost_usd for run in begun]
    return Taken(
        seconds=sum(run.seconds or 0.0 for run in begun),
        cost_usd=sum(cost for cost in costs if cost is not None),
        uncosted=costs.count(None),
        begun=len(begun),
    )


def has_unpriced(rows: Sequence[tuple[Run, Progress]]) -> bool:
    """Whether one of these runs finished without a price, which can be given afterwards."""
    return any(run.state == State.DONE and not run.unit_prices for run, _ in rows)


def progress_context(pk: int) -> dict[str, Any]:
    """What `_job_progress.html` draws, wherever it is delivered: nothing in it depends on the viewer."""
    job = Job.objects.select_related("team", "suite__team", "created_by").get(pk=pk)
    rows = job_runs(job)
    return {
        "job": job,
        "runs": [(run, run_progress(run)) for run in rows],
        "progress": job_progress(job, rows),
        "waiting": waiting_reason(rows),
        "estimate": Estimate.from_json(job.estimate),
        "taken": taken(rows),
    }


def _given_up(run: Run) -> bool:
    return run.state in {State.FAILED, State.CANCELLED}


def waiting_reason(rows: Sequence[Run]) -> str:
    """Why the first waiting run of these waits, and what would change it; empty when none waits."""
    waiting = [run for run in rows if run.state == State.QUEUED]
    if not waiting:
        return ""
    hands = list(alive_workers())
    if not hands:
        return "No worker is running. Runs start by themselves when one does (an operator runs `python -m workers`)."
    missing = _nobody_does(waiting, hands)
    if missing:
        return missing
    able = [worker for worker in hands if _does(worker, waiting[0]) and worker.mode == Worker.Mode.WORKING]
    if not able:
        return "Every worker that could do it is paused or draining. An operator resumes them on the workers’ page."
    return _turn(waiting[0], len(able))


def _does(worker: Worker, run: Run) -> bool:
    return run.contender.scheme in worker.schemes and run.resource in worker.resources


def _nobody_does(waiting: Sequence[Run], hands: Sequence[Worker]) -> str:
    """What would be needed for those of the runs that no living worker can do; empty when each has one."""
    left = [run for run in waiting if not any(_does(worker, run) for worker in hands)]
    offered = {scheme for worker in hands for scheme in worker.schemes}
    schemes = sorted({run.contender.scheme for run in left} - offered)
    if schemes:
        return f"No running worker offers {', '.join(schemes)}. Start one with the packages that this scheme needs."
    if not left:
        return ""
    largest = max((run.resource for run in left), key=RESOURCES.index)
    return (
        f"No running worker has {in_words(largest)}, which {left[0].contender.name} needs. Start one on such a host, "
        "or submit it with a smaller scheme or another class of resources."
    )


def _turn(run: Run, able: int) -> str:
    """Where the run stands among those of its team, which takes turns with others."""
    limit = run.team.running_limit
    if limit is not None and Run.objects.filter(team=run.team_id, state=State.RUNNING).count() >= limit:
        return f"Its team has {_counted(limit, 'run')} at work, which is its limit. The next one starts when one ends."
    ahead = queue_position(run) - 1
    others = Run.objects.filter(state=State.QUEUED).exclude(team=run.team_id).values("team").distinct().count()
    shared = f" Teams take turns: {_counted(others, 'other team')} waiting too." if others else ""
    if not ahead:
        return f"Next in the queue.{shared}"
    return f"{_counted(ahead, 'run')} ahead in the queue; {_counted(able, 'worker')} at work.{shared}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def runs_of_cell(run: Run, user: Viewer) -> QuerySet[Run]:
    """All runs of the same contender and benchmark version: to compare a repetition with the first."""
    return runs(user).filter(contender=run.contender_id, version=run.version_id).order_by("-pk")
