"""Scores land here: batch by batch, fenced by the lease, packed when the run is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone

from evaluation.errors import NotEnoughData
from evaluation.records import Attempt
from evaluation.uncertainty import Estimate, mean_with_error, wilson_interval
from webapp.catalog.models import BenchmarkVersion, Sample
from webapp.jobs.leases import Lease, keep, locked, progressed
from webapp.jobs.models import Run
from webapp.jobs.services import note, run_changed
from webapp.results.models import PackedScores, Score
from webapp.results.packing import pack

COLUMNS = (
    "run_id",
    "index",
    "attempt",
    "score",
    "answer",
    "output",
    "choice",
    "log_likelihoods",
    "tokens_in",
    "tokens_out",
    "seconds",
)


@transaction.atomic
def record_scores(*, lease: Lease, attempts: Sequence[Attempt], seconds: float) -> None:
    """Store finished attempts and the progress they mean, in one transaction. Raises LeaseLost, writing nothing.

    seconds: wall time of the engine since the previous batch.
    """
    run = locked(lease)
    _copy(run, attempts)
    spent_in, spent_out = _sum(a.tokens_in for a in attempts), _sum(a.tokens_out for a in attempts)
    Run.objects.filter(pk=run.pk).update(
        done=F("done") + len(attempts),
        score_sum=F("score_sum") + sum(a.score for a in attempts),
        seconds=(run.seconds or 0.0) + seconds,
        tokens_in=_plus(run.tokens_in, spent_in, run.done),
        tokens_out=_plus(run.tokens_out, spent_out, run.done),
    )
    keep(lease)
    progressed(run)


def _sum(counts: Any) -> int | None:
    """Sum of token counts; one missing count makes the sum missing."""
    values = list(counts)
    return None if any(value is None for value in values) else sum(values)


def _plus(old: int | None, new: int | None, done: int) -> int | None:
    return None if new is None or (old is None and done) else (old or 0) + new


def _copy(run: Run, attempts: Sequence[Attempt]) -> None:
    """COPY is several times faster than INSERT; the primary key refuses a sample that has a score."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    statement = f"COPY results_score ({columns}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for a in attempts:
            copy.write_row(
                (
                    run.pk,
                    a.sample,
                    a.attempt,
                    a.score,
                    _storable(a.answer),
                    _storable(a.output),
                    a.choice,
                    list(a.log_likelihoods),
                    a.tokens_in,
                    a.tokens_out,
                    a.seconds,
                )
            )


def _storable(text: str) -> str:
    """PostgreSQL's text has no NUL and no half of a surrogate pair; a model may print both."""
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()


def finished_samples(run: Run) -> frozenset[int]:
    return frozenset(Score.objects.filter(run=run).values_list("index", flat=True))


@transaction.atomic
def finish_run(*, lease: Lease, provenance: Mapping[str, Any]) -> Run:
    """Every sample has its score: pack them, fix mean and interval, close the run. Raises NotEnoughData otherwise."""
    run = locked(lease)
    values = _packed(run)
    if len(values) != run.total:
        raise NotEnoughData(f"{len(values)} of {run.total} samples have a score.", remedy="Retry goes on from there.")
    estimate = mean_with_error(values)
    run.mean, run.standard_error = estimate.value, estimate.standard_error
    run.low, run.high = interval(values, estimate)
    run.total = run.done = len(values)
    totals = Score.objects.filter(run=run).aggregate(score=Sum("score"))
    run.score_sum = float(totals["score"] or 0.0)
    run.provenance = dict(provenance)
    run.state, run.finished_at, run.leased_until = Run.State.DONE, timezone.now(), None
    run.reason = f"All {run.done} samples are scored."
    run.save()
    note(run, run.state, run.reason)
    run_changed(run)
    return run


def _packed(run: Run) -> np.ndarray:
    scores = Score.objects.filter(run=run, attempt=0).order_by("index").values_list("index", "score")
    rows = np.array(list(scores), dtype=float).reshape(-1, 2)
    size = int(rows[-1, 0]) + 1 if len(rows) else 0
    values = np.full(size, np.nan)
    values[rows[:, 0].astype(int)] = rows[:, 1]
    dtype, data = pack(values)
    PackedScores.objects.update_or_create(run=run, defaults={"dtype": dtype, "values": data})
    return rows[:, 1]


def interval(values: np.ndarray, estimate: Estimate) -> tuple[float | None, float | None]:
    """95 % interval: Wilson's for right/wrong, normal for graded scores, none for a single sample."""
    if np.isin(values, (0.0, 1.0)).all():
        share = wilson_interval(int(values.sum()), len(values))
        return share.low, share.high
    if estimate.standard_error is None:
        return None, None
    return estimate.value - 1.96 * estimate.standard_error, estimate.value + 1.96 * estimate.standard_error


@transaction.atomic
def read_harness_samples(*, version: BenchmarkVersion, samples: Sequence[Sample], metric: str) -> None:
    """The first worker that reads one of lm-eval's own tasks stores its questions; later ones find them there."""
    locked_version = BenchmarkVersion.objects.select_for_update().get(pk=version.pk)
    if locked_version.samples is None:
        Sample.objects.bulk_create(samples, batch_size=2000)
        BenchmarkVersion.objects.filter(pk=version.pk).update(samples=len(samples), metric=metric)
