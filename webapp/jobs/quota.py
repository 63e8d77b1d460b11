"""What a team spends in a calendar month (UTC), and the limit that stops a job before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, FloatField, Q, Sum, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from evaluation.pricing import dollars
from webapp.accounts.models import Team, User
from webapp.accounts.services import record
from webapp.errors import Conflict
from webapp.jobs.estimates import Estimate
from webapp.jobs.models import Run, SpendingTotal
from webapp.prepared import Prepared

UNDER_WAY = Q(state__in=[Run.State.QUEUED, Run.State.RUNNING])
# Each counts as `spending` counts it; one that has not ended, as if it ended now.
REMEMBER = """
INSERT INTO jobs_spendingtotal AS total (team_id, month, usd, uncosted)
SELECT team_id, month, coalesce(sum(usd), 0), count(*) - count(usd)
FROM (
    SELECT team_id, coalesce(cost_usd, estimated_usd) AS usd,
        date_trunc('month', coalesce(finished_at, now()) AT TIME ZONE 'UTC')::date AS month
    FROM jobs_run WHERE id = ANY(%s) AND done > 0
) AS run
GROUP BY team_id, month ORDER BY team_id, month
ON CONFLICT (team_id, month) DO UPDATE
SET usd = total.usd + excluded.usd, uncosted = total.uncosted + excluded.uncosted"""


class OverLimit(Conflict):
    """The team's spending limit forbids the job."""


@dataclass(frozen=True)
class Spending:
    """US dollars of a team in a month.

    spent: of runs that ended in it, by what they cost, else by their estimate. expected: of runs that wait or run, by
    their estimate or what they have cost by now, whichever is more. uncosted: runs that are in neither, because neither
    their cost nor an estimate is known.
    """

    team: Team
    month: date
    spent: float = 0.0
    expected: float = 0.0
    uncosted: int = 0

    @property
    def limit(self) -> Decimal | None:
        return self.team.spending_limit_usd

    @property
    def used(self) -> float:
        return self.spent + self.expected

    @property
    def percent(self) -> int:
        """Of the limit, at most 100; for the length of a bar."""
        return min(100, int(100 * self.used / float(self.limit))) if self.limit else 100

    @property
    def resets_on(self) -> date:
        return (self.month + timedelta(days=32)).replace(day=1)


def spending(teams: Iterable[Team], now: datetime | None = None) -> list[Spending]:
    """Of each team in the month of `now` (else this one), in the order of the teams.

    One query, hence one snapshot: in it a run is either there or in a total. This month has no end: runs end by the
    database's clock, which may be ahead of ours.
    """
    teams, until = list(teams), Q() if now is None else Q(finished_at__lte=now)
    now = now or timezone.now()
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    ended = ~UNDER_WAY & until & Q(finished_at__gte=month, done__gt=0)
    cost, more = Coalesce("cost_usd", "estimated_usd"), Greatest("cost_usd", "estimated_usd")
    nothing = Q(cost_usd=None, estimated_usd=None)
    runs = Run.objects.filter(ended | UNDER_WAY, team__in=teams).values("team").order_by()
    there = runs.annotate(
        spent=Sum(cost, filter=ended),
        expected=Sum(more, filter=UNDER_WAY),
        unknown=Count("id", filter=(ended | UNDER_WAY) & nothing),
    ).values_list("team", "spent", "expected", "unknown")
    totals = SpendingTotal.objects.filter(team__in=teams, month=month.date())
    deleted = totals.values_list("team", "usd", Value(0.0, FloatField()), "uncosted")
    rows: Iterable[Any] = there.union(deleted, all=True)
    sums = dict[int, list[Any]]()
    for team, *row in rows:
        sums[team] = [before + (new or 0) for before, new in zip(sums.get(team, (0.0, 0.0, 0)), row, strict=True)]
    return [Spending(team, month.date(), *sums.get(team.pk, ())) for team in teams]


def remember(runs: Sequence[int]) -> None:
    """What was spent stays spent: add these runs to the totals of their teams, in the transaction that deletes them."""
    with connection.cursor() as cursor:
        cursor.execute(REMEMBER, [list(runs)])


_limited = Prepared(
    lambda team: Team.objects.select_for_update(no_key=True).filter(pk=team, spending_limit_usd__isnull=False), -1
)


def hold(team: Team) -> Team | None:
    """The team with its present limit, locked so that two jobs at once cannot both fit; None where it has no limit.

    team: as the request has read it. A limit that is set while the request is answered holds from the next one on.
    Take it before runs and jobs are locked: everybody who locks several takes the team first.
    """
    return None if team.spending_limit_usd is None else _limited.first(team.pk)


def require_room(team: Team | None, expected: Estimate) -> None:
    """Raises OverLimit when the new runs do not fit; `team` is what `hold` gave."""
    if team is None or not expected.new:
        return
    refusal = refuse(spending([team])[0], expected)
    if refusal:
        raise refusal


def refuse(now: Spending, expected: Estimate) -> OverLimit | None:
    """Why the job may not start. What nobody has measured yet is let through while anything is left."""
    if now.limit is None or not expected.new:
        return None
    if expected.unpriced:
        return OverLimit(
            f"The team has a spending limit, and no price is known for {', '.join(expected.unpriced[:5])}.",
            field="contenders",
            remedy="Price it first, on the entry’s page: zero is a price, too.",
        )
    limit = float(now.limit)
    if now.used + expected.cost_usd <= limit and not (expected.unmeasured and now.used >= limit):
        return None
    about = dollars(expected.cost_usd) if expected.is_complete else f"at least {dollars(expected.cost_usd)}"
    return OverLimit(
        f"The spending limit of {dollars(limit)} a month leaves no room: {dollars(now.spent)} is spent, "
        f"{dollars(now.expected)} is expected of runs under way, and this job would cost {about}.",
        field="team",
        remedy=f"Ask for less, wait until {now.resets_on:%-d %B}, or let an owner raise the limit.",
    )


@contextmanager
def refusals_recorded(*, actor: User, team: Team) -> Iterator[None]:
    """Keep a refusal in the audit log. Stands around the transaction that the refusal rolls back."""
    try:
        yield
    except OverLimit as refusal:
        record(actor=actor, team=team, verb="refused job", target=team, after={"reason": refusal.message})
        raise
