"""A search through the real queue: a worker is killed in its middle, and its result is that of the replay."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analyses.searching.bounds import Spending
from evaluation.analyses.searching.replay import Plan, Replay, replays
from webapp.catalog import services as catalog
from webapp.catalog.models import Contender
from webapp.jobs.models import Job, Run
from webapp.leaderboards import services as boards
from webapp.results.models import Score
from webapp.results.selectors import packed_scores
from webapp.searches.knowledge import Found
from webapp.searches.models import Search
from webapp.searches.services import SearchRequest, submit_search
from webapp.tests import factories
from workers.tests.conftest import CELERY, Lab, Start, evaluation_worker, living, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.django_db(transaction=True)]
SIZE, BUDGET, BATCH, SEED = 200, 240, 24, 4


def over(search: Search) -> bool:
    search.refresh_from_db()
    return search.is_over


def replayed(job: Job, contenders: list[Contender]) -> tuple[list[Contender], Replay]:
    """Contenders by name, and the replay on their complete runs."""
    whole = {run.contender_id: run for run in job.runs.all()}
    scores = packed_scores(list(whole.values()))
    ordered = sorted(contenders, key=lambda one: one.name)
    table = np.array([scores[whole[one.pk].pk][:, 0] for one in ordered])
    plan = Plan(np.array([BUDGET]), Spending(1.0, BATCH), False, 0.0)
    return ordered, next(replays(table, plan, 1, SEED))


def test_a_search_survives_its_worker_and_finds_what_the_replay_finds(lab: Lab, start: Start) -> None:
    version = factories.benchmark(lab.owner, lab.team, "sums", SIZE)
    suite = factories.suite(lab.owner, lab.team, "sums", [version])
    board = factories.board(lab.owner, lab.team, "main", suite)
    entries = [lab.entry(name) for name in ("tiny-xs", "tiny-s", "tiny-m")]
    contenders = [catalog.contender(version=entry, scheme="fp32") for entry in entries]
    first = evaluation_worker(start, "first")
    analysis = start(
        *CELERY, "-P", "threads", "-c", "1", "-B", "--scheduler", "celery.beat:Scheduler", "-Q", "analysis"
    )
    wait_until(lambda: living("first"), of=first)

    request = SearchRequest("best", contenders, [version], suite, budget=BUDGET, batch=BATCH, seed=SEED, batch_size=1)
    search, _ = submit_search(actor=lab.owner, team=lab.team, request=request)
    wait_until(lambda: Score.objects.filter(run__jobs=search.job).count() > 1.5 * BATCH, of=first)
    first.kill()
    evaluation_worker(start, "second")
    wait_until(lambda: over(search), seconds=120, of=analysis)

    assert (search.state, search.reason) == ("done", f"The budget of {BUDGET} samples is spent.")
    partial = list(search.job.runs.all())
    assert {run.state for run in partial} == {Run.State.DONE}
    assert Score.objects.filter(run__in=partial).count() == BUDGET, "no sample is lost, none is asked twice"
    boards.refresh(board_id=board.pk)
    assert not board.standings.exists(), "partial runs are not on boards"

    job = factories.job(lab.owner, lab.team, suite, entries)
    wait_until(lambda: set(job.runs.values_list("state", flat=True)) == {Run.State.DONE}, seconds=60, of=analysis)
    ordered, replay = replayed(job, contenders)
    found = Found.from_json(search.found)
    assert found is not None
    assert [one.count for one in found.known] == replay.counts.tolist()
    assert found.leader == ordered[int(replay.found[-1])].pk
