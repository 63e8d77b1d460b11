"""A search in a small world: three contenders on two benchmarks, answered from a table that only the test knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.records import Attempt
from webapp.accounts.models import Team, User
from webapp.catalog import services as catalog
from webapp.catalog.models import BenchmarkVersion, Contender
from webapp.jobs import leases
from webapp.jobs.models import Run
from webapp.results.services import finish_run, record_scores
from webapp.searches import advancing
from webapp.searches.models import Search
from webapp.searches.services import SearchRequest, submit_search
from webapp.tests import factories

NAMES = ("ash", "birch", "cedar")
SIZES = (90, 60)


@pytest.fixture
def contenders(alice: User, team: Team, tmp_path: Path) -> list[Contender]:
    made = []
    for width, name in enumerate(NAMES, 5):
        version = factories.entry(alice, team, name, factories.checkpoint(tmp_path / name, width=width))
        made.append(catalog.contender(version=version, scheme="fp32"))
    return made


@pytest.fixture
def versions(alice: User, team: Team) -> list[BenchmarkVersion]:
    return [factories.benchmark(alice, team, f"sums-{size}", size) for size in SIZES]


@pytest.fixture
def truth(contenders: list[Contender]) -> dict[int, np.ndarray]:
    """Contender's id -> its scores on the samples of all benchmarks, one after the other."""
    rng = np.random.default_rng(3)
    return {
        one.pk: (rng.random(sum(SIZES)) < share).astype(float)
        for one, share in zip(contenders, (0.5, 0.8, 0.6), strict=True)
    }


@pytest.fixture
def ask(
    alice: User, team: Team, contenders: list[Contender], versions: list[BenchmarkVersion]
) -> Callable[..., Search]:
    def submit(**more: Any) -> Search:
        usual = {"goal": "best", "contenders": contenders, "versions": versions, "budget": 200, "batch": 16, "seed": 5}
        return submit_search(actor=alice, team=team, request=SearchRequest(**{**usual, **more}))[0]

    return submit


Answer = Callable[[], Run | None]


@pytest.fixture
def answer(truth: Mapping[int, np.ndarray]) -> Answer:
    """A worker that takes the next run and scores all of it."""

    def finish() -> Run | None:
        run = leases.claim(worker="worker-1", schemes=["fp32"])
        return None if run is None else score(run, truth)

    return finish


def score(run: Run, truth: Mapping[int, np.ndarray], *, most: int | None = None) -> Run:
    """most: leave the run under way after so many samples."""
    lease, samples = leases.lease_of(run), run.subset if run.subset is not None else range(run.version.samples or 0)
    leases.start(lease=lease, total=len(samples))
    start = 0 if run.version.samples == SIZES[0] else SIZES[0]
    attempts = [
        Attempt(
            sample=at, score=float(truth[run.contender_id][start + at]), answer="", output="", target="", seconds=0.01
        )
        for at in samples
    ]
    record_scores(lease=lease, attempts=attempts[:most], seconds=0.5)
    return run if most is not None else finish_run(lease=lease, provenance={"harness": "a table"})


@pytest.fixture
def drive(answer: Answer) -> Callable[[Search], Search]:
    """Alternate between the analysis worker and an evaluation worker until the search is over."""

    def go(search: Search) -> Search:
        while not search.is_over:
            advancing.advance(job_id=search.job_id)
            while answer():
                pass
            search.refresh_from_db()
        return search

    return go
