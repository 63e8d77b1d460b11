"""Jobs that grow: a search decides run by run what it asks next, and its job is not over until the search is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings as conf

from webapp import logs
from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, Contender, Suite
from webapp.jobs import planning, quota
from webapp.jobs.estimates import Estimate
from webapp.jobs.models import Job
from webapp.jobs.services import add_runs, settle
from webapp.jobs.tracing import tell
from webapp.notices.services import News, notify


def open_job(
    *,
    actor: User,
    team: Team,
    title: str,
    suite: Suite | None,
    settings: Mapping[str, Any],
    visibility: str,
    priority: int,
    expected: Estimate,
) -> Job:
    """A job without runs. Raises OverLimit when what is expected of it does not fit into the team's limit."""
    quota.require_room(quota.hold(team), expected)
    job = Job.objects.create(
        team=team,
        created_by=actor,
        visibility=visibility,
        title=title,
        suite=suite,
        settings=dict(settings),
        priority=priority,
        estimate=expected.to_json(),
        grows=True,
        reason="What to ask first is decided.",
        request_id=logs.request_id(),
    )
    tell(job, "opened for a search")
    return job


def grow(
    *, job: Job, contender: Contender, versions: Sequence[BenchmarkVersion], subsets: Mapping[int, Sequence[int]]
) -> list[planning.Cell]:
    """Partial runs of a contender over these samples (by version's id) join the job; identical ones are reused.

    Call it in a transaction. Raises OverLimit when they do not fit into the team's limit any more.
    """
    limited = quota.hold(job.team)
    chosen = [version for version in versions if subsets.get(version.pk)]
    cells = planning.plan(job.team, [contender], chosen, job.settings, subsets=subsets)
    quota.require_room(limited, planning.estimate(cells))
    add_runs(job=job, cells=cells, max_seconds=conf.RUN_MAX_SECONDS)
    return cells


def close(*, job: Job, news: News) -> None:
    """No more runs will join: from now on it is over when they are. news: what its author is told of it."""
    Job.objects.filter(pk=job.pk).update(grows=False)
    job.grows = False
    settle(job, tells=False)
    notify(news=news, to=[job.created_by])
