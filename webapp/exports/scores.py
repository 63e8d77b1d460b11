"""Raw scores in the exchange format, with everything that a score and its sample hold: import(export(x)) = x.

A file tells each question with the first run that met it (`questions="once"`); a table for a notebook may want it in
every row ("every"), or nowhere ("none").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from evaluation.importing.cells import cells, parquet_schema, to_object, to_record
from evaluation.importing.rows import NAMES, Row, canonical
from webapp.catalog.models import Sample
from webapp.errors import Conflict
from webapp.exports.files import Encoding
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.results.models import Score

PAGE = 2000  # rows that are held at once
QUESTIONS = ("once", "every", "none")
ENCODING: Encoding[Row] = Encoding(NAMES, cells, to_object, to_record, parquet_schema)
KEY = ("index", "attempt")
VALUES = (
    "score", "answer", "output", "choice", "log_likelihoods", "tokens_in", "tokens_out", "tokens_cached", "seconds",
    "latency", "seconds_to_first", "cost_usd",
)  # fmt: skip
ASKED = ("prompt", "target", "choices", "subject", "document", "document_hash", "prompt_hash", "target_hash")


def pages(runs: Sequence[Run], questions: str = "once") -> Iterator[list[Row]]:
    """The scores of finished runs, run by run and in the order of their samples.

    runs: with their names, and those of a benchmark side by side.
    """
    for _, of_version in groupby(runs, key=attrgetter("version_id")):
        told: set[int] = set()
        for run in of_version:
            yield from _run_pages(run, questions, told)


def _run_pages(run: Run, questions: str, told: set[int]) -> Iterator[list[Row]]:
    """By key, so that any page of ten million rows costs the same; a finished run does not change meanwhile. It may be
    deleted: that raises Conflict, so that the transfer breaks off and no file passes for a whole one.

    told: samples whose questions were told by the runs before, which need not have asked all of them; it grows.
    """
    about = _about(run)
    last, came = (-1, 0), 0
    while found := _after(run, last):
        last, came = (found[-1]["index"], found[-1]["attempt"]), came + len(found)
        known = _questions(run, found, told, questions)
        yield [_row(about, score, known.get(score["index"], {})) for score in found]
    if came < run.done * attempts_of(run.settings):
        raise Conflict(f"Run {run.pk} was deleted while it was read.", remedy="Export again what is left.")


def _after(run: Run, last: tuple[int, int]) -> list[dict[str, Any]]:
    index, attempt = last
    rows = Score.objects.filter(run=run).order_by(*KEY).values(*KEY, *VALUES)
    rest = list(rows.filter(index=index, attempt__gt=attempt))
    return (rest + list(rows.filter(index__gt=index)[:PAGE]))[:PAGE] if index >= 0 else list(rows[:PAGE])


def _questions(run: Run, found: Sequence[dict[str, Any]], told: set[int], questions: str) -> dict[int, dict[str, Any]]:
    """By sample: the questions of a page that are to be told with it."""
    here = {score["index"] for score in found}
    asked = {"once": here - told, "every": here, "none": set[int]()}[questions]
    told |= asked
    if not asked:
        return {}
    rows = Sample.objects.filter(version=run.version_id, index__in=asked).values("index", *ASKED)
    return {row.pop("index"): {**row, **_plain(row)} for row in rows}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {"choices": tuple(row["choices"]), "document": canonical(row["document"]) if row["document"] else ""}


def _about(run: Run) -> dict[str, Any]:
    version, benchmark = run.contender.version, run.version
    settings = run.settings if run.subset is None else {**run.settings, "subset": run.subset}
    return {
        "entry": version.entry.name,
        "version": version.number,
        "scheme": run.contender.name.rpartition("@")[2],  # with its variant: another map is another contender
        "benchmark": benchmark.benchmark.name,
        "benchmark_version": benchmark.number,
        "benchmark_hash": benchmark.content_hash,
        "metric": benchmark.metric,
        "higher_is_better": benchmark.higher_is_better,
        "run": str(run.pk),
        "settings": canonical(settings),
    }


def _row(about: dict[str, Any], score: dict[str, Any], question: dict[str, Any]) -> Row:
    values = {name: score[name] for name in VALUES}
    values["log_likelihoods"] = tuple(score["log_likelihoods"])
    return Row(sample=score["index"], attempt=score["attempt"], **about, **values, **question)
