"""A version of a board as rows and columns, read once and shared by all of its views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan

import numpy as np
from django.db.models import Case, QuerySet, TextField, When
from django.db.models.functions import Cast

from evaluation.schemes import SCHEMES
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import suite_versions
from webapp.jobs.models import Run
from webapp.leaderboards.cells import STORED, Cell, Line
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard, Standing

# What of a row is shown: a board of 500 contenders reads nothing else of them, and a team once.
CONTENDER = ("", "__version", "__version__entry", "__version__entry__team")
FACTS = (
    "leaderboard", "position", "rank_low", "rank_high", "value", "error", "signed_off", "signed_hash",
    "contender__name", "contender__scheme", "contender__version__number", "contender__version__parameters",
    "contender__version__entry__name", "contender__version__entry__title", "contender__version__entry__tags",
    "contender__version__entry__team__name", *(f"contender{part}" for part in CONTENDER),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Column:
    """One benchmark of the suite, at its place in a row. `best`: the highest (or lowest) finished mean, for bold."""

    version: BenchmarkVersion
    best: float | None
    low: float | None
    high: float | None
    at: int = 0

    @property
    def name(self) -> str:
        return self.version.benchmark.name

    @property
    def group(self) -> str:
        return self.version.kind

    def result(self, row: Row) -> float | None:
        """What a contender has finished here; a mean so far is no result."""
        return row.line.results[self.at]


@dataclass(frozen=True, eq=False)
class Row:
    """standing: its cells are not read with it, but are the line's."""

    standing: Standing
    line: Line

    @property
    def cells(self) -> list[Cell]:
        return self.line.cells

    @property
    def name(self) -> str:
        return self.standing.contender.name

    @property
    def rank(self) -> str:
        """A place, or the interval of places that the data allow."""
        low, high = self.standing.rank_low, self.standing.rank_high
        if low is None:
            return ""
        return str(low) if low == high else f"{low}–{high}"

    @property
    def complete(self) -> int:
        """How many benchmarks are done."""
        return self.line.done

    @cached_property
    def score(self) -> float | None:
        """The mean over the benchmarks, where all are done: of fewer it would be another quantity."""
        if not self.line.is_complete:
            return None
        return float(sum(mean for mean in self.line.results if mean is not None) / self.line.done)

    @property
    def comparable(self) -> bool:
        return self.line.comparable

    @property
    def family(self) -> str:
        """Of the scheme: "reference" for unquantised weights; empty for a scheme that is not known here."""
        info = SCHEMES.get(self.standing.contender.scheme)
        return info.family if info else ""

    @property
    def sign_off(self) -> str:
        """ "current" while the cells are the ones that a published review covers, "stale" after; else empty."""
        if self.standing.signed_off is None:
            return ""
        return "current" if self.line.fingerprint == self.standing.signed_hash else "stale"

    @property
    def quantised(self) -> bool:
        return self.family not in {"", "reference"}


@dataclass(frozen=True)
class Table:
    """version: of the board, which holds all that was changed in it. imported: ids of the runs that came in a file."""

    version: int
    columns: list[Column]
    rows: list[Row]
    tags: list[str]
    running: int
    queued: int
    imported: frozenset[int]

    @cached_property
    def quantised_versions(self) -> frozenset[int]:
        """Versions of entries that stand here under a scheme which changes their weights."""
        return frozenset(row.standing.contender.version_id for row in self.rows if row.quantised)

    @property
    def incomparable(self) -> int:
        """Contenders with a result of another harness."""
        return sum(not row.comparable for row in self.rows)


def table(leaderboard: Leaderboard) -> Table:
    """Three queries, once per version and process. One version of each board is kept; of the next one only the cells
    of changed rows are read: all of them are 2.5 MB at 500 x 100."""
    key = (leaderboard.pk, leaderboard.created_at)
    kept = _tables.get(key, lambda: _read(leaderboard, -1, {}))
    if kept.version == leaderboard.version:
        return kept
    known = {row.standing.contender_id: row.line for row in kept.rows}
    _tables.forget(key)
    return _tables.get(key, lambda: _read(leaderboard, kept.version, known))


_tables: Memory[Table] = Memory(most=8)


def _read(leaderboard: Leaderboard, since: int, known: Mapping[int, Line]) -> Table:
    """known: lines by contender as they were in the version `since`."""
    rows = []
    for one in _standings(leaderboard, since):
        changed: str | None = one.changed  # type: ignore[attr-defined]
        rows.append(Row(one, known[one.contender_id] if changed is None else Line(STORED.decode(changed))))
    versions = suite_versions(leaderboard.suite)
    states = [row.line.states for row in rows]
    return Table(
        version=leaderboard.version,
        columns=_columns(versions, [row.line.results for row in rows]),
        rows=rows,
        tags=sorted({tag for row in rows for tag in row.standing.contender.version.entry.tags}),
        running=sum(of_row.count(Run.State.RUNNING) for of_row in states),
        queued=sum(of_row.count(Run.State.QUEUED) for of_row in states),
        imported=_imported(leaderboard, versions),
    )


def _standings(leaderboard: Leaderboard, since: int) -> QuerySet[Standing]:
    """In order; `changed`: the JSON of their cells, None where they are as they were in the version `since`."""
    rows = leaderboard.standings.select_related("contender__version__entry__team").only(*FACTS)
    return rows.annotate(changed=Case(When(changed_in__gt=since, then=Cast("cells", TextField()))))


def _imported(leaderboard: Leaderboard, versions: Sequence[BenchmarkVersion]) -> frozenset[int]:
    runs = Run.objects.filter(team=leaderboard.team_id, version__in=versions, origin=Run.Origin.IMPORTED)
    return frozenset(runs.values_list("pk", flat=True))


def _columns(versions: Sequence[BenchmarkVersion], results: Sequence[Sequence[float | None]]) -> list[Column]:
    # A row of holes first: a column of nothing else has neither a lowest nor a highest.
    found = np.array([[nan] * len(versions), *results], dtype=float)
    ends = zip(_numbers(np.fmin.reduce(found)), _numbers(np.fmax.reduce(found)), strict=True)
    return [
        Column(version, high if version.higher_is_better else low, low, high, at)
        for at, (version, (low, high)) in enumerate(zip(versions, ends, strict=True))
    ]


def _numbers(values: np.ndarray) -> Iterable[float | None]:
    return (None if isnan(value) else value for value in values.tolist())
