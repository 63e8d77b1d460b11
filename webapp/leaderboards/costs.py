"""What contenders of a board cost over its whole suite: read only for views that show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan

import numpy as np
from django.db import connection
from django.db.models import Count, Max

from webapp.jobs.models import Run
from webapp.leaderboards.memory import Memory
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.tables import Table

# All that is done, and not the ids that are shown: 50,000 ids in a query take longer than a few runs too many. Numbers
# of one size beside each other, because 50,000 rows of objects take ten times as long. Scores that are right or wrong
# are packed as u1.
SPENT = """
    SELECT string_agg(
        int8send(run.id) || float8send(coalesce(run.cost_usd, 'NaN')) || float8send(run.mean) || int4send(run.done)
        || int4send(coalesce((run.settings->>'attempts')::int, 1))
        || int4send(coalesce(packed.dtype = 'u1', false)::int),
        ''::bytea ORDER BY run.id
    )
    FROM jobs_run run LEFT JOIN results_packedscores packed ON packed.run_id = run.id
    WHERE run.team_id = %s AND run.version_id = ANY(%s) AND run.state = 'done'
"""
ROW = np.dtype([("run", ">i8"), ("cost", ">f8"), ("mean", ">f8"), ("done", ">i4"), ("tries", ">i4"), ("passes", ">i4")])
UNKNOWN = np.array([(2**63 - 1, np.nan, 0, 0, 1, 0)], ROW)  # stands for each run that is not done


@dataclass(frozen=True)
class RowCost:
    """US dollars over the suite. mean: of an attempt, all samples counting the same however often they were tried; None
    unless every benchmark is done and every attempt has a cost.

    per_pass: all that it cost by all that it passed, inf without a pass; None, too, where scores are no passes.
    """

    mean: float | None = None
    per_pass: float | None = None


NOTHING = RowCost()
Costed = tuple[int, int]

_known: Memory[dict[int, RowCost]] = Memory(most=8)


def row_costs(leaderboard: Leaderboard, whole: Table, known: Costed) -> dict[int, RowCost]:
    """Contender id -> its costs, remembered while no run gets a cost; one query, whatever the size of the board."""
    key = (leaderboard.pk, leaderboard.created_at, leaderboard.version, known)
    return _known.get(key, lambda: _read(leaderboard, whole))


def _read(leaderboard: Leaderboard, whole: Table) -> dict[int, RowCost]:
    complete = [row for row in whole.rows if row.line.is_complete]
    if not complete:
        return {}
    found = _spent(leaderboard, [column.version.pk for column in whole.columns])
    shown = np.array([row.line.runs for row in complete], dtype=np.int64)
    at = np.searchsorted(found["run"], shown)
    passes = all(column.version.higher_is_better for column in whole.columns)
    costs = _costs(found[np.where(found["run"][at] == shown, at, -1)], passes=passes)
    return {row.standing.contender_id: cost for row, cost in zip(complete, costs, strict=True)}


def _spent(leaderboard: Leaderboard, versions: list[int]) -> np.ndarray:
    """In the order of runs; the last row stands for a run that is not there."""
    with connection.cursor() as cursor:
        cursor.execute(SPENT, [leaderboard.team_id, versions])
        return np.concatenate([np.frombuffer(bytes(cursor.fetchone()[0] or b""), ROW), UNKNOWN])


def _costs(spent: np.ndarray, *, passes: bool) -> Iterator[RowCost]:
    """spent: (contender, benchmark)."""
    mean = (spent["cost"] / spent["tries"]).sum(axis=1) / np.maximum(spent["done"].sum(axis=1), 1)
    passed = (spent["mean"] * spent["done"] * spent["tries"]).sum(axis=1)
    per_pass = np.divide(spent["cost"].sum(axis=1), passed, out=np.full(len(passed), np.inf), where=passed > 0)
    told = np.logical_and(spent["passes"].all(axis=1), passes)
    for cost, of_a_pass, tells in zip(mean.tolist(), per_pass.tolist(), told.tolist(), strict=True):
        yield NOTHING if isnan(cost) else RowCost(cost, of_a_pass if tells else None)


def costed(leaderboard: Leaderboard) -> Costed:
    """What changes when runs get a cost afterwards, which makes no new version of the board."""
    runs = Run.objects.filter(team=leaderboard.team_id, version__in=leaderboard.suite.benchmarks.all())
    found = runs.filter(cost_usd__isnull=False).aggregate(runs=Count("pk"), newest=Max("pk"))
    return found["runs"], found["newest"] or 0
