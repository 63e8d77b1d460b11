"""The samples of a comparison: outcome patterns, filters and pages by arrays; only what is shown is read from rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Left, Length, Right

from evaluation.answers import probabilities_of
from evaluation.tables import Integers
from evaluation.uncertainty import Flags
from webapp.catalog.models import Sample
from webapp.results.compare import Subject, Table, matching
from webapp.results.compare_query import Query, key_of
from webapp.results.models import Score

PAGE = 50
CHUNK = 1_000  # samples read at a time for a download
PATTERNS = 16  # of at most 64 that are drawn; all of them are filters
LETTERS = "ABCDEF"


@dataclass(frozen=True)
class Tab:
    """A filter of the list, with how many samples it keeps."""

    key: str
    label: str
    count: int


@dataclass(frozen=True)
class Pattern:
    """A combination of right and wrong over the contenders. length: of its bar, the most frequent is 100."""

    key: str
    right: tuple[bool, ...]
    count: int
    share: float
    length: float


def masks(table: Table) -> dict[str, tuple[str, Flags]]:
    """Key -> (label, (sample,) flags) of every filter but the patterns."""
    right, scores, codes = table.right, table.scores, table.answers
    number = right.sum(axis=0)
    every = len(right)
    found = {
        "all": ("All", np.ones(right.shape[1], dtype=np.bool_)),
        "disagree": ("Disagree", scores.min(axis=0) != scores.max(axis=0)),
        "answers": ("Answers differ", np.asarray((codes != codes[0]).any(axis=0))),
        "all-right": ("All right", number == every),
        "all-wrong": ("All wrong", number == 0),
    }
    for row, letter in zip(right, LETTERS, strict=False):
        found[f"only-right-{letter}"] = (f"Only {letter} right", row & (number == 1))
        if every > 2:  # of two, only A wrong is only B right
            found[f"only-wrong-{letter}"] = (f"Only {letter} wrong", ~row & (number == every - 1))
    return found


def tabs(table: Table) -> list[Tab]:
    return [Tab(key, label, int(mask.sum())) for key, (label, mask) in masks(table).items()]


def patterns(table: Table) -> list[Pattern]:
    """Combinations that occur, most frequent first."""
    rows, n = table.right.shape
    weights = 1 << np.arange(rows)
    counts = np.bincount(weights @ table.right, minlength=1 << rows)
    order = [code for code in np.argsort(-counts, kind="stable").tolist() if counts[code]]
    most = counts.max()
    return [
        Pattern(
            key="pattern-" + "".join("1" if code >> row & 1 else "0" for row in range(rows)),
            right=tuple(bool(code >> row & 1) for row in range(rows)),
            count=int(counts[code]),
            share=float(counts[code] / n),
            length=round(100 * float(counts[code] / most), 2),
        )
        for code in order
    ]


def filtered(chosen: Subject, table: Table, query: Query) -> Integers:
    """Positions of the samples that the address asks for, in its order. An unknown filter keeps none back."""
    kept = _mask(table, query.filter)
    if query.q:
        kept = kept & matching(chosen, table, query.q)
    order = np.flatnonzero(kept)
    if query.sort == "index":
        return order
    right = table.right.sum(axis=0)[order]
    rank = np.abs(2 * right - len(table.right)) if query.sort == "split" else right
    return np.asarray(order[np.argsort(rank, kind="stable")])


def _mask(table: Table, key: str) -> Flags:
    bits = key.removeprefix("pattern-")
    if key.startswith("pattern-") and len(bits) == len(table.right) and set(bits) <= {"0", "1"}:
        wanted = np.array([bit == "1" for bit in bits])
        return np.asarray((table.right == wanted[:, None]).all(axis=0))
    found = masks(table)
    return found.get(key, found["all"])[1]


@dataclass(frozen=True)
class Cell:
    """A contender's answer to a sample; None where there is no row."""

    score: float
    answer: str


@dataclass(frozen=True)
class Row:
    """A sample in the list. prompt: its end, where prompts of one benchmark differ; "" where it may not be read."""

    version: int
    index: int
    benchmark: str
    subject: str
    prompt: str
    target: str
    cells: list[Cell | None]


@dataclass(frozen=True)
class Page:
    """rows: at most 50. number: of the first one among all that fit. before, after: keys for the pages around it."""

    rows: list[Row]
    total: int
    number: int
    before: str | None
    after: str | None

    @property
    def last(self) -> int:
        return self.number + len(self.rows) - 1


def page(chosen: Subject, table: Table, query: Query, size: int = PAGE) -> Page:
    """The page after a sample: it is found by its key, so that a page keeps its place. Two queries for its rows."""
    positions = filtered(chosen, table, query)
    start = _position(table, positions, query.after) + 1
    shown = positions[start : start + size]
    last = start + len(shown)
    before = None
    if start:
        back = max(0, start - size)
        before = _key(table, positions[back - 1]) if back else ""
    after = _key(table, shown[-1]) if last < len(positions) and len(shown) else None
    return Page(rows(chosen, table, shown), len(positions), start + 1, before, after)


def _key(table: Table, position: Any) -> str:
    return key_of(table.versions[int(table.place[position])].pk, int(table.index[position]))


def _position(table: Table, positions: Integers, key: str) -> int:
    """Of a sample in a list of positions; -1 when it is not there."""
    version, _, index = key.partition("-")
    place = next((at for at, each in enumerate(table.versions) if str(each.pk) == version), None)
    if place is None or not index.isdecimal():
        return -1
    hits = np.flatnonzero((table.place[positions] == place) & (table.index[positions] == int(index)))
    return int(hits[0]) if hits.size else -1


def rows(chosen: Subject, table: Table, positions: Sequence[int] | Integers) -> list[Row]:
    """The rows of these samples, in their order."""
    keys = [(table.versions[int(table.place[at])], int(table.index[at])) for at in positions]
    if not keys:
        return []
    by_version: dict[int, list[int]] = {}
    for version, index in keys:
        by_version.setdefault(version.pk, []).append(index)
    answers = _cells(table, by_version)
    questions = _questions(chosen, by_version)
    return [
        Row(
            version=version.pk,
            index=index,
            benchmark=str(version),
            subject=questions.get((version.pk, index), {}).get("subject", ""),
            prompt=_shortened(questions.get((version.pk, index))),
            target=questions.get((version.pk, index), {}).get("short_target", ""),
            cells=[answers.get((table.runs[pk, version.pk].pk, index)) for pk in table.contenders],
        )
        for version, index in keys
    ]


def _shortened(question: dict[str, Any] | None) -> str:
    if question is None:
        return ""
    return ("… " if question["long"] > 160 else "") + str(question["end"])


def _cells(table: Table, by_version: dict[int, list[int]]) -> dict[tuple[int, int], Cell]:
    found = _scores(table, by_version).annotate(short=Left("answer", 80))
    rows = found.values_list("run_id", "index", "score", "short")
    return {(run, index): Cell(score, text) for run, index, score, text in rows}


def _scores(table: Table, by_version: dict[int, list[int]]) -> QuerySet[Score]:
    """The first attempts of all contenders at these samples."""
    parts = [
        Q(run__in=[table.runs[pk, version].pk for pk in table.contenders], index__in=indices)
        for version, indices in by_version.items()
    ]
    return Score.objects.filter(reduce(or_, parts), attempt=0)


def _questions(chosen: Subject, by_version: dict[int, list[int]]) -> dict[tuple[int, int], dict[str, Any]]:
    wanted = reduce(or_, (Q(version=version, index__in=indices) for version, indices in by_version.items()))
    readable = Sample.objects.filter(wanted, version__in=chosen.readable).annotate(
        end=Right("prompt", 160), long=Length("prompt"), short_target=Left("target", 80)
    )
    columns = ("version_id", "index", "subject", "end", "long", "short_target")
    return {(row["version_id"], row["index"]): row for row in readable.values(*columns)}


@dataclass(frozen=True)
class Bar:
    """What a contender makes of one choice: log-likelihood in nats, its share among the choices, length of a bar."""

    value: float
    share: float
    chosen: bool

    @property
    def length(self) -> float:
        return round(100 * self.share, 2)


@dataclass(frozen=True)
class Choice:
    text: str
    right: bool
    bars: list[Bar | None]


def choices(sample: Sample | None, scores: Sequence[Score | None]) -> list[Choice]:
    """Each choice with what every contender made of it; empty where nothing is known of likelihoods."""
    if sample is None or not sample.choices:
        return []
    columns = [_bars(score, len(sample.choices)) for score in scores]
    if not any(columns):
        return []
    return [
        Choice(str(text), str(text) == sample.target, [column[at] if column else None for column in columns])
        for at, text in enumerate(sample.choices)
    ]


def _bars(score: Score | None, size: int) -> list[Bar]:
    if score is None or len(score.log_likelihoods) != size:
        return []
    shares = probabilities_of(np.array([score.log_likelihoods]))[0].tolist()
    pairs = enumerate(zip(score.log_likelihoods, shares, strict=True))
    return [Bar(value, share, at == score.choice) for at, (value, share) in pairs]


@dataclass(frozen=True)
class Neighbours:
    """A sample inside the filter: its number from 1 (0: it does not fit), of how many, and what is around it."""

    number: int
    total: int
    before: tuple[int, int] | None
    after: tuple[int, int] | None
    back: str


def neighbours(chosen: Subject, table: Table, query: Query, version: int, index: int) -> Neighbours:
    """back: the `after` of the list's page that holds the sample."""
    positions = filtered(chosen, table, query)
    at = _position(table, positions, key_of(version, index))

    def pair(position: int) -> tuple[int, int] | None:
        if not 0 <= position < len(positions):
            return None
        sample = positions[position]
        return table.versions[int(table.place[sample])].pk, int(table.index[sample])

    page_start = at - at % PAGE
    back = _key(table, positions[page_start - 1]) if at >= PAGE else ""
    before = pair(at - 1) if at > 0 else None
    return Neighbours(at + 1, len(positions), before, pair(at + 1) if at >= 0 else pair(0), back)


def full_rows(table: Table, version: int, index: int) -> list[Score | None]:
    """The whole scores of one sample, by contender."""
    runs = [table.runs[pk, version].pk for pk in table.contenders]
    found = {score.run_id: score for score in Score.objects.filter(run__in=runs, index=index, attempt=0)}
    return [found.get(run) for run in runs]


def exported(chosen: Subject, table: Table, query: Query) -> Iterator[list[Any]]:
    """A head, then a row per contender and sample of the filter; rows are read a thousand samples at a time."""
    yield ["contender", "sample", "answer", "correct", "score", "group"]
    positions = filtered(chosen, table, query)
    names = dict(zip(table.contenders, table.names, strict=True))
    for start in range(0, len(positions), CHUNK):
        yield from _exported(table, positions[start : start + CHUNK], names)


def _exported(table: Table, positions: Integers, names: dict[int, str]) -> Iterator[list[Any]]:
    keys = [(table.versions[int(table.place[at])], int(table.index[at])) for at in positions]
    by_version: dict[int, list[int]] = {}
    for version, index in keys:
        by_version.setdefault(version.pk, []).append(index)
    found = _scores(table, by_version).values_list("run_id", "index", "score", "answer")
    answers = {(run, index): (score, answer) for run, index, score, answer in found}
    for version, index in keys:
        for pk, name in names.items():
            score, answer = answers[table.runs[pk, version.pk].pk, index]
            yield [name, f"{version}:{index}", answer, int(score >= 1.0), score, str(version)]
