"""What contenders of a board cost over its whole suite: read only for views that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from django.db.models import Count, IntegerField, Max
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from webapp.jobs.models import Run
from webapp.leaderboards.cells import RUN
from webapp.leaderboards.memory import Memory
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
    """Of a run; cost_usd: None while unknown. tries: attempts at each sample."""

    pk: int
    cost_usd: float | None
    done: int
    mean: float
    packed__dtype: str | None
    tries: int


_known: Memory[dict[int, RowCost]] = Memory(most=8)


def row_costs(leaderboard: Leaderboard, whole: Table) -> dict[int, RowCost]:
    """Contender id -> its costs, remembered while no run gets a cost; two queries, whatever the size of the board."""
    key = (leaderboard.pk, leaderboard.created_at, leaderboard.version, costed(leaderboard))
    return _known.get(key, lambda: _read(leaderboard, whole))


def _read(leaderboard: Leaderboard, whole: Table) -> dict[int, RowCost]:
    complete = [row for row in whole.rows if row.standing.cells and row.complete == len(row.standing.cells)]
    # All that is done, and not the ids that are shown: 50,000 ids in a query take longer than a few runs too many.
    done = Run.objects.filter(
        team=leaderboard.team_id, version__in=[column.version for column in whole.columns], state=Run.State.DONE
    )
    tries = Coalesce(Cast(KT("settings__attempts"), IntegerField()), 1)
    found = {run[0]: Spent(*run) for run in done.values_list(*Spent._fields[:-1], tries)}
    passes = all(column.version.higher_is_better for column in whole.columns)
    return {
        row.standing.contender_id: _cost(
            [found[cell[RUN]] for cell in row.standing.cells if cell[RUN] in found], passes=passes
        )
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
