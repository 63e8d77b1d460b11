"""Scores land here: batch by batch, fenced by the lease, packed when the run is complete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Avg, Count, F

from evaluation.errors import NotEnoughData
from evaluation.importing.cells import storable, storable_json
from evaluation.pricing import UnitPrices
from evaluation.records import Attempt, Question
from evaluation.uncertainty import Estimate, mean_with_error, wilson_interval
from webapp.catalog.models import BenchmarkVersion, Sample
from webapp.jobs.estimates import attempts_of
from webapp.jobs.leases import Lease, database_now, keep, locked, progressed
from webapp.jobs.models import Run
from webapp.jobs.services import note, run_changed
from webapp.results.measured import provenance as provenance_of
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
    "tokens_cached",
    "seconds",
    "latency",
    "seconds_to_first",
    "cost_usd",
)


@transaction.atomic
def record_scores(*, lease: Lease, attempts: Sequence[Attempt], seconds: float) -> None:
    """Store finished attempts, what they cost and the progress they mean. Raises LeaseLost, writing nothing.

    A run's `done` counts samples all of whose attempts are made, and `score_sum` adds up the means of those. seconds:
    wall time of the engine since the previous batch.
    """
    run = locked(lease)
    costs = _costs(run, attempts)
    _copy(run, attempts, costs)
    samples, scores = _completed(run, attempts)
    begun = run.seconds is not None
    Run.objects.filter(pk=run.pk).update(
        done=F("done") + samples,
        score_sum=F("score_sum") + scores,
        seconds=(run.seconds or 0.0) + seconds,
        tokens_in=_plus(run.tokens_in, _sum([a.tokens_in for a in attempts]), begun=begun),
        tokens_out=_plus(run.tokens_out, _sum([a.tokens_out for a in attempts]), begun=begun),
        cost_usd=_plus(run.cost_usd, _sum(costs), begun=begun),
    )
    keep(lease)
    progressed(run)


def _costs(run: Run, attempts: Sequence[Attempt]) -> list[float | None]:
    """US dollars of each attempt at the run's unit prices; None without a price, or without a count that it needs."""
    if not run.unit_prices:
        return [None] * len(attempts)
    prices = UnitPrices.from_json(run.unit_prices)
    return [
        prices.cost(tokens_in=a.tokens_in, tokens_out=a.tokens_out, tokens_cached=a.tokens_cached, seconds=a.seconds)
        for a in attempts
    ]


def _completed(run: Run, attempts: Sequence[Attempt]) -> tuple[int, float]:
    """How many samples these attempts completed, and the sum of the mean scores of those."""
    wanted = attempts_of(run.settings)
    if wanted == 1:
        return len(attempts), sum(a.score for a in attempts)
    tried = Score.objects.filter(run=run, index__in={a.sample for a in attempts}).values("index")
    whole = tried.annotate(made=Count("attempt"), mean=Avg("score")).filter(made=wanted)
    means = whole.order_by().values_list("mean", flat=True)
    return len(means), sum(means)


def _sum(values: Sequence[Any]) -> Any:
    """The sum of counts or costs; one that is missing makes it missing."""
    return None if None in values else sum(values)


def _plus(old: Any, new: Any, *, begun: bool) -> Any:
    return None if new is None or (old is None and begun) else (old or 0) + new


def _copy(run: Run, attempts: Sequence[Attempt], costs: Sequence[float | None]) -> None:
    """COPY is several times faster than INSERT; the primary key refuses a sample that has a score."""
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    statement = f"COPY results_score ({columns}) FROM STDIN"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for a, cost in zip(attempts, costs, strict=True):
            copy.write_row(
                (
                    run.pk,
                    a.sample,
                    a.attempt,
                    a.score,
                    storable(a.answer),
                    storable(a.output),
                    a.choice,
                    list(a.log_likelihoods),
                    a.tokens_in,
                    a.tokens_out,
                    a.tokens_cached,
                    a.seconds,
                    a.latency,
                    a.seconds_to_first,
                    cost,
                )
            )


def finished_attempts(run: Run) -> frozenset[tuple[int, int]]:
    """(sample, attempt) of each score that is stored."""
    return frozenset(Score.objects.filter(run=run).values_list("index", "attempt"))


@transaction.atomic
def finish_run(*, lease: Lease, provenance: Mapping[str, Any], measured: Mapping[str, Any] | None = None) -> Run:
    """Every attempt has its score: pack them, fix mean and interval, close the run. Raises NotEnoughData otherwise.

    The mean is that of the samples' means over their attempts, and samples are what varies: attempts at one sample are
    not independent, so the standard error is that of the samples' means, which for equal numbers of attempts is the
    error clustered by sample. measured: what the worker measured of memory and energy.
    """
    run = locked(lease)
    values = _packed(run)
    if len(values) != run.total:
        raise NotEnoughData(f"{len(values)} of {run.total} samples have a score.", remedy="Retry goes on from there.")
    estimate = mean_with_error(values)
    run.mean, run.standard_error = estimate.value, estimate.standard_error
    run.low, run.high = interval(values, estimate)
    run.total = run.done = len(values)
    run.score_sum = float(values.sum())
    run.provenance = {**provenance, **({} if measured is None else provenance_of(run, measured))}
    run.state, run.finished_at, run.leased_until = Run.State.DONE, database_now(), None
    run.reason = f"All {run.done} samples are scored."
    run.save()
    note(run, run.state, run.reason)
    run_changed(run)
    return run


def _packed(run: Run) -> np.ndarray:
    """Mean score of each sample of which all attempts are there."""
    attempts = attempts_of(run.settings)
    scores = Score.objects.filter(run=run, attempt__lt=attempts).values_list("index", "attempt", "score")
    rows = np.array(list(scores), dtype=float).reshape(-1, 3)
    at = rows[:, :2].astype(int)
    values = np.full((int(at[:, 0].max(initial=-1)) + 1, attempts), np.nan)
    values[at[:, 0], at[:, 1]] = rows[:, 2]
    dtype, data = pack(values)
    PackedScores.objects.update_or_create(run=run, defaults={"dtype": dtype, "attempts": attempts, "values": data})
    whole = ~np.isnan(values).any(axis=1)
    return np.asarray(values[whole].mean(axis=1))


def interval(values: np.ndarray, estimate: Estimate) -> tuple[float | None, float | None]:
    """95 % interval: Wilson's for right/wrong, normal for graded scores, none for a single sample."""
    if np.isin(values, (0.0, 1.0)).all():
        share = wilson_interval(int(values.sum()), len(values))
        return share.low, share.high
    if estimate.standard_error is None:
        return None, None
    return estimate.value - 1.96 * estimate.standard_error, estimate.value + 1.96 * estimate.standard_error


@transaction.atomic
def store_questions(*, run: Run, questions: Sequence[Question]) -> None:
    """The questions of one of lm-eval's own tasks, from the first worker that reads them; later ones find them there.

    A run of the whole benchmark also fixes how many samples it has; a trial, a partial or a resumed one does not.
    """
    if not questions:
        return
    version = BenchmarkVersion.objects.select_for_update().get(pk=run.version_id)
    rows = [
        Sample(
            version=version,
            index=question.sample,
            document=_plain(question.document),
            prompt=storable(question.prompt),
            choices=[storable(choice) for choice in question.choices],
            target=storable(question.target),
            document_hash=question.document_hash,
            prompt_hash=question.prompt_hash,
            target_hash=question.target_hash,
        )
        for question in questions
    ]
    Sample.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
    if version.samples is None and run.settings["limit"] is None and run.done == 0 and not run.is_partial:
        BenchmarkVersion.objects.filter(pk=version.pk).update(samples=len(rows))


def _plain(document: Mapping[str, Any]) -> Any:
    """A document as JSON that PostgreSQL takes: what is not text or number (a picture, a date) by its name."""
    text = json.dumps(dict(document), default=lambda value: type(value).__name__, ensure_ascii=False)
    return json.loads(storable_json(text), parse_constant=str)  # NaN and infinity by their names
