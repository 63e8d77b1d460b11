"""A version of a board as rows and columns, read once and shared by all of its views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan, nan
from typing import NamedTuple

import numpy as np
from django.db.models import Case, ExpressionWrapper, F, TextField, When
from psycopg.types.numeric import Int4

from evaluation.schemes import SCHEMES
from webapp.accounts.models import REMOVED
from webapp.catalog.models import Source, SuiteItem
from webapp.jobs.models import Run
from webapp.leaderboards.cells import STORED, Cell, Line
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard, Standing
from webapp.prepared import Prepared


class Facts(NamedTuple):
    """What of a standing is shown beside its cells, flat: 500 rows of five models each take as long as their cells."""

    contender_id: int
    name: str
    scheme: str
    position: int | None
    rank_low: int | None
    rank_high: int | None
    value: float | None
    error: float | None
    signed_off: int | None
    signed_hash: str
    version_id: int
    source: str
    parameters: int | None
    entry: str
    title: str
    tags: list[str]
    team: str


PATHS = (
    "contender_id", "contender__name", "contender__scheme", "position", "rank_low", "rank_high", "value", "error",
    "signed_off", "signed_hash", "contender__version_id", "contender__version__source",
    "contender__version__parameters", "contender__version__entry__name", "contender__version__entry__title",
    "contender__version__entry__tags", "contender__version__entry__team__name",
)  # fmt: skip


class Asked(NamedTuple):
    """What of a benchmark version its column shows, as flat."""

    pk: int
    name: str
    number: int
    kind: str
    metric: str
    higher_is_better: bool
    samples: int | None
    chance: float | None

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


ASKED = ("version_id", "version__benchmark__name", *(f"version__{name}" for name in Asked._fields[2:]))


@dataclass(frozen=True, eq=False)
class Column:
    """One benchmark of the suite, at its place in a row. `best`: the highest (or lowest) finished mean, for bold."""

    version: Asked
    best: float | None
    low: float | None
    high: float | None
    at: int = 0

    @property
    def name(self) -> str:
        return self.version.name

    @property
    def group(self) -> str:
        return self.version.kind

    def result(self, row: Row) -> float | None:
        """What a contender has finished here; a mean so far is no result."""
        return row.line.results[self.at]


@dataclass(frozen=True, eq=False)
class Row:
    standing: Facts
    line: Line

    @property
    def cells(self) -> Sequence[Cell]:
        return self.line.cells

    @property
    def name(self) -> str:
        return self.standing.name

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
        info = SCHEMES.get(self.standing.scheme)
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

    @property
    def imported(self) -> bool:
        """Whether its results came in a file: such an entry cannot be run, and nothing else is imported."""
        return self.standing.source == Source.IMPORTED


@dataclass(frozen=True)
class Table:
    """version: of the board, which holds all that was changed in it."""

    version: int
    columns: list[Column]
    rows: list[Row]
    tags: list[str]
    running: int
    queued: int

    @cached_property
    def quantised_versions(self) -> frozenset[int]:
        """Versions of entries that stand here under a scheme which changes their weights."""
        return frozenset(row.standing.version_id for row in self.rows if row.quantised)

    @property
    def incomparable(self) -> int:
        """Contenders with a result of another harness."""
        return sum(not row.comparable for row in self.rows)


def table(leaderboard: Leaderboard) -> Table:
    """Two queries, once per version and process. One version of each board is kept; of the next one only the cells
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
    for *facts, changed in _standings.rows(leaderboard.pk, since):
        one = Facts(*facts)
        rows.append(Row(one, known[one.contender_id] if changed is None else Line(STORED.decode(changed))))
    versions = [Asked(*version) for version in _versions.rows(leaderboard.suite_id)]
    states = [row.line.states for row in rows if not row.line.is_complete]
    return Table(
        version=leaderboard.version,
        columns=_columns(versions, [row.line.results for row in rows]),
        rows=rows,
        tags=sorted({tag for row in rows for tag in row.standing.tags}),
        running=sum(of_row.count(Run.State.RUNNING) for of_row in states),
        queued=sum(of_row.count(Run.State.QUEUED) for of_row in states),
    )


# The facts of a board's contenders in order, without those that are being deleted; and the JSON of their cells, null
# where they are as in version `since`: as the column is sent, for a cast would write all of it once more.
_standings = Prepared(
    lambda board, since: Standing.objects.filter(leaderboard=board)
    .exclude(contender__version__entry__visibility=REMOVED)
    .values_list(
        *PATHS, Case(When(changed_in__gt=since, then=ExpressionWrapper(F("cells"), output_field=TextField())))
    ),
    10**9, Int4(10**9 + 1),  # of the type that Django gives to the column's values
)  # fmt: skip
_versions = Prepared(
    lambda suite: SuiteItem.objects.filter(suite=suite).order_by("position").values_list(*ASKED), 10**9
)


def _columns(versions: Sequence[Asked], results: Sequence[Sequence[float | None]]) -> list[Column]:
    # A row of holes first: a column of nothing else has neither a lowest nor a highest.
    found = np.array([[nan] * len(versions), *results], dtype=float)
    ends = zip(_numbers(np.fmin.reduce(found)), _numbers(np.fmax.reduce(found)), strict=True)
    return [
        Column(version, high if version.higher_is_better else low, low, high, at)
        for at, (version, (low, high)) in enumerate(zip(versions, ends, strict=True))
    ]


def _numbers(values: np.ndarray) -> Iterable[float | None]:
    return (None if isnan(value) else value for value in values.tolist())
