"""Costs on a board: only where asked for, only where everything is known, sorted from the cheapest."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion
from webapp.jobs.models import Job, Run
from webapp.leaderboards import selectors
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.viewing import View
from webapp.results.costing import price_runs
from webapp.results.models import PackedScores
from webapp.tests import factories

SHOWN = View.of({"costs": "1", "sort": "cost"})
RIGHTS = [[True, True, False, False], [True, False, False, False], [True] * 4, [True] * 4]


@pytest.fixture
def priced(alice: User, entry: EntryVersion, other_entry: EntryVersion, job: Job, board: Leaderboard) -> Leaderboard:
    """Every attempt takes 0.01 s: $0.0001 of small, $0.0002 of large. small passes three times, large always."""
    factories.price(alice, entry)
    factories.price(alice, other_entry, hour_usd=Decimal(72))
    for rights in RIGHTS:
        factories.finish(rights)
    return factories.refresh(board)


def costs(board: Leaderboard, view: View = SHOWN) -> dict[str, tuple[float | None, float | None]]:
    found = selectors.board(board, view)
    return {
        row.name: (cost.mean, cost.per_pass)
        for row in found.rows
        if (cost := found.costs.get(row.standing.contender_id)) is not None
    }


def test_costs_are_means_over_the_whole_suite(priced: Leaderboard) -> None:
    assert costs(priced) == {
        "small@fp32": pytest.approx((0.0001, 8 * 0.0001 / 3)),
        "large@fp32": pytest.approx((0.0002, 0.0002)),
    }
    assert costs(priced, View()) == {}


def test_samples_count_the_same_however_often_they_were_tried(priced: Leaderboard) -> None:
    run = Run.objects.filter(contender__name="small@fp32").earliest("pk")
    Run.objects.filter(pk=run.pk).update(settings={**run.settings, "attempts": 5}, cost_usd=5 * (run.cost_usd or 0))
    passes, total = 4 * 5 * run.mean + 3 - 4 * run.mean, (5 + 1) * 4 * 0.0001
    assert costs(priced)["small@fp32"] == pytest.approx((0.0001, total / passes))


def test_they_sort_from_the_cheapest(priced: Leaderboard) -> None:
    assert list(costs(priced)) == ["small@fp32", "large@fp32"]
    assert list(costs(priced, View.of({"costs": "1", "sort": "per-pass"}))) == ["large@fp32", "small@fp32"]
    assert list(costs(priced, View.of({"costs": "1", "sort": "-cost"}))) == ["large@fp32", "small@fp32"]


def test_one_unknown_cost_makes_both_unknown(priced: Leaderboard) -> None:
    Run.objects.filter(pk=Run.objects.filter(contender__name="small@fp32").earliest("pk").pk).update(cost_usd=None)
    found = costs(priced)
    assert list(found) == ["large@fp32", "small@fp32"], "unknown stands at the end"
    assert found["small@fp32"] == (None, None)


def test_no_pass_at_all_is_infinite(priced: Leaderboard) -> None:
    Run.objects.filter(contender__name="small@fp32").update(mean=0.0)
    assert costs(priced)["small@fp32"] == (pytest.approx(0.0001), float("inf"))


def test_costs_are_read_again_when_a_run_gets_one(priced: Leaderboard) -> None:
    run = Run.objects.filter(contender__name="small@fp32").earliest("pk")
    usd = run.cost_usd
    Run.objects.filter(pk=run.pk).update(cost_usd=None)
    before = costs(priced)
    assert before["small@fp32"] == (None, None)
    Run.objects.filter(pk=run.pk).update(cost_usd=usd)
    after = costs(priced)
    assert after["small@fp32"] == pytest.approx((0.0001, 8 * 0.0001 / 3))
    assert after["large@fp32"] == before["large@fp32"]


def test_costs_that_are_all_known_are_asked_for_once(
    priced: Leaderboard, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    before = costs(priced)
    with django_assert_num_queries(1):  # what is superseded
        assert costs(priced) == before


def test_graded_scores_are_no_passes(priced: Leaderboard) -> None:
    PackedScores.objects.filter(run__contender__name="small@fp32").update(dtype="f8")
    assert costs(priced)["small@fp32"] == (pytest.approx(0.0001), None)


def test_the_page_shows_the_columns_on_request(client: Client, vera: User, priced: Leaderboard) -> None:
    client.force_login(vera)
    plain = client.get("/boards/lab/main/").content.decode()
    assert 'class="money"' not in plain
    assert re.search(r'name="costs" value="1">', plain)
    page = client.get("/boards/lab/main/?costs=1&sort=cost").content.decode()
    assert re.findall(r'class="money"[^>]*>([^<]*)<', page) == ["$0.0001", "$0.000267", "$0.0002", "$0.0002"]
    assert re.search(r'name="costs" value="1" checked', page)
    assert 'data-query="sort=cost&amp;costs=1"' in page
    assert page.count('aria-sort="ascending"') == 1


def test_what_is_not_known_is_a_dash(client: Client, vera: User, job: Job, board: Leaderboard) -> None:
    for rights in RIGHTS[:3]:
        factories.finish(rights)
    factories.refresh(board)
    client.force_login(vera)
    page = client.get("/boards/lab/main/?costs=1").content.decode()
    assert re.findall(r'class="money"[^>]*>([^<]*)<', page) == ["—"] * 4
    assert 'colspan="7"' in page


def test_what_is_costed_afterwards_is_shown_at_once(
    client: Client,
    alice: User,
    team: Team,
    entry: EntryVersion,
    other_entry: EntryVersion,
    job: Job,
    board: Leaderboard,
) -> None:
    for rights in RIGHTS:
        factories.finish(rights)
    factories.refresh(board)
    client.force_login(alice)
    before = client.get("/boards/lab/main/?costs=1").content.decode()
    for version in (entry, other_entry):
        factories.price(alice, version)
    price_runs(actor=alice, team=team, runs=Run.objects.all())
    after = client.get("/boards/lab/main/?costs=1").content.decode()
    assert [re.findall(r'class="money"[^>]*>([^<]*)<', page) for page in (before, after)] == [
        ["—"] * 4,
        ["$0.0001", "$0.0001", "$0.0001", "$0.000267"],
    ]
