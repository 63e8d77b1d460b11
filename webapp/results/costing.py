"""Costing afterwards: runs that finished before anybody had priced their entry get a cost, once."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import Sum

from evaluation.pricing import UnitPrices
from webapp.accounts.models import Team, User
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog.selectors import price_on, unit_prices
from webapp.jobs.leases import progressed
from webapp.jobs.models import Run
from webapp.jobs.services import note
from webapp.results.models import Score

# One statement for all attempts of a run: there may be a hundred thousand.
UPDATE = """
UPDATE results_score SET cost_usd = costed.usd
FROM unnest(%s::int[], %s::int[], %s::float8[]) AS costed(index, attempt, usd)
WHERE run_id = %s AND results_score.index = costed.index AND results_score.attempt = costed.attempt
"""


@transaction.atomic
def price_runs(*, actor: User, team: Team, runs: Iterable[Run]) -> list[Run]:
    """Cost finished runs of the team that have no price, at the price that held on the day they ran; returns those.

    A run that has a price keeps it whatever it was, and one whose entry had no price on that day stays without a cost.
    Safe to call twice.
    """
    require(actor, team, May.MANAGE)
    wanted = Run.objects.filter(pk__in=[run.pk for run in runs], team=team, state=Run.State.DONE, unit_prices={})
    rows = wanted.select_related("contender__version").select_for_update(of=("self",)).order_by("pk")
    priced = [run for run in rows if _price(run)]
    for run in priced:
        note(run, run.state, f"Costed by {actor} at the price that held when it ran.")
        record(actor=actor, team=team, verb="costed run", target=run, after={"run": run.pk, **_said(run)})
        progressed(run)
    return priced


def _price(run: Run) -> bool:
    """Fix the run's prices and cost each of its attempts; False where no price held on its day."""
    day = (run.started_at or run.queued_at).date()
    prices = unit_prices(price_on(run.contender, day))
    if prices is None:
        return False
    _cost_attempts(run, prices)
    scores = Score.objects.filter(run=run)
    known = not scores.filter(cost_usd=None).exists()
    run.unit_prices = prices.to_json()
    run.cost_usd = scores.aggregate(sum=Sum("cost_usd"))["sum"] if known else None
    run.save(update_fields=["unit_prices", "cost_usd"])
    return True


def _cost_attempts(run: Run, prices: UnitPrices) -> None:
    counted = ("tokens_in", "tokens_out", "tokens_cached", "seconds")
    rows = list(Score.objects.filter(run=run).values_list("index", "attempt", *counted))
    costs = [prices.cost(**dict(zip(counted, row[2:], strict=True))) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(UPDATE, [[row[0] for row in rows], [row[1] for row in rows], costs, run.pk])


def _said(run: Run) -> dict[str, str]:
    prices = {name: value for name, value in run.unit_prices.items() if value}
    return prices | ({} if run.cost_usd is None else {"cost_usd": f"{run.cost_usd:.9f}"})
