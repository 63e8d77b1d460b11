"""Years of work of one team, laid down in layers by COPY: what an installation keeps, and what a page should not feel.

A layer is 1,000 finished runs of 20 new contenders with 10,000 scores, their 100 jobs, diaries, audit log, notices,
letters, messages to a webhook, reports and published reviews. What happens now stays the same beside any number of
them: 100 runs that wait, three workers, and a second team with a single job.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.seed import copied

if TYPE_CHECKING:
    from webapp.accounts.models import Team, User
    from webapp.catalog.models import BenchmarkVersion, Contender
    from webapp.jobs.models import Job, Run

RUNS, CONTENDERS, BENCHMARKS, SAMPLES, REPEATS = 1000, 20, 10, 10, 5
SCHEMES = ("bf16", "int8", "nf4", "fp8")
SUBMITTED = "entry-now-0"  # the entry that has a price: its team has a spending limit
THEN = datetime(2026, 1, 1, tzinfo=UTC)
MEASURED = {
    "mean": 0.5, "standard_error": 0.17, "low": 0.2, "high": 0.8, "total": SAMPLES, "done": SAMPLES, "score_sum": 5.0,
    "tokens_in": 90 * SAMPLES, "tokens_out": SAMPLES, "seconds": 0.5, "cost_usd": 0.0002,
}  # fmt: skip

DIARY = """
INSERT INTO jobs_runevent (run_id, at, attempt, state, text)
SELECT id, finished_at, 1, said.state, text FROM jobs_run, (
    VALUES ('queued', 'Waiting.'), ('running', 'Claimed by worker-1.'), ('done', 'All samples are scored.')
) AS said (state, text) WHERE id = ANY(%s)"""
SCORES = """
INSERT INTO results_score (run_id, index, attempt, score, answer, output, log_likelihoods)
SELECT id, index, 0, index %% 2, 'A', ' A', '{}' FROM jobs_run, generate_series(0, %s) AS index WHERE id = ANY(%s)"""


@dataclass
class World:
    """owner: of the team whose history it is. newcomer: of a team that has only just begun. layers: that are there."""

    owner: User
    team: Team
    newcomer: User
    small: Team
    versions: Sequence[BenchmarkVersion]
    layers: int = 0

    @property
    def owned(self) -> dict[str, Any]:
        return {"team": self.team, "created_by": self.owner, "visibility": "team"}


def begun() -> World:
    from webapp.accounts.models import Team
    from webapp.catalog.models import Price
    from webapp.jobs import leases
    from webapp.notices.models import Event
    from webapp.notices.webhooks import SECRETS

    owner, team = _person("owner")
    newcomer, small = _person("newcomer")
    Team.objects.filter(pk=team.pk).update(spending_limit_usd=10_000)
    world = World(owner, team, newcomer, small, _benchmarks(owner, team))
    team.webhooks.create(
        created_by=owner, url="https://example.org/", sealed_secret=SECRETS.seal("secret"), events=[Event.JOB_ENDED]
    )
    now = _contenders(world, "now")
    _waiting(world, now[: len(now) // 2])
    copied([Price(entry=now[0].version.entry, hour_usd=1, source="Rent", valid_from=THEN.date(), created_by=owner)])
    runs = _finished(World(newcomer, small, newcomer, small, world.versions), now[:1], repeats=1, first=-1)
    _jobs(newcomer, small, runs)
    for name in ("worker-1", "worker-2", "worker-3"):
        leases.worker_seen(name=name, host="host", device="cpu", schemes=SCHEMES, environment={})
    return world


def grow(world: World, layers: int) -> None:
    """Until there are so many layers, and the database has had its housekeeping."""
    from django.db import connection, transaction

    while world.layers < layers:
        with transaction.atomic():
            _layer(world)
        world.layers += 1
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _layer(world: World) -> None:
    contenders = _contenders(world, str(world.layers))
    runs = _finished(world, contenders, repeats=REPEATS, first=world.layers * REPEATS)
    jobs = _jobs(world.owner, world.team, runs)
    _told(world, jobs)
    _judged(world, runs)


def _person(name: str) -> tuple[User, Team]:
    from webapp.accounts import services
    from webapp.accounts.models import User

    user = User.objects.create(username=name, email=f"{name}@example.org")
    return user, services.create_team(actor=user, name=f"team-of-{name}", title=f"Team of {name}")


def _benchmarks(owner: User, team: Team) -> list[BenchmarkVersion]:
    from webapp.catalog.models import Benchmark, BenchmarkVersion, Sample, Suite, SuiteItem
    from webapp.leaderboards.models import Leaderboard

    owned = {"team": team, "created_by": owner, "visibility": "public"}
    made = copied(Benchmark(name=f"benchmark-{at}", **owned) for at in range(BENCHMARKS))
    kind = {"kind": "multiple_choice", "metric": "acc", "samples": SAMPLES, "chance": 0.25, "created_by": owner}
    versions = copied(BenchmarkVersion(benchmark=one, number=1, content_hash=one.name, **kind) for one in made)
    copied(
        Sample(version=one, index=at, document={"at": at}, prompt=f"Question {at}", choices=list("ABCD"), target="A",
               document_hash=f"{at}", prompt_hash=f"{at}", target_hash="A")
        for one in versions for at in range(SAMPLES)
    )  # fmt: skip
    suite = Suite.objects.create(name="suite", **owned)
    copied(SuiteItem(suite=suite, position=at, version=one) for at, one in enumerate(versions))
    Leaderboard.objects.create(name="board", title="Board", suite=suite, **owned)
    return versions


def _contenders(world: World, name: str) -> list[Contender]:
    from webapp.catalog.models import Contender, EntryVersion, ModelEntry

    entries = copied(ModelEntry(name=f"entry-{name}-{at}", **world.owned) for at in range(CONTENDERS // len(SCHEMES)))
    made = {"source": "directory", "location": "/models", "created_by": world.owner}
    states = copied(EntryVersion(entry=one, number=1, fingerprint=one.name, **made) for one in entries)
    return copied(Contender(version=one, scheme=s, name=f"{one.entry.name}@{s}") for one in states for s in SCHEMES)


def _finished(world: World, contenders: Sequence[Contender], *, repeats: int, first: int) -> list[Run]:
    """Runs by contender, repetition and benchmark, with their diaries and scores."""
    from django.db import connection

    from webapp.jobs.models import Run, default_settings

    ended = THEN + timedelta(hours=max(0, first))
    made = {
        **world.owned, **MEASURED, "max_seconds": 3600, "state": Run.State.DONE, "reason": "All samples are scored.",
        "attempt": 1, "started_at": ended - timedelta(minutes=1), "finished_at": ended, "worker": "worker-1",
    }  # fmt: skip
    runs = copied(
        Run(contender=one, version=version, scheme=one.scheme, identity=f"{one.pk}-{version.pk}-{first + at}",
            settings={**default_settings(), "repeat": at}, **made)
        for one in contenders for at in range(repeats) for version in world.versions
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(DIARY, [[run.pk for run in runs]])
        cursor.execute(SCORES, [SAMPLES - 1, [run.pk for run in runs]])
    return runs


def _jobs(owner: User, team: Team, runs: Sequence[Run]) -> list[Job]:
    """A job for each repetition of a contender on all benchmarks."""
    from webapp.jobs.models import Job, JobRun

    made = {"team": team, "created_by": owner, "visibility": "team", "state": "done", "reason": "All runs are done."}
    jobs = copied(Job(title="Job", finished_at=THEN, **made) for _ in range(len(runs) // BENCHMARKS))
    copied(JobRun(job=jobs[at // BENCHMARKS], run=run) for at, run in enumerate(runs))
    return jobs


def _told(world: World, jobs: Sequence[Job]) -> None:
    """Ten lines of the audit log, a read notice, a letter and a message to the webhook for each job."""
    from webapp.accounts.models import AuditEvent
    from webapp.notices.models import Delivery, Email, Notice

    owner, team = world.owner, world.team
    copied(
        AuditEvent(team=team, actor=owner, actor_name=owner.username, verb="submitted", target=f"Job {job.pk}")
        for job in jobs for _ in range(10)
    )  # fmt: skip
    now = datetime.now(UTC)
    said = {
        "user": owner,
        "team": team,
        "kind": "job_ended",
        "text": "A job is done.",
        "path": "/jobs/",
        "read_at": now,
    }
    notices = copied(Notice(**said) for _ in jobs)
    sent = {"state": "sent", "attempts": 1, "ended_at": now}
    copied(Email(user=owner, notice=one, **sent) for one in notices)
    hook = team.webhooks.get()
    copied(Delivery(webhook=hook, event="job.ended", body="{}", **sent) for _ in jobs)


def _judged(world: World, runs: Sequence[Run]) -> None:
    """Reports, and reviews that were published; one of ten is approved and waits for an owner to publish it."""
    from webapp.results.models import Report
    from webapp.reviews import selectors
    from webapp.reviews.models import Review

    ids = [run.pk for run in runs[-BENCHMARKS:]]
    said = {"analysis": "comparison", "analysis_version": "1", "inputs": {"runs": ids}, "result": {}, "state": "done"}
    copied(Report(title="Report", **said, **world.owned) for _ in range(20))
    frozen = {"runs": ids, "subject_hash": selectors.subject_hash(ids, None), "frozen_at": THEN, "title": "Review"}
    states = ["approved"] + 9 * ["published"]
    copied(Review(state=state, reason="Approved.", **frozen, **world.owned) for state in states)


def _waiting(world: World, contenders: Sequence[Contender]) -> None:
    from webapp.jobs.models import Job, JobRun, Run

    job = Job.objects.create(title="What waits now", **world.owned)
    cells = [(one, version) for one in contenders for version in world.versions]
    runs = copied(
        Run(contender=one, version=version, scheme=one.scheme, identity=f"now-{one.pk}-{version.pk}", max_seconds=3600,
            **world.owned)
        for one, version in cells
    )  # fmt: skip
    copied(JobRun(job=job, run=run) for run in runs)
