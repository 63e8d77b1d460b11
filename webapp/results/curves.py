"""Running means: how a run's score settles while its samples are answered, with an interval at each step.

Samples count in the order of the benchmark, whatever the order in which they were answered: so the curve of a finished
run is always the same, and its last point is the run's own mean with its own interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.contrib.postgres.aggregates import ArrayAgg

from evaluation.uncertainty import mean_with_error
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Job, Run
from webapp.jobs.selectors import job_runs
from webapp.results.models import PackedScores, Score
from webapp.results.packing import unpack
from webapp.results.services import interval

POINTS = 40  # of a curve: what a plot can show
MOST = 8  # curves beside each other that an eye tells apart
FIRST: dict[str, int] = {Run.State.RUNNING: 0, Run.State.DONE: 1}


@dataclass(frozen=True)
class Point:
    """The mean over the first n samples. low, high: 95 % interval, None where n does not allow one."""

    n: int
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """total: samples that the run will have, where known."""

    run: int
    contender: str
    benchmark: str
    state: str
    total: int | None
    points: list[Point]

    @property
    def name(self) -> str:
        return f"{self.contender} on {self.benchmark}"


@dataclass(frozen=True)
class Curves:
    """Of a job's runs that have scores, those at work first; left_out: how many more there are."""

    curves: list[Curve]
    left_out: int = 0


def job_curves(job: Job) -> Curves:
    begun = [run for run in job_runs(job) if run.done]
    chosen = sorted(begun, key=lambda run: (FIRST.get(run.state, 2), -run.pk))[:MOST]
    return Curves(curves(sorted(chosen, key=lambda run: run.pk)), len(begun) - len(chosen))


def curves(runs: Sequence[Run]) -> list[Curve]:
    """In two queries, whatever the number of samples. A run without a whole sample has no curve."""
    means = _means(runs)
    return [
        Curve(run.pk, run.contender.name, run.version.benchmark.name, run.state, run.total, _points(means[run.pk]))
        for run in runs
        if means[run.pk].size
    ]


def _means(runs: Sequence[Run]) -> dict[int, np.ndarray]:
    """Mean score of each sample of which all attempts are there, in the order of the benchmark."""
    packed = PackedScores.objects.filter(run__in=[run.pk for run in runs if run.state == Run.State.DONE])
    kept = {one.run_id: unpack(one.dtype, bytes(one.values)).reshape(-1, one.attempts) for one in packed}
    under_way = {run.pk: attempts_of(run.settings) for run in runs if run.pk not in kept}
    order = ("index", "attempt")
    rows = Score.objects.filter(run__in=under_way).values("run")
    rows = rows.annotate(at=ArrayAgg("index", order_by=order), got=ArrayAgg("score", order_by=order))
    found = {row["run"]: _whole(np.array(row["at"]), np.array(row["got"]), under_way[row["run"]]) for row in rows}
    found |= {pk: scores[~np.isnan(scores).any(axis=1)].mean(axis=1) for pk, scores in kept.items()}
    return {run.pk: found.get(run.pk, np.empty(0)) for run in runs}


def _whole(index: np.ndarray, score: np.ndarray, attempts: int) -> np.ndarray:
    _, at, made = np.unique(index, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(at, score) / made)[made >= attempts])


def _points(values: np.ndarray) -> list[Point]:
    steps = np.unique(np.linspace(1, values.size, min(POINTS, values.size)).round().astype(int))
    return [_point(values[:n]) for n in steps.tolist()]


def _point(values: np.ndarray) -> Point:
    estimate = mean_with_error(values)
    return Point(values.size, estimate.value, *interval(values, estimate))
