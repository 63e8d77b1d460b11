"""Scores land here: batch by batch, fenced by the lease, packed when the run is complete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils import timezone

from evaluation.errors import NotEnoughData
from evaluation.records import Attempt, Question
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
def store_questions(*, run: Run, questions: Sequence[Question]) -> None:
    """The questions of one of lm-eval's own tasks, from the first worker that reads them; later ones find them there.

    A run of the whole benchmark also fixes how many samples it has; a trial with a limit, or a resumed one, does not.
    """
    if not questions:
        return
    version = BenchmarkVersion.objects.select_for_update().get(pk=run.version_id)
    rows = [
        Sample(
            version=version,
            index=question.sample,
            document=_plain(question.document),
            prompt=_storable(question.prompt),
            choices=list(question.choices),
            target=_storable(question.target),
            document_hash=question.document_hash,
            prompt_hash=question.prompt_hash,
            target_hash=question.target_hash,
        )
        for question in questions
    ]
    Sample.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
    if version.samples is None and run.settings["limit"] is None and run.done == 0:
        BenchmarkVersion.objects.filter(pk=version.pk).update(samples=len(rows))


def _plain(document: Mapping[str, Any]) -> Any:
    """A document as JSON that PostgreSQL takes: what is not text or number (a picture, a date) by its name."""
    text = json.dumps(dict(document), default=lambda value: type(value).__name__, ensure_ascii=False)
    return json.loads(_storable(text.replace("\\u0000", "\N{SYMBOL FOR NULL}")))
