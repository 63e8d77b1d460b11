"""What people do with searches: ask for one, and stop it. Its steps are taken in advancing.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from django.db import transaction

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.models import BenchmarkVersion, Contender, Suite
from webapp.catalog.services import hold, stored
from webapp.celery import enqueue
from webapp.errors import Unprocessable
from webapp.jobs import growing, planning, quota
from webapp.jobs import services as jobs
from webapp.jobs.estimates import Estimate
from webapp.searches.models import Search
from webapp.searches.scores import complete_runs

Goal, Method = Search.Goal, Search.Method
METHODS = {Goal.BEST: (Method.UCB_E,), Goal.ESTIMATE: (Method.AIPW, Method.LURE, Method.RANDOM)}
FEWEST = 10  # samples that an estimate rests on
MOST = 200  # contenders
# What a batch takes beside its samples, measured with the demo on two cores: to be decided and taken by a worker, and
# for each of its runs to begin and to close. A worker keeps models loaded as long as they fit, so loading is paid once.
BATCH_SECONDS, RUN_SECONDS = 0.4, 0.11
MOST_BATCHES = 2000
MOST_CELLS = 20_000_000  # contenders x samples that are looked at after each batch


@dataclass(frozen=True)
class SearchRequest:
    """What a team asks for. budget: samples, or a share of all contender x sample pairs up to 1 (`share`); just one of
    both. key and body_hash make a repeated submission the same submission."""

    goal: str
    contenders: Sequence[Contender]
    versions: Sequence[BenchmarkVersion]
    suite: Suite | None = None
    budget: int | None = None
    share: float | None = None
    method: str = ""
    batch: int = 32
    seed: int = 1
    exploration: float = 1.0
    stop_error: float = 0.0
    floor: float = 0.2
    half_width: float = 0.0
    batch_size: int = 64
    title: str = ""
    priority: int = 0
    visibility: str = Visibility.TEAM
    key: str = ""
    body_hash: str = ""


@dataclass(frozen=True)
class Plan:
    """A request that can be met. cells: contender x sample pairs in all; sources: runs that an estimate leans on."""

    request: SearchRequest
    size: int
    budget: int
    sources: tuple[int, ...]
    expected: Estimate

    @property
    def cells(self) -> int:
        return self.size * len(self.request.contenders)

    @property
    def batches(self) -> int:
        """At most, with the whole budget."""
        first = len(self.request.contenders) if self.request.goal == Goal.BEST else 0
        return first + ceil(self.budget / self.request.batch)

    @property
    def overhead(self) -> float:
        """Seconds between the batches: their runs are queued, taken, closed, and the next one is decided."""
        return self.batches * (BATCH_SECONDS + RUN_SECONDS * len(self.request.versions))


def submit_search(*, actor: User, team: Team, request: SearchRequest) -> tuple[Search, bool]:
    """Returns the search and whether it is new. The analysis worker decides what is asked first.

    Raises Unprocessable that names the field, and OverLimit, which is recorded, when its whole budget does not fit into
    the team's spending limit.
    """
    require(actor, team, May.SUBMIT)
    with quota.refusals_recorded(actor=actor, team=team), transaction.atomic():
        earlier = _same_key(actor, request)
        return (earlier, False) if earlier else (_submit(actor, team, request), True)


def plan_search(*, actor: User, team: Team, request: SearchRequest) -> Plan:
    """What submitting would do: the same checks, and nothing is written."""
    require(actor, team, May.SUBMIT)
    return _planned(actor, team, request)


def _submit(actor: User, team: Team, request: SearchRequest) -> Search:
    plan = _planned(actor, team, request)
    request = plan.request
    entries = [one.version.entry for one in request.contenders]
    hold(actor=actor, team=team, rows=[*entries, *(version.benchmark for version in request.versions)])
    title = request.title or _title(request)
    job = growing.open_job(
        actor=actor,
        team=team,
        title=title,
        suite=request.suite,
        settings=_settings(request),
        visibility=request.visibility,
        priority=request.priority,
        expected=plan.expected,
    )
    search = Search.objects.create(
        team=team,
        created_by=actor,
        visibility=request.visibility,
        title=title,
        goal=request.goal,
        method=request.method,
        job=job,
        size=plan.size,
        budget=plan.budget,
        batch=request.batch,
        seed=request.seed,
        exploration=request.exploration,
        stop_error=request.stop_error,
        floor=request.floor,
        half_width=request.half_width,
        sources=list(plan.sources),
        idempotency_key=request.key,
        request_hash=request.body_hash,
    )
    search.contenders.set(request.contenders)
    search.versions.set(request.versions)
    enqueue("advance_search", job.pk)
    record(actor=actor, team=team, verb="submitted", target=search, after={"goal": request.goal, "budget": plan.budget})
    return search


def _same_key(actor: User, request: SearchRequest) -> Search | None:
    if not request.key:
        return None
    # Two equal requests at once: the second one waits; who tells this person of something (a foreign key) does not.
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    earlier = Search.objects.filter(created_by=actor, idempotency_key=request.key).first()
    jobs.refuse_another_body(earlier, request.body_hash)
    return earlier


def _settings(request: SearchRequest) -> dict[str, Any]:
    return planning.clean_settings({"batch_size": request.batch_size})


def _planned(actor: User, team: Team, request: SearchRequest) -> Plan:
    request = _checked(request)
    cells = planning.plan(team, request.contenders, request.versions, _settings(request))
    size = sum(version.samples or 0 for version in request.versions)
    if size * len(request.contenders) > MOST_CELLS:
        problem = f"This is a table of more than {MOST_CELLS:,} answers."
        raise Unprocessable(problem, field="contenders", remedy="Choose fewer contenders or benchmarks.")
    budget = _budget(request, size)
    sources = _sources(actor, team, request)
    plan = Plan(request, size, budget, sources, _expected(request, cells, budget))
    if plan.batches > MOST_BATCHES:
        problem = f"This would take {plan.batches:,} batches, and a search may have {MOST_BATCHES:,}."
        raise Unprocessable(problem, field="batch", remedy="Ask for larger batches.")
    return plan


def _checked(request: SearchRequest) -> SearchRequest:
    """With the usual method, each contender and benchmark once. Raises Unprocessable for what does not fit."""
    contenders, versions = stored(request.contenders), list(dict.fromkeys(request.versions))
    method = request.method or METHODS[Goal(request.goal)][0]
    if method not in METHODS[Goal(request.goal)]:
        known = f"Choose {' or '.join(METHODS[Goal(request.goal)])}."
        raise Unprocessable(f"{method} does not serve this goal.", field="method", remedy=known)
    if request.goal == Goal.BEST and not 2 <= len(contenders) <= MOST:
        raise Unprocessable(f"The best is found among 2 to {MOST} contenders.", field="contenders")
    if request.goal == Goal.ESTIMATE and len(contenders) != 1:
        remedy = "Choose one entry and one scheme."
        raise Unprocessable("An estimate is of one contender.", field="contenders", remedy=remedy)
    needy = next((one for one in contenders if planning.needs_calibration(one)), None)
    if needy is not None:
        remedy = "Run it in full, with its calibration set: its scores are used here at no cost."
        raise Unprocessable(
            f"{needy.scheme} must be calibrated, which a search does not do.", field="contenders", remedy=remedy
        )
    for version in versions:
        _check_version(version)
    return replace(request, contenders=contenders, versions=versions, method=method)


def _check_version(version: BenchmarkVersion) -> None:
    if not version.samples:
        problem = f"How many samples {version} has is not known yet."
        raise Unprocessable(problem, field="suite", remedy="Run it once in full with any contender.")
    if not version.higher_is_better:
        problem = f"On {version} less is better; a search needs scores from 0 to 1, of which more is better."
        raise Unprocessable(problem, field="suite", remedy="Leave it out.")


def _budget(request: SearchRequest, size: int) -> int:
    """In samples. An estimate cannot use more than there are."""
    if (request.budget is None) == (request.share is None):
        raise Unprocessable("Say either how many samples, or which share of all.", field="budget")
    cells = size * len(request.contenders)
    budget = request.budget if request.budget is not None else int((request.share or 0) * cells + 1e-9)
    least = len(request.contenders) if request.goal == Goal.BEST else min(FEWEST, size)
    if budget < least:
        problem = f"{budget:,} samples are too few: there are {cells:,}, and at least {least:,} are needed."
        raise Unprocessable(problem, field="budget", remedy="Spend more.")
    return min(budget, cells)


def _sources(actor: User, team: Team, request: SearchRequest) -> tuple[int, ...]:
    """Complete runs of all others. The target's own are never looked at before it is asked."""
    if request.goal == Goal.BEST or request.method == Method.RANDOM:
        return ()
    ordered = sorted(request.versions, key=lambda version: version.pk)
    others = complete_runs(actor, team, ordered)
    others.pop(request.contenders[0].pk, None)
    if not others:
        problem = f"{request.method.upper()} leans on other contenders, and none has complete results here."
        raise Unprocessable(problem, field="method", remedy="Choose random samples, or run another contender in full.")
    return tuple(pk for contender in sorted(others) for pk in others[contender])


def _expected(request: SearchRequest, cells: Sequence[planning.Cell], budget: int) -> Estimate:
    """Of the whole budget, as if it were spent evenly: who is asked more is not known before."""
    every = sum(cell.samples or 0 for cell in cells) or 1
    whole = planning.estimate([replace(cell, existing=None) for cell in cells])
    part = budget / every
    return replace(
        whole,
        runs=ceil(budget / request.batch),
        new=ceil(budget / request.batch),
        samples=budget,
        seconds=None if whole.seconds is None else whole.seconds * part,
        cost_usd=whole.cost_usd * part,
    )


def _title(request: SearchRequest) -> str:
    on = request.suite or ", ".join(str(version.benchmark) for version in request.versions)
    names = [contender.name for contender in request.contenders]
    about = f"Best of {len(names)} contenders" if request.goal == Goal.BEST else f"Estimate of {names[0]}"
    return f"{about} on {on}"[:160]


@transaction.atomic
def stop_search(*, actor: User, search: Search, cancel: bool = False) -> Search:
    """Decide on no more batches; what was found is kept. Safe to press twice.

    cancel: stop the runs under way, too, whose finished samples are kept; else they finish, and count.
    """
    require(actor, search.team, May.SUBMIT)
    search = Search.objects.select_for_update(of=("self",)).select_related("job__team", "team").get(pk=search.pk)
    if search.is_over:
        return search
    search.stop_requested, search.reason = True, f"Stopped by {actor.username}."
    search.save(update_fields=["stop_requested", "reason"])
    if cancel:
        jobs.cancel_job(actor=actor, job=search.job)
    else:
        jobs.settle(search.job)
    record(actor=actor, team=search.team, verb="stopped", target=search, after={"cancelled runs": cancel})
    return search


def asked_for(values: Mapping[str, Any]) -> SearchRequest:
    """Of validated values: those that are not given keep their defaults."""
    return SearchRequest(**{name: value for name, value in values.items() if value is not None})
