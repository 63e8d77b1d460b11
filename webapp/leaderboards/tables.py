"""A version of a board as rows and columns, read once and shared by all of its views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evaluation.schemes import SCHEMES
from webapp.catalog.models import BenchmarkVersion
from webapp.catalog.selectors import suite_versions
from webapp.jobs.models import Run
from webapp.leaderboards.cells import MEAN, OTHER, STATE, Cell, fingerprint
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard, Standing

DONE = Run.State.DONE


@dataclass(frozen=True)
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
        cell = row.cells[self.at]
        return cell.mean if cell.complete else None


@dataclass(frozen=True)
class Row:
    standing: Standing

    @cached_property
    def cells(self) -> list[Cell]:
        return [Cell(*cell) for cell in self.standing.cells]

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

    @cached_property
    def complete(self) -> int:
        """How many benchmarks are done."""
        return sum(cell[STATE] == DONE for cell in self.standing.cells)

    @cached_property
    def score(self) -> float | None:
        """The mean over the benchmarks, where all are done: of fewer it would be another quantity."""
        if not self.standing.cells or self.complete < len(self.standing.cells):
            return None
        return float(sum(cell[MEAN] for cell in self.standing.cells) / self.complete)

    @cached_property
    def comparable(self) -> bool:
        return not any(cell[OTHER] for cell in self.standing.cells if len(cell) > OTHER)

    @property
    def family(self) -> str:
        """Of the scheme: "reference" for unquantised weights; empty for a scheme that is not known here."""
        info = SCHEMES.get(self.standing.contender.scheme)
        return info.family if info else ""

    @cached_property
    def sign_off(self) -> str:
        """ "current" while the cells are the ones that a published review covers, "stale" after; else empty."""
        if self.standing.signed_off is None:
            return ""
        return "current" if fingerprint(self.standing.cells) == self.standing.signed_hash else "stale"

    @property
    def quantised(self) -> bool:
        return self.family not in {"", "reference"}


@dataclass(frozen=True)
class Table:
    """imported: ids of the runs whose results came in a file."""

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
    """Three queries, once per version and process: 500 x 100 cells are 2.5 MB of JSON. One version of each is kept."""
    key, version = (leaderboard.pk, leaderboard.created_at), leaderboard.version
    kept, found = _tables.get(key, lambda: (version, _read(leaderboard)))
    if kept != version:
        _tables.forget(key)
        return _tables.get(key, lambda: (version, _read(leaderboard)))[1]
    return found


_tables: Memory[tuple[int, Table]] = Memory(most=8)


def _read(leaderboard: Leaderboard) -> Table:
    standings = list(leaderboard.standings.select_related("contender__version__entry__team"))
    for one in standings:
        one.cells = list(map(tuple, one.cells))  # of tuples of numbers the garbage collector keeps no account
    versions = suite_versions(leaderboard.suite)
    by_column: Sequence[Sequence[Any]] = list(zip(*(one.cells for one in standings), strict=True))
    states = [cell[STATE] for column in by_column for cell in column]
    return Table(
        columns=[_column(version, by_column[at] if by_column else [], at) for at, version in enumerate(versions)],
        rows=[Row(one) for one in standings],
        tags=sorted({tag for one in standings for tag in one.contender.version.entry.tags}),
        running=states.count(Run.State.RUNNING),
        queued=states.count(Run.State.QUEUED),
        imported=_imported(leaderboard, versions),
    )


def _imported(leaderboard: Leaderboard, versions: Sequence[BenchmarkVersion]) -> frozenset[int]:
    runs = Run.objects.filter(team=leaderboard.team_id, version__in=versions, origin=Run.Origin.IMPORTED)
    return frozenset(runs.values_list("pk", flat=True))


def _column(version: BenchmarkVersion, cells: Sequence[Sequence[Any]], at: int) -> Column:
    means = [cell[MEAN] for cell in cells if cell[STATE] == DONE and cell[MEAN] is not None]
    if not means:
        return Column(version, None, None, None, at)
    return Column(version, (max if version.higher_is_better else min)(means), min(means), max(means), at)
