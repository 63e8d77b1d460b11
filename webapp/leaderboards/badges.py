"""What stands beside a contender's name in a few words, each a fact that the database holds.

A badge never speaks by colour alone: it has a sign, a word, and a sentence that the legend repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet, Value

from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.tables import Row, Table
from webapp.prepared import Prepared


@dataclass(frozen=True)
class Badge:
    """icon: read by eyes only; text: the word beside it; about: a sentence for the legend and the tooltip."""

    key: str
    icon: str
    text: str
    about: str


BADGES: Mapping[str, Badge] = {
    badge.key: badge
    for badge in (
        Badge("reference", "⚓", "reference", "Unquantised weights of an entry that stands here quantised, too."),
        Badge("quantised", "◆", "quantised", "The weights are stored in fewer bits than those of the reference."),
        Badge("imported", "⇥", "imported", "Some of these results came in a file and were not measured here."),
        Badge("partial", "◔", "partial", "A benchmark of the suite has no result yet, so there is no rank."),
        Badge("other-harness", "≠", "other harness", "A result was made by another harness than most of its column."),
        Badge("signed-off", "✔", "signed off", "A published review covers exactly these results."),
        Badge("sign-off-stale", "◌", "sign-off is stale", "A review signed off earlier results than these."),
        Badge("older-version", "↻", "older version", "The entry has a newer version than the one that ran."),
        Badge("older-benchmark", "↻", "newer exists", "The benchmark has a newer version than the one of the suite."),
    )
}


@dataclass(frozen=True)
class Superseded:
    """Ids of versions on a board that are no longer the newest: they change without a new version of the board."""

    entries: frozenset[int]
    benchmarks: frozenset[int]


def superseded(leaderboard: Leaderboard) -> Superseded:
    """In one small query, so that a drawing that is remembered may tell whether it still holds."""
    found = _old.rows(leaderboard.pk, leaderboard.suite_id)
    return Superseded(*(frozenset(pk for pk, kind in found if kind == wanted) for wanted in ("entry", "benchmark")))


def _old_versions(board: int, suite: int) -> QuerySet[Any, Any]:
    """(id, what it is a version of)"""
    newer = {"entry": "entry__versions__number__gt", "benchmark": "benchmark__versions__number__gt"}
    entries = EntryVersion.objects.filter(contenders__standings__leaderboard=board)
    benchmarks = BenchmarkVersion.objects.filter(suites=suite)
    one, other = (
        rows.filter(**{newer[kind]: F("number")}).order_by().values_list("pk", Value(kind))
        for kind, rows in (("entry", entries), ("benchmark", benchmarks))
    )
    return one.union(other)


_old: Prepared[EntryVersion] = Prepared(_old_versions, 10**9, 10**9 + 1)


def badges(row: Row, table: Table, old: Superseded) -> list[Badge]:
    """Of a contender, in the order of BADGES."""
    version = row.standing.version_id
    true = {
        "reference": row.family == "reference" and version in table.quantised_versions,
        "quantised": row.quantised,
        "imported": row.imported,
        "partial": 0 < row.complete < len(row.line.states),
        "other-harness": not row.comparable,
        "signed-off": row.sign_off == "current",
        "sign-off-stale": row.sign_off == "stale",
        "older-version": version in old.entries,
    }
    return [badge for key, badge in BADGES.items() if true.get(key)]
