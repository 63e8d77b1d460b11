"""What contenders of a board cost over its whole suite: read only for views that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
# of one size beside each other, because 50,000 rows of objects take ten times as long, and as a binary copy, because a
# selected bytea is written out in hexadecimals. Scores that are right or wrong are packed as u1; whatever is done is
# packed, so that only the others need be joined.
SPENT = """
    COPY (
        SELECT string_agg(
            int8send(run.id) || float8send(coalesce(run.cost_usd, 'NaN')) || float8send(run.mean) || int4send(run.done)
            || int4send(coalesce((run.settings->>'attempts')::int, 1)) || int4send((graded.run_id IS NULL)::int),
            ''::bytea
        )
        FROM jobs_run run LEFT JOIN results_packedscores graded ON graded.run_id = run.id AND graded.dtype <> 'u1'
        WHERE run.team_id = %s AND run.version_id = ANY(%s) AND run.state = 'done'
    ) TO STDOUT (FORMAT BINARY)
"""
HEAD, TAIL = 25, 2  # bytes around the only value; there is nothing between them where no run is done
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
Costed = tuple[int, int]  # how many runs have a cost, and the newest of them


@dataclass(frozen=True, eq=False)
class Costs:
    """of: contender id -> its costs. costed: what they were made of; settled: nothing can change them any more."""

    of: Mapping[int, RowCost]
    costed: Costed
    settled: bool


_known: Memory[Costs] = Memory(most=8)


def costs(leaderboard: Leaderboard, whole: Table) -> Costs:
    """One query, once per version and process. While a run has no cost yet, one more says whether it has by now, which
    makes no new version of the board."""
    key = (leaderboard.pk, leaderboard.created_at, leaderboard.version)
    known = _known.get(key, lambda: _read(leaderboard, whole))
    if known.settled or known.costed == _costed(leaderboard):
        return known
    _known.forget(key)
    return _known.get(key, lambda: _read(leaderboard, whole))


def _read(leaderboard: Leaderboard, whole: Table) -> Costs:
    complete = [row for row in whole.rows if row.line.is_complete]
    if not complete:
        return Costs({}, (0, 0), settled=True)
    found = _spent(leaderboard, [column.version.pk for column in whole.columns])
    shown = np.array([row.line.runs for row in complete], dtype=np.int64)
    at = np.searchsorted(found["run"], shown)
    spent = found[np.where(found["run"][at] == shown, at, -1)]
    known, passes = found["run"][~np.isnan(found["cost"])], all(one.version.higher_is_better for one in whole.columns)
    of = dict(zip([row.standing.contender_id for row in complete], _costs(spent, passes=passes), strict=True))
    # A run that was made here keeps the prices that it has: see results.costing.
    settled = not np.isnan(spent["cost"]).any() and not any(row.imported for row in complete)
    return Costs(of, (len(known), int(known.max(initial=0))), settled)


def _spent(leaderboard: Leaderboard, versions: list[int]) -> np.ndarray:
    """In the order of runs; the last row stands for a run that is not there."""
    with connection.cursor() as cursor, cursor.copy(cursor.mogrify(SPENT, [leaderboard.team_id, versions])) as copy:
        found = np.frombuffer(b"".join(copy)[HEAD:-TAIL], ROW)
    return np.concatenate([found[np.argsort(found["run"])], UNKNOWN])


def _costs(spent: np.ndarray, *, passes: bool) -> Iterator[RowCost]:
    """spent: (contender, benchmark)."""
    mean = (spent["cost"] / spent["tries"]).sum(axis=1) / np.maximum(spent["done"].sum(axis=1), 1)
    passed = (spent["mean"] * spent["done"] * spent["tries"]).sum(axis=1)
    per_pass = np.divide(spent["cost"].sum(axis=1), passed, out=np.full(len(passed), np.inf), where=passed > 0)
    told = np.logical_and(spent["passes"].all(axis=1), passes)
    for cost, of_a_pass, tells in zip(mean.tolist(), per_pass.tolist(), told.tolist(), strict=True):
        yield NOTHING if isnan(cost) else RowCost(cost, of_a_pass if tells else None)


def _costed(leaderboard: Leaderboard) -> Costed:
    """Of the same runs as SPENT."""
    runs = Run.objects.filter(
        team=leaderboard.team_id, version__in=leaderboard.suite.benchmarks.all(), state=Run.State.DONE
    )
    found = runs.filter(cost_usd__isnull=False).aggregate(runs=Count("pk"), newest=Max("pk"))
    return found["runs"], found["newest"] or 0
