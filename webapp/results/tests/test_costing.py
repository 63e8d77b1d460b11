"""Runs that finished before anybody had priced their entry are costed afterwards, once."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from webapp.accounts.models import AuditEvent, Team, User
from webapp.catalog.models import EntryVersion, Suite
from webapp.errors import NotAllowed
from webapp.jobs import leases
from webapp.jobs.models import Job, Run
from webapp.results.costing import price_runs
from webapp.results.models import Score
from webapp.results.services import finish_run
from webapp.tests import factories

# What `factories.score` stores of an attempt: 12 tokens in, 1 out.
BY_TOKENS = {"input_usd": Decimal(10), "output_usd": Decimal(30)}
ATTEMPT = (12 * 10 + 1 * 30) / 1e6


@pytest.fixture
def run(alice: User, team: Team, suite: Suite, entry: EntryVersion) -> Run:
    factories.job(alice, team, suite, [entry])
    return factories.finish([True, False, True, True])


def test_an_unpriced_run_is_costed_once_attempt_by_attempt(
    alice: User, team: Team, entry: EntryVersion, run: Run
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    assert price_runs(actor=alice, team=team, runs=[run]) == [run]
    run.refresh_from_db()
    assert run.cost_usd == pytest.approx(4 * ATTEMPT)
    assert list(Score.objects.filter(run=run).values_list("cost_usd", flat=True)) == [pytest.approx(ATTEMPT)] * 4
    assert run.unit_prices["source"] == "An invoice"

    factories.price(alice, entry, input_usd=Decimal(99), output_usd=Decimal(99), valid_from=date(2026, 1, 1))
    assert price_runs(actor=alice, team=team, runs=[run]) == []
    run.refresh_from_db()
    assert run.cost_usd == pytest.approx(4 * ATTEMPT)
    assert AuditEvent.objects.filter(verb="costed run").count() == 1
    assert "Costed by alice" in run.events.latest("pk").text


def test_the_price_is_the_one_of_the_day_it_ran(alice: User, team: Team, entry: EntryVersion, run: Run) -> None:
    factories.price(alice, entry, **BY_TOKENS, valid_to=date(2025, 1, 1))
    assert price_runs(actor=alice, team=team, runs=[run]) == [], "no price held on that day"
    factories.price(alice, entry, **BY_TOKENS, source="then", valid_from=date(2026, 1, 1))
    factories.price(alice, entry, **BY_TOKENS, source="later", valid_from=date(2999, 1, 1))
    price_runs(actor=alice, team=team, runs=[run])
    run.refresh_from_db()
    assert run.unit_prices["source"] == "then"


def test_a_missing_count_leaves_the_sum_unknown(alice: User, team: Team, entry: EntryVersion, run: Run) -> None:
    Score.objects.filter(run=run, index=2).update(tokens_out=None)
    factories.price(alice, entry, **BY_TOKENS)
    price_runs(actor=alice, team=team, runs=[run])
    run.refresh_from_db()
    assert run.cost_usd is None, "missing is not free"
    assert Score.objects.filter(run=run, cost_usd=None).count() == 1


def test_only_owners_cost_and_only_what_is_done_and_theirs(
    alice: User, bob: User, charlie: User, team: Team, entry: EntryVersion, run: Run
) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    with pytest.raises(NotAllowed):
        price_runs(actor=bob, team=team, runs=[run])
    own = Team.objects.get(name="charlie")
    assert price_runs(actor=charlie, team=own, runs=[run]) == []
    factories.claim()
    assert price_runs(actor=alice, team=team, runs=Run.objects.all()) == [run]


def test_a_run_that_was_begun_unpriced_is_costed_when_it_is_done(
    alice: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.job(alice, team, suite, [entry])
    lease = factories.claim()
    factories.score(lease, [True, True])
    factories.price(alice, entry, **BY_TOKENS)
    leases.give_back(lease=lease, reason="Shut down.")
    lease = factories.claim()
    factories.score(lease, [True, True], start=2)
    done = finish_run(lease=lease, provenance={})
    assert done.cost_usd is None
    price_runs(actor=alice, team=team, runs=[done])
    done.refresh_from_db()
    assert done.cost_usd == pytest.approx(4 * ATTEMPT)


def test_the_page_offers_it_to_owners_while_something_is_unpriced(
    client, alice: User, bob: User, team: Team, entry: EntryVersion, run: Run
) -> None:
    address = f"/jobs/{Job.objects.get().pk}/"
    client.force_login(bob)
    assert "Cost these runs" not in client.get(address).content.decode()
    client.force_login(alice)
    assert "Cost these runs" in client.get(address).content.decode()
    factories.price(alice, entry, **BY_TOKENS)

    page = client.post(f"{address}price/", follow=True).content.decode()

    assert "1 run is costed" in page
    assert "Cost these runs" not in page
    assert "$0.0006" in page


def test_rest_answers_with_what_was_costed(api, alice: User, entry: EntryVersion, run: Run) -> None:
    factories.price(alice, entry, **BY_TOKENS)
    address = f"/api/v1/jobs/{Job.objects.get().pk}/price/"
    first, second = (api(alice).post(address).json() for _ in range(2))
    assert [(row["id"], row["cost_usd"]) for row in first] == [(run.pk, "0.000600000")]
    assert second == []
