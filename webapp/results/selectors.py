"""Reads of scores: tables of contenders x samples for analyses, pages of samples for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, IntegerField, QuerySet
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from psycopg.types.numeric import Int4

from evaluation.analyses import ANALYSES
from evaluation.errors import NotEnoughData
from evaluation.tables import BenchmarkTable, ScoreTable
from webapp.accounts.models import User
from webapp.accounts.selectors import Viewer, visible
from webapp.catalog.models import Sample
from webapp.catalog.selectors import benchmark_versions
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.jobs.selectors import still_there
from webapp.prepared import OneOf, Prepared
from webapp.results.cost_report import CostOfPassView
from webapp.results.figures import figures
from webapp.results.linear import LinearView
from webapp.results.models import PackedScores, Report, Score
from webapp.results.multiplicity import MultiplicityView
from webapp.results.packing import unpack
from webapp.results.quantization import QuantizationView, known_of
from webapp.results.spending_report import EstimateView, RoutingView, SearchView
from webapp.results.tournament import TournamentView

PAGE = 50
OTHERS = 50  # contenders beside one sample
LINKED = 40  # runs of a report
LISTED = ("run", "index", "attempt", "score", "answer", "tokens_in", "tokens_out", "cost_usd")
OUTCOMES = {"all": {}, "right": {"score__gte": 1.0}, "wrong": {"score__lt": 1.0}}


# How the page of an analysis draws its result: the name in the template's context, and what takes the stored result
# and the parameters. It names its `template`, and its `scripts` and `styles` where it has some. What is not here is
# drawn as plain tables.
DRAWN: dict[str, tuple[str, Callable[..., Any]]] = {
    "swiss": ("tournament", TournamentView),
    "multiplicity": ("multiplicity", MultiplicityView),
    "linear-multiplicity": ("audit", LinearView),
    "cost-of-pass": ("costs", CostOfPassView),
    "quantization": ("quantization", QuantizationView),
    "adaptive": ("spending", SearchView),
    "estimation": ("spending", EstimateView),
    "routing": ("spending", RoutingView),
}
# Pages that also tell what the runs of the report recorded: their view takes what `known_of` finds, too.
WITH_RUNS = {"quantization"}
MEANS = (
    "pk", "contender", "contender__name", "contender__version__entry__team__name", "version", "version__number",
    "version__benchmark__name", "version__benchmark__team__name", "version__higher_is_better", "mean",
    "standard_error", "done",
)  # fmt: skip


def reports(user: Viewer, search: str = "") -> QuerySet[Report]:
    """Newest first, without their results; what boards keep for themselves is read on the boards."""
    rows = visible(Report.objects.filter(leaderboard=None), user).select_related("team", "created_by")
    if search:
        rows = rows.filter(title__icontains=search)
    return rows.defer("result").order_by("-pk")


def report_address(report: Report) -> str:
    """Of its page, from the top: else a browser would keep the place of the form that asked for it."""
    return reverse("results:report", args=[report.pk]) + "#main"


def report_context(pk: int | None) -> dict[str, Any]:
    """What a report's page draws of it, wherever it is delivered: nothing in it depends on the viewer."""
    report = None if pk is None else Report.objects.select_related("team", "created_by").filter(pk=pk).first()
    if report is None:
        return {"report": None}
    context: dict[str, Any] = {"report": report, "analysis": ANALYSES.get(report.analysis), **_files(report.analysis)}
    context["linked"] = SimpleLazyObject(partial(_linked, report.inputs.get("runs", [])))  # for who draws them
    if report.state != Report.State.DONE:
        return context
    # Of an older version of the analysis only the plain numbers are sure to be understood.
    known = ANALYSES.get(report.analysis)
    if report.analysis in DRAWN and known and report.analysis_version == str(known.version):
        name, view = DRAWN[report.analysis]
        more = known_of(report.inputs["runs"]) if report.analysis in WITH_RUNS else ()
        drawn = view(report.result, report.parameters, *more)
        return {**context, name: drawn, "drawn": drawn}
    return {**context, "figures": figures(report.result or {})}


def _linked(runs: Sequence[int]) -> list[tuple[int, bool]]:
    """The first of a report's runs, and whether there is such a page: reports outlive what they stand on."""
    first = runs[:LINKED]
    there = still_there(first)
    return [(run, run in there) for run in first]


def _files(analysis: str) -> dict[str, tuple[str, ...]]:
    """What the page of an analysis loads beside the charts, before there is a result, too."""
    view = DRAWN[analysis][1] if analysis in DRAWN else None
    return {"scripts": getattr(view, "scripts", ()), "styles": getattr(view, "styles", ())}


def waiting_reports(limit: int) -> list[int]:
    """The ids of reports that are not computed yet, oldest first."""
    waiting = Report.objects.filter(state__in=[Report.State.QUEUED, Report.State.RUNNING])
    return list(waiting.order_by("pk").values_list("pk", flat=True)[:limit])


@dataclass(frozen=True)
class Means:
    """A table of means with the ids of its rows: the contenders' names in it are unique, their ids behind them."""

    table: BenchmarkTable
    contender_ids: list[int]


def means(run_ids: Sequence[int]) -> Means:
    """Contenders x benchmarks of finished runs, in one query; a pair without a run is a hole.

    Rows and columns follow the order of first appearance in `run_ids`. Raises NotEnoughData for a run that is gone or
    has no mean.
    """
    found = {run["pk"]: run for run in Run.objects.filter(pk__in=run_ids, state=Run.State.DONE).values(*MEANS)}
    gone = [pk for pk in run_ids if pk not in found]
    if gone or not found:
        raise NotEnoughData(f"Run {gone[0]} has no result." if gone else "There is no finished run.", field="runs")
    runs = [found[pk] for pk in run_ids]
    contenders = {run["contender"]: contender_labels(run) for run in runs}
    versions = {run["version"]: benchmark_labels(run) for run in runs}
    row, column = ({pk: at for at, pk in enumerate(ids)} for ids in (contenders, versions))
    shape = (len(contenders), len(versions))
    mean, error, n = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for run in runs:
        cell = row[run["contender"]], column[run["version"]]
        mean[cell], n[cell] = run["mean"], run["done"]
        error[cell] = np.nan if run["standard_error"] is None else run["standard_error"]
    directions = {run["version"]: run["version__higher_is_better"] for run in runs}
    table = BenchmarkTable(
        contenders=distinct(contenders.values()),
        benchmarks=distinct(versions.values()),
        mean=mean,
        standard_error=error,
        n=n,
        higher_is_better=tuple(directions[pk] for pk in versions),
    )
    return Means(table, list(contenders))


def contender_labels(run: Mapping[str, Any]) -> tuple[str, ...]:
    name = run["contender__name"]
    return name, f"{run['contender__version__entry__team__name']}/{name}"


def benchmark_labels(run: Mapping[str, Any]) -> tuple[str, ...]:
    name, number = run["version__benchmark__name"], run["version__number"]
    return name, f"{name} v{number}", f"{run['version__benchmark__team__name']}/{name} v{number}"


def distinct(labels: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """For each thing the first of its labels, short before long, that no other one has."""
    listed = list(labels)
    counts = [Counter(column) for column in zip(*listed, strict=True)]
    return tuple(
        next((label for label, count in zip(own, counts, strict=True) if count[label] == 1), own[-1]) for own in listed
    )


def packed_scores(runs: Sequence[Run]) -> dict[int, np.ndarray]:
    """Scores of each finished run, (sample index, attempt), NaN = hole: one query, one pass."""
    rows = PackedScores.objects.filter(run__in=[run.pk for run in runs])
    columns = rows.values_list("run", "dtype", "values", "attempts").iterator(chunk_size=500)
    return {pk: unpack(dtype, bytes(data)).reshape(-1, attempts) for pk, dtype, data, attempts in columns}


def score_table(runs: Sequence[Run]) -> ScoreTable:
    """Contenders x samples of all benchmarks of these finished runs; a pair without a run is a hole.

    A run with fewer attempts than another one has holes in the attempts that it did not make. Arrays follow the order
    of first appearance in `runs`. Raises NotEnoughData when a run has no scores.
    """
    packed = packed_scores(runs)
    missing = [run for run in runs if run.pk not in packed]
    if missing:
        raise NotEnoughData(f"Run {missing[0].pk} has no scores yet.", remedy="Wait until it is done.")
    contenders = list(dict.fromkeys(run.contender.name for run in runs))
    benchmarks = list(dict.fromkeys(str(run.version) for run in runs))
    size = {name: max(len(packed[r.pk]) for r in runs if str(r.version) == name) for name in benchmarks}
    start = dict(zip(benchmarks, np.cumsum([0, *[size[name] for name in benchmarks]]), strict=False))
    attempts = max(scores.shape[1] for scores in packed.values())
    values = np.full((len(contenders), sum(size.values()), attempts), np.nan)
    row_of = {name: i for i, name in enumerate(contenders)}
    for run in runs:
        scores, at = packed[run.pk], start[str(run.version)]
        values[row_of[run.contender.name], at : at + len(scores), : scores.shape[1]] = scores
    samples = tuple((name, index) for name in benchmarks for index in range(size[name]))
    higher = {str(run.version): run.version.higher_is_better for run in runs}
    directions = tuple(higher[name] for name in benchmarks)
    return ScoreTable(tuple(contenders), tuple(benchmarks), samples, values, directions)


@dataclass(frozen=True)
class SampleRow:
    """The attempts at a sample beside its question, as the sample browser shows them. score: the one that is shown."""

    score: Score
    sample: Sample | None
    attempts: tuple[Score, ...]

    @property
    def right(self) -> int:
        """How many attempts have the full score."""
        return sum(one.score >= 1.0 for one in self.attempts)

    @property
    def answers(self) -> list[tuple[str, int]]:
        """Each answer and how often it was given, the most frequent first."""
        return Counter(one.answer for one in self.attempts).most_common()

    @property
    def cost_usd(self) -> float | None:
        return _whole([one.cost_usd for one in self.attempts])

    @property
    def tokens_in(self) -> float | None:
        return _whole([one.tokens_in for one in self.attempts])

    @property
    def tokens_out(self) -> float | None:
        return _whole([one.tokens_out for one in self.attempts])


def _whole(parts: Sequence[float | None]) -> float | None:
    """The sum over attempts; None where one is not known."""
    return None if None in parts else sum(part for part in parts if part is not None)


def sample_page(
    run: Run, user: Viewer, *, outcome: str = "all", search: str = "", after: int = -1, size: int = PAGE
) -> tuple[list[SampleRow], int | None]:
    """Samples with index > after that have an attempt of this outcome, with all their attempts, and where the next page
    starts (None at the end); keyset, so any page costs the same. Two queries."""
    made: Iterable[Score]
    if search:
        made = _with_attempts(scores(run, user, outcome=outcome, search=search).filter(index__gt=after), run.pk, size)
    else:
        made = _page(outcome, size)(run.pk, after)
    rows: dict[int, list[Score]] = {}
    for score in made:
        rows.setdefault(score.index, []).append(score)
    following = list(rows)[size - 1] if len(rows) > size else None
    return beside_questions(run, user, list(rows.values())[:size]), following


@cache
def _page(outcome: str, size: int) -> Prepared[Score]:
    """Called with the run's id, and the index after which the page starts."""
    return Prepared(
        lambda run, after: _with_attempts(
            Score.objects.filter(run=run, index__gt=after, **OUTCOMES[outcome]), run, size
        ),
        10**9, Int4(10**9 + 1),
    )  # fmt: skip


def _with_attempts(found: QuerySet[Score], run: int, size: int) -> QuerySet[Score]:
    """All attempts at the first samples that are found, one more than `size`; of each what a list shows."""
    wanted = found.order_by("index").values("index").distinct()[: size + 1]
    return Score.objects.filter(_Among("index", wanted), run=run).order_by("index", "attempt").only(*LISTED)


class _Among(Func):
    """The column is one of few, which PostgreSQL looks up first. For IN it may read all scores of a long run."""

    template, arg_joiner = "%(expressions)s)", " = ANY("
    output_field = BooleanField()

    def __init__(self, name: str, few: QuerySet[Any, Any]) -> None:
        super().__init__(F(name), ArraySubquery(few))


def readable_questions(run: Run, user: Viewer) -> QuerySet[Sample]:
    """The questions behind a run. A run may be public where its benchmark is not: then there are none to read."""
    return Sample.objects.filter(version=run.version_id, version__in=benchmark_versions(user))


def scores(run: Run, user: Viewer, *, outcome: str = "all", search: str = "") -> QuerySet[Score]:
    """Scored samples of a run; a search looks only into questions that the person may read."""
    found = Score.objects.filter(run=run, **OUTCOMES[outcome])
    if search:
        readable = readable_questions(run, user).filter(prompt__icontains=search)
        found = found.filter(index__in=readable.values("index"))
    return found.order_by("index", "attempt")


def _asked(user: Viewer, version: int, indices: Sequence[int]) -> QuerySet[Sample]:
    readable = Sample.objects.filter(version=version, version__in=benchmark_versions(user))
    return readable.filter(OneOf("index", indices, IntegerField()))


_asked_of_person = Prepared(lambda user, version, indices: _asked(User(pk=user), version, indices), -1, -2, [-3])
_asked_in_public = Prepared(lambda version, indices: _asked(AnonymousUser(), version, indices), -2, [-3])


def questions(run: Run, user: Viewer, indices: Sequence[int]) -> dict[int, Sample]:
    asked = run.version_id, list(indices)
    found = _asked_of_person(user.pk, *asked) if user.is_authenticated else _asked_in_public(*asked)
    return {sample.index: sample for sample in found}


def beside_questions(run: Run, user: Viewer, samples: Sequence[Sequence[Score]], *, shown: int = 0) -> list[SampleRow]:
    """samples: the attempts at each. shown: which of them to show; the first where there are not so many."""
    readable = questions(run, user, [made[0].index for made in samples])
    return [
        SampleRow(
            next((one for one in made if one.attempt == shown), made[0]), readable.get(made[0].index), tuple(made)
        )
        for made in samples
    ]


def outcomes(run: Run) -> dict[str, int]:
    """How many samples have an attempt of each outcome; with several attempts a sample may have both.

    Of a finished run its packed scores tell, however long it is; of others the rows that are there by now.
    """
    for dtype, data, tries in _packed.rows(run.pk):
        packed = unpack(dtype, bytes(data)).reshape(-1, tries)
        found = {"all": ~np.isnan(packed), "right": packed >= 1.0, "wrong": packed < 1.0}
        return {name: int(attempts.any(axis=1).sum()) for name, attempts in found.items()}
    scores = Score.objects.filter(run=run)
    if attempts_of(run.settings) > 1:
        return {name: scores.filter(**wanted).values("index").distinct().count() for name, wanted in OUTCOMES.items()}
    total, right = scores.count(), scores.filter(**OUTCOMES["right"]).count()
    return {"all": total, "right": right, "wrong": total - right}


_packed = Prepared(lambda run: PackedScores.objects.filter(run=run).values_list("dtype", "values", "attempts"), 10**9)
_before = Prepared(
    lambda run, index: Score.objects.filter(run=run, index__lt=index).order_by("-index").values_list("index")[:1],
    10**9, Int4(10**9 + 1),
)  # fmt: skip
_after = Prepared(
    lambda run, index: Score.objects.filter(run=run, index__gt=index).order_by("index").values_list("index")[:1],
    10**9, Int4(10**9 + 1),
)  # fmt: skip


def neighbours(run: Run, index: int) -> tuple[int | None, int | None]:
    """Indices of the scored samples before and after this one, for the keyboard."""
    before, after = (next((row[0] for row in asked.rows(run.pk, index)), None) for asked in (_before, _after))
    return before, after


class Answered(NamedTuple):
    """What another contender answered first. run: its id."""

    run: int
    contender: str
    answer: str
    score: float


def same_sample(run: Run, index: int, others: QuerySet[Run]) -> tuple[list[Answered], int]:
    """What other finished runs of this benchmark version answered to the sample first, newest run per contender: the
    first OTHERS by the contender's name, and how many more there are."""
    finished = others.filter(version=run.version, state=Run.State.DONE, subset=None).exclude(pk=run.pk)
    newest = finished.order_by("contender", "-pk").distinct("contender")
    runs = sorted(newest.values_list("contender__name", "pk"))
    wanted = Score.objects.filter(run__in=[pk for _, pk in runs[:OTHERS]], index=index, attempt=0)
    rows = wanted.order_by("run__contender__name").values_list("run", "run__contender__name", "answer", "score")
    return [Answered(*row) for row in rows], len(runs[OTHERS:])
