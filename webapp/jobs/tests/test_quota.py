"""What a job costs before it runs, what it is costed with, and the limit that stops it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from evaluation.pricing import UnitPrices, dollars
from webapp.accounts.models import AuditEvent, Team, User
from webapp.accounts.services import set_spending_limit
from webapp.catalog.models import EntryVersion, Suite
from webapp.catalog.prices import withdraw_price
from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs import leases, planning, quota, selectors, services
from webapp.jobs.estimates import Estimate, Rate, rates
from webapp.jobs.models import Job, Run
from webapp.jobs.quota import OverLimit
from webapp.tests import factories

# What `factories.score` stores of an attempt: 12 tokens in, 1 out, 0.01 s of the device.
BY_TOKENS = {"input_usd": Decimal(10), "output_usd": Decimal(30)}
ATTEMPT = (12 * 10 + 1 * 30) / 1e6
RUN = 4 * ATTEMPT
ALL_RIGHT = [True] * 4


def limit(owner: User, team: Team, usd: str | None) -> None:
    """The next request reads the team again."""
    set_spending_limit(actor=owner, team=team, usd=None if usd is None else Decimal(usd))
    team.refresh_from_db()


def again(actor: User, team: Team, suite: Suite, entry: EntryVersion, repeat: int = 1) -> Job:
    """The same runs anew."""
    return factories.job(actor, team, suite, [entry], settings={"repeat": repeat})


def history(actor: User, team: Team, suite: Suite, entry: EntryVersion) -> Job:
    """A finished job of two runs, priced when they ran."""
    job = factories.job(actor, team, suite, [entry])
    for _ in range(2):
        factories.finish(ALL_RIGHT)
    job.refresh_from_db()
    return job


def test_a_run_is_costed_at_the_price_of_its_first_claim(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    price = factories.price(alice, entry, **BY_TOKENS)
    factories.job(alice, team, suite, [entry])
    lease = factories.claim()
    factories.price(alice, entry, input_usd=Decimal(999), output_usd=Decimal(999), valid_from=date(2026, 1, 1))
    withdraw_price(actor=alice, price=price, reason="Too late")
    leases.give_back(lease=lease, reason="Shut down.")
    lease = factories.claim()
    run = Run.objects.get(pk=lease.run_id)
    assert run.attempt == 2
    prices = UnitPrices.from_json(run.unit_prices)
    assert (prices.input_usd, prices.source, prices.valid_from) == (10, "An invoice", "2020-01-01")
    factories.score(lease, ALL_RIGHT)
    run.refresh_from_db()
    assert run.cost_usd == pytest.approx(RUN)


def test_a_run_without_a_price_has_no_cost_and_gets_none_in_between(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.job(alice, team, suite, [entry])
    lease = factories.claim()
    factories.score(lease, [True, True])
    leases.give_back(lease=lease, reason="Shut down.")
    factories.price(alice, entry)
    lease = factories.claim()
    factories.score(lease, [True, True], start=2)
    run = Run.objects.get(pk=lease.run_id)
    assert (run.unit_prices, run.cost_usd) == ({}, None), "half of a run is not costed: missing is not free"


def test_the_database_keeps_the_prices_of_a_run(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry)
    factories.job(alice, team, suite, [entry])
    run = factories.finish(ALL_RIGHT)
    with pytest.raises(DatabaseError, match="its rows never change"), transaction.atomic():
        Run.objects.filter(pk=run.pk).update(unit_prices={})


def test_rates_come_from_the_cell_else_from_the_benchmark(
    alice: User,
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    other_entry: EntryVersion,
    django_assert_num_queries: Any,
) -> None:
    job = factories.job(alice, team, suite, [entry, other_entry])
    factories.finish(ALL_RIGHT)
    versions = [item.version for item in suite.items.select_related("version")]
    contenders = list(dict.fromkeys(run.contender for run in selectors.job_runs(job)))
    with django_assert_num_queries(2):
        found = rates(contenders, versions)
    done = Rate(seconds=pytest.approx(0.1), tokens_in=12.0, tokens_out=1.0)
    nothing = Rate()
    assert list(found.values()) == [done, nothing, done, nothing]


def test_several_attempts_cost_several_times(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    request = services.JobRequest(
        contenders=[run.contender for run in selectors.job_runs(Job.objects.get())][:1],
        versions=[item.version for item in suite.items.all()],
        settings={"attempts": 5, "temperature": 0.7},
    )
    choice, text = services.plan_job(actor=alice, team=team, request=request)
    assert choice.existing is not None, "log-likelihoods are compared once whatever the attempts"
    assert text.cost_usd == pytest.approx(5 * RUN)
    assert text.seconds == pytest.approx(5 * 0.4)


def test_an_estimate_says_what_it_leaves_out(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    job = factories.job(alice, team, suite, [entry, other_entry])
    first = Estimate.from_json(job.estimate)
    assert first is not None
    assert (first.new, first.unmeasured, first.uncosted, first.unpriced) == (4, 2, 2, ("large",))
    assert (first.seconds, first.cost_usd, first.whole_cost_usd) == (None, 0, None)
    assert first.gaps == [
        "Price unknown for 1 entry: large.",
        "No history for 2 runs: nobody has finished the benchmark yet.",
    ]
    for _ in range(4):
        factories.finish(ALL_RIGHT)
    second = Estimate.from_json(again(alice, team, suite, entry).estimate)
    assert second is not None
    assert (second.is_complete, second.gaps) == (True, [])
    assert second.cost_usd == pytest.approx(2 * RUN)
    assert second.seconds == pytest.approx(2 * 0.4)


def test_what_is_there_or_on_its_way_costs_nothing_more(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    again(alice, team, suite, entry)
    same = Estimate.from_json(again(alice, team, suite, entry).estimate)
    assert same is not None
    assert (same.new, same.reused, same.whole_cost_usd) == (0, 2, 0)


def test_jobs_from_before_estimates_have_none() -> None:
    assert Estimate.from_json({}) is None
    kept = Estimate(runs=2, new=1, samples=None, seconds=1.5, cost_usd=0.25, uncosted=1, unpriced=("a",))
    assert Estimate.from_json(kept.to_json()) == kept


def test_a_job_says_what_its_own_runs_have_taken(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    first = history(alice, team, suite, entry)
    taken = selectors.taken(selectors.job_runs(first))
    assert (taken.begun, taken.uncosted) == (2, 0)
    assert taken.cost_usd == pytest.approx(2 * RUN)
    second = factories.job(alice, team, suite, [entry])
    assert selectors.taken(selectors.job_runs(second)).begun == 0, "reused runs were the first job's"


def test_spending_is_of_the_month_in_which_runs_ended(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    Run.objects.update(finished_at=datetime(2026, 5, 31, 23, 59, tzinfo=UTC))
    june = datetime(2026, 6, 15, tzinfo=UTC)
    may = datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC)
    assert quota.spending([team], june)[0].spent == 0
    assert quota.spending([team], may)[0].spent == pytest.approx(2 * RUN)
    again(alice, team, suite, entry)
    factories.job(alice, team, suite, [other_entry])
    now = quota.spending([team])[0]
    assert (now.spent, now.uncosted) == (0, 2)
    assert now.expected == pytest.approx(2 * RUN)
    assert quota.spending([team], datetime(2026, 12, 2, tzinfo=UTC))[0].resets_on == date(2027, 1, 1)


def test_a_run_is_spent_at_once_where_our_clock_is_behind_the_databases(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() - timedelta(minutes=2))
    assert quota.spending([team])[0].spent == pytest.approx(2 * RUN)


def test_what_deleted_runs_cost_stays_spent_in_its_month(
    alice: User,
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    other_entry: EntryVersion,
    django_assert_num_queries: Any,
) -> None:
    may, june = datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 6, 30, tzinfo=UTC)
    factories.price(alice, entry, **BY_TOKENS)
    old, newer = history(alice, team, suite, entry).runs.order_by("pk")
    Run.objects.filter(pk=old.pk).update(finished_at=may)
    Run.objects.filter(pk=newer.pk).update(finished_at=datetime(2026, 6, 1, tzinfo=UTC))
    factories.job(alice, team, suite, [other_entry])
    begun, waits = factories.claim(), Run.objects.get(state="queued")
    factories.score(begun, [True])
    before = [quota.spending([team], now)[0] for now in (may, june)]
    assert [one.spent for one in before] == [pytest.approx(RUN)] * 2
    for pks in ([old.pk], [newer.pk, begun.run_id, waits.pk]):
        with transaction.atomic():
            quota.remember(pks)
            Run.objects.filter(pk__in=pks).delete()
    with django_assert_num_queries(1):
        assert quota.spending([team], june)[0].spent == before[1].spent
    assert quota.spending([team], may)[0].spent == before[0].spent
    now = quota.spending([team])[0]
    assert (now.spent, now.expected, now.uncosted) == (0, 0, 1), "what had begun ended when it was deleted"


def test_what_was_cancelled_before_it_began_has_cost_nothing(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    services.cancel_job(actor=alice, job=again(alice, team, suite, entry))
    assert quota.spending([team])[0].used == pytest.approx(2 * RUN)


def test_a_job_that_does_not_fit_is_refused_and_the_refusal_recorded(
    alice: User, bob: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.price(alice, entry, input_usd=Decimal(10**6), output_usd=Decimal(0))  # 12 dollars an attempt
    history(alice, team, suite, entry)  # 96 dollars
    limit(alice, team, "200")
    with pytest.raises(OverLimit) as refusal:
        factories.job(bob, team, suite, [entry], settings={"repeat": 1}, key="k", body_hash="b") and again(
            bob, team, suite, entry, 2
        )
    assert refusal.value.message == (
        "The spending limit of $200.00 a month leaves no room: $96.00 is spent, $96.00 is expected of runs under way, "
        "and this job would cost $96.00."
    )
    assert (refusal.value.field, refusal.value.status) == ("team", 409)
    event = AuditEvent.objects.get(verb="refused job")
    assert (event.actor, event.after) == (bob, {"reason": refusal.value.message})
    assert Job.objects.count() == 2
    assert Run.objects.count() == 4
    limit(alice, team, "288")
    again(bob, team, suite, entry, 2)


def test_a_job_that_needs_nothing_new_is_never_refused(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    limit(alice, team, "0")
    assert factories.job(alice, team, suite, [entry]).state == "done"
    with pytest.raises(OverLimit):
        again(alice, team, suite, entry)


def test_with_a_limit_an_entry_must_be_priced_first(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    limit(alice, team, "5")
    with pytest.raises(OverLimit, match=r"no price is known for small\. Price it first"):
        factories.job(alice, team, suite, [entry])
    factories.price(alice, entry, hour_usd=Decimal(0))
    assert factories.job(alice, team, suite, [entry]).state == "queued", "nobody has measured it yet: let through"


def test_what_nobody_has_measured_waits_when_nothing_is_left(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.price(alice, entry)
    limit(alice, team, "0")
    with pytest.raises(OverLimit, match="at least"):
        factories.job(alice, team, suite, [entry])


def test_a_retry_must_fit_too(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    history(alice, team, suite, entry)
    job = again(alice, team, suite, entry)
    services.cancel_job(actor=alice, job=job)
    limit(alice, team, "0")
    with pytest.raises(OverLimit):
        services.retry_job(actor=alice, job=job)
    assert set(job.runs.values_list("state", flat=True)) == {"cancelled"}
    limit(alice, team, None)
    services.retry_job(actor=alice, job=job)
    assert set(job.runs.values_list("state", flat=True)) == {"queued"}


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_do_not_both_fit(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry, input_usd=Decimal(10**6), output_usd=Decimal(0))
    history(alice, team, suite, entry)  # 96 dollars
    limit(alice, team, "200")  # room for one more
    together = threading.Barrier(2)

    def submit(repeat: int) -> str:
        try:
            together.wait(5)
            again(alice, team, suite, entry, repeat)
        except OverLimit:
            return "refused"
        finally:
            connection.close()
        return "taken"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(submit, (1, 2))) == ["refused", "taken"]
    assert quota.spending([team])[0].used == pytest.approx(192)


def test_the_limit_is_the_owners(alice: User, bob: User, team: Team) -> None:
    with pytest.raises(NotAllowed):
        limit(bob, team, "5")
    for usd in ("-1", "NaN", "1e12"):
        with pytest.raises(Unprocessable):
            limit(alice, team, usd)
    limit(alice, team, "5")
    limit(alice, team, "5.00")
    limit(alice, team, None)
    said = [(e.before, e.after) for e in AuditEvent.objects.filter(verb="set spending limit").order_by("id")]
    assert said == [({"usd": "none"}, {"usd": "5.00"}), ({"usd": "5.00"}, {"usd": "none"})]


def test_dollars_are_short_below_one_and_exact_to_the_cent_above() -> None:
    amounts = [0, 0.5, 0.0123456, 0.00000012345, 1, 1234.567]
    assert [dollars(a) for a in amounts] == ["$0.00", "$0.50", "$0.0123", "$0.000000123", "$1.00", "$1,234.57"]


def test_a_plan_costs_each_cell(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> None:
    factories.price(alice, entry, hour_usd=Decimal(36))  # a cent a second
    history(alice, team, suite, entry)
    request = services.JobRequest(
        contenders=[run.contender for run in selectors.job_runs(Job.objects.get())][:1],
        versions=[item.version for item in suite.items.all()],
        settings={"repeat": 1, "limit": 2},
    )
    cells = services.plan_job(actor=alice, team=team, request=request)
    assert [cell.cost_usd for cell in cells] == [pytest.approx(2 * 0.1 * 0.01)] * 2
    assert planning.estimate(cells).cost_usd == pytest.approx(4 * 0.1 * 0.01)
