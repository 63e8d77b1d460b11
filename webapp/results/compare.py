"""Reads of a comparison: which runs stand side by side, and their scores and answers as arrays over shared samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from evaluation.side_by_side import Group, SideBySide, breakdown, side_by_side
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import Flags
from webapp.accounts.selectors import Viewer
from webapp.catalog.models import BenchmarkVersion, Contender, Sample, Suite
from webapp.catalog.selectors import benchmark_versions, suites
from webapp.jobs.models import Run
from webapp.jobs.selectors import runs as visible_runs
from webapp.jobs.selectors import usual
from webapp.results.compare_query import Query
from webapp.results.selectors import distinct, packed_scores

# Answers are compared by a hash of their text without the blanks around it: 8 bytes each, packed by the database.
ANSWERS = r"""
    SELECT run_id,
           string_agg(int4send(index), ''::bytea ORDER BY index),
           string_agg(int8send(hashtextextended(btrim(answer, E' \t\n\r\f\v'), 0)), ''::bytea ORDER BY index)
    FROM results_score WHERE run_id = ANY(%s) AND attempt = 0 GROUP BY run_id
"""
SUBJECTS = """
    SELECT version_id, subject, string_agg(int4send(index), ''::bytea ORDER BY index)
    FROM catalog_sample WHERE version_id = ANY(%s) AND subject <> '' GROUP BY version_id, subject
    ORDER BY version_id, subject
"""


@dataclass(frozen=True)
class Subject:
    """What is compared on: a suite's benchmark versions, or one. readable: ids of those whose questions may be read."""

    suite: Suite | None
    versions: list[BenchmarkVersion]
    readable: frozenset[int]

    @property
    def title(self) -> str:
        return str(self.suite.title or self.suite) if self.suite else str(self.versions[0])

    @property
    def mixed(self) -> bool:
        """Benchmarks of both directions have no common mean."""
        return len({version.higher_is_better for version in self.versions}) > 1


def subject(user: Viewer, query: Query) -> Subject | None:
    """The suite or benchmark of an address; None when there is none that the person may see."""
    if query.suite is not None:
        suite = suites(user).filter(pk=query.suite).first()
        if suite is None:
            return None
        versions = [item.version for item in suite.items.all()]
        readable = benchmark_versions(user).filter(pk__in=[version.pk for version in versions])
        return Subject(suite, versions, frozenset(readable.values_list("pk", flat=True)))
    found = benchmark_versions(user).filter(pk=query.benchmark).first() if query.benchmark else None
    return Subject(None, [found], frozenset({found.pk})) if found else None


def full_runs(user: Viewer, versions: Sequence[BenchmarkVersion]) -> QuerySet[Run]:
    """The newest finished run of the whole of each version by each contender, of those the person may see."""
    found = usual(visible_runs(user).filter(version__in=versions, state=Run.State.DONE))
    return found.order_by("contender_id", "version_id", "-pk").distinct("contender_id", "version_id")


@dataclass(frozen=True)
class Option:
    """A contender that can be chosen. mean: over all samples of its runs; benchmarks: how many of them it finished."""

    pk: int
    name: str
    mean: float
    benchmarks: int


def options(user: Viewer, chosen: Subject) -> list[Option]:
    """Every contender with a finished run, complete ones first, best first."""
    columns = ("contender_id", "contender__name", "contender__version__entry__team__name", "done", "score_sum")
    names: dict[int, tuple[str, str]] = {}
    sums: dict[int, list[float]] = {}
    for pk, name, team, done, score in full_runs(user, chosen.versions).values_list(*columns):
        names[pk] = (name, f"{team}/{name}")
        row = sums.setdefault(pk, [0.0, 0.0, 0.0])
        row[0], row[1], row[2] = row[0] + done, row[1] + score, row[2] + 1
    short = dict(zip(names, distinct(names.values()), strict=True)) if names else {}
    found = [Option(pk, short[pk], score / max(done, 1), int(size)) for pk, (done, score, size) in sums.items()]
    sign = -1 if chosen.versions and chosen.versions[0].higher_is_better else 1
    return sorted(found, key=lambda option: (-option.benchmarks, sign * option.mean, option.name))


@dataclass(frozen=True, eq=False)
class Table:
    """What was answered to the samples that all contenders share.

    names: (contender,). runs: by (contender's id, version's id). place: (sample,) its version's position in `versions`;
    index: (sample,) its number there. scores: (contender, sample), means over attempts. answers: same shape, of the
    first attempt; equal answers are equal numbers.
    left_out: sentences about what could not be compared.
    """

    contenders: tuple[int, ...]
    names: tuple[str, ...]
    runs: dict[tuple[int, int], Run]
    versions: list[BenchmarkVersion]
    place: Integers
    index: Integers
    scores: Floats
    answers: Integers
    left_out: list[str]

    @property
    def sign(self) -> float:
        return 1.0 if self.versions[0].higher_is_better else -1.0

    @cached_property
    def right(self) -> Flags:
        """(contender, sample): full score."""
        return np.asarray(self.scores >= 1.0)

    def compared(self, query: Query) -> SideBySide:
        baseline = self.contenders.index(query.baseline) if query.baseline in self.contenders else None
        return side_by_side(self.sign * self.scores, self.answers, baseline=baseline, margin=query.margin / 100)

    def broken_down(self, groups: Integers, reference: int) -> list[Group]:
        return breakdown(self.sign * self.scores, groups, reference)


def table(user: Viewer, chosen: Subject, contenders: Sequence[int]) -> Table | str:
    """The contenders' answers, or why they cannot be compared. Three queries, whatever the number of samples."""
    found = {
        (run.contender_id, run.version_id): run
        for run in full_runs(user, chosen.versions).filter(contender__in=contenders)
    }
    by_id = {run.contender_id: run.contender for run in found.values()}
    absent = [pk for pk in contenders if pk not in by_id]
    if absent:
        which = ", ".join(map(str, absent))
        return f"There is no finished run of contender {which} on {chosen.title} that you may see."
    labels = [_labels(by_id[pk]) for pk in contenders]
    names = distinct(labels)
    shared = [v for v in chosen.versions if all((pk, v.pk) in found for pk in contenders)]
    left_out = [
        f"{version} is left out: no finished run of {_who(names, contenders, found, version.pk)}."
        for version in chosen.versions
        if version not in shared
    ]
    if not shared:
        return " ".join(left_out)
    parts = _parts(found, shared, contenders, names, left_out)
    if not sum(len(part[0]) for part in parts):
        return "No sample was answered by all of them."
    index, scores, answers = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
    place = np.repeat(np.arange(len(shared)), [len(part[0]) for part in parts])
    return Table(tuple(contenders), names, found, shared, place, index, scores, answers, left_out)


def _labels(contender: Contender) -> tuple[str, ...]:
    name = contender.name
    return name, f"{contender.version.entry.team.name}/{name}", f"{name} #{contender.pk}"


def _who(names: Sequence[str], contenders: Sequence[int], found: dict[tuple[int, int], Run], version: int) -> str:
    return ", ".join(name for name, pk in zip(names, contenders, strict=True) if (pk, version) not in found)


def _parts(
    found: dict[tuple[int, int], Run],
    versions: Sequence[BenchmarkVersion],
    contenders: Sequence[int],
    names: Sequence[str],
    left_out: list[str],
) -> list[tuple[Integers, Floats, Integers]]:
    """Index, scores and answers of each version's shared samples; says in left_out how many were dropped."""
    wanted = [found[pk, version.pk] for version in versions for pk in contenders]
    packed, hashes = packed_scores(wanted), _answers([run.pk for run in wanted])
    parts = []
    for version in versions:
        runs = [found[pk, version.pk] for pk in contenders]
        size = max(len(packed[run.pk]) for run in runs)
        scores, answers = np.full((len(runs), size), np.nan), np.zeros((len(runs), size), dtype=np.int64)
        for row, run in enumerate(runs):
            scores[row, : len(packed[run.pk])] = _over_attempts(packed[run.pk])
            at, codes = hashes[run.pk]
            answers[row, at] = codes
        holes = np.isnan(scores)
        whole, asked = ~holes.any(axis=0), ~holes.all(axis=0)
        if dropped := int((asked & ~whole).sum()):
            lacking = [name for name, row in zip(names, holes[:, asked], strict=True) if row.any()]
            left_out.append(f"{dropped:,} samples of {version} left out: not answered by {', '.join(lacking)}.")
        parts.append((np.flatnonzero(whole), scores[:, whole], answers[:, whole]))
    return parts


def _over_attempts(scores: Floats) -> Floats:
    """(sample,) means over the attempts that were made at it, NaN where there was none."""
    tries = scores.reshape(len(scores), -1)
    made = ~np.isnan(tries)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(made, tries, 0.0).sum(axis=1) / made.sum(axis=1))


def _answers(runs: list[int]) -> dict[int, tuple[Integers, Integers]]:
    """Run id -> (index of each scored sample, hash of its answer)."""
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, [runs])
        return {pk: (_integers(index, ">i4"), _integers(codes, ">i8")) for pk, index, codes in cursor.fetchall()}


def _integers(data: Any, dtype: str) -> Integers:
    return np.frombuffer(bytes(data), dtype=dtype).astype(np.int64)


def groups(chosen: Subject, made: Table) -> tuple[str, list[str], Integers] | None:
    """What a breakdown goes by: its kind, the groups' names, and each sample's group; None where there is one only."""
    if len(made.versions) > 1:
        return "benchmark", [str(version) for version in made.versions], made.place
    version = made.versions[0]
    if version.pk not in chosen.readable:
        return None
    with connection.cursor() as cursor:
        cursor.execute(SUBJECTS, [[version.pk]])
        rows = cursor.fetchall()
    named = np.full(int(made.index.max()) + 1, -1)
    for number, (_, _, index) in enumerate(rows):
        at = _integers(index, ">i4")
        named[at[at < named.size]] = number
    numbers, of_sample = np.unique(named[made.index], return_inverse=True)
    names = ["no subject" if number < 0 else rows[number][1] for number in numbers.tolist()]
    return ("subject", names, of_sample) if len(names) > 1 else None


def matching(chosen: Subject, made: Table, text: str) -> Flags:
    """(sample,) whose prompt contains the text, of those the person may read; found by the database."""
    readable = [version.pk for version in made.versions if version.pk in chosen.readable]
    rows = Sample.objects.filter(version__in=readable, prompt__icontains=text).values_list("version_id", "index")
    order = {version.pk: at for at, version in enumerate(made.versions)}
    wanted = np.array([(order[version], index) for version, index in rows], dtype=np.int64).reshape(-1, 2)
    size = int(made.index.max()) + 1
    inside = wanted[wanted[:, 1] < size]
    return np.isin(made.place * size + made.index, inside[:, 0] * size + inside[:, 1])
