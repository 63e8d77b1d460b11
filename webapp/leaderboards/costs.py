"""What contenders of a board cost over its whole suite: read only for views that show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from django.db.models import Count, Max

from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.tables import Table

RIGHT_OR_WRONG = "u1"  # how scores of 0 and 1 are packed


@dataclass(frozen=True)
class RowCost:
    """US dollars over the suite. mean: of an attempt, all samples counting the same however often they were tried; None
    unless every benchmark is done and every attempt has a cost.

    per_pass: all that it cost by all that it passed, inf without a pass; None, too, where scores are no passes.
    """

    mean: float | None = None
    per_pass: float | None = None


NOTHING = RowCost()


class Spent(NamedTuple):
    """Of a run; cost_usd: None while unknown."""

    pk: int
    cost_usd: float | None
    done: int
    mean: float
    settings: Mapping[str, Any]
    packed__dtype: str | None

    @property
    def tries(self) -> int:
        """Attempts at each sample."""
        return attempts_of(self.settings)


def row_costs(whole: Table) -> dict[int, RowCost]:
    """Contender id -> its costs; one query, whatever the size of the board."""
    complete = [row for row in whole.rows if row.cells and row.complete == len(row.cells)]
    ids = [cell.run for row in complete for cell in row.cells if cell.run is not None]
    found = {run[0]: Spent(*run) for run in Run.objects.filter(pk__in=ids).values_list(*Spent._fields)}
    passes = all(column.version.higher_is_better for column in whole.columns)
    return {
        row.standing.contender_id: _cost([found[cell.run] for cell in row.cells if cell.run in found], passes=passes)
        for row in complete
    }


def _cost(runs: Sequence[Spent], *, passes: bool) -> RowCost:
    known = [(run, run.cost_usd) for run in runs if run.cost_usd is not None]
    if not runs or len(known) < len(runs):
        return NOTHING
    mean = sum(cost / run.tries for run, cost in known) / sum(run.done for run in runs)
    if not passes or any(run.packed__dtype != RIGHT_OR_WRONG for run in runs):
        return RowCost(mean)
    passed = sum(run.mean * run.done * run.tries for run in runs)
    return RowCost(mean, sum(cost for _, cost in known) / passed if passed else inf)


def costed(leaderboard: Leaderboard) -> tuple[int, int]:
    """What changes when runs get a cost afterwards, which makes no new version of the board."""
    runs = Run.objects.filter(team=leaderboard.team_id, version__in=leaderboard.suite.benchmarks.all())
    found = runs.filter(cost_usd__isnull=False).aggregate(runs=Count("pk"), newest=Max("pk"))
    return found["runs"], found["newest"] or 0
