"""Prices: dated, sourced, never edited; taken over from the list; and what an expert costs."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from webapp.accounts.models import AuditEvent, User
from webapp.catalog import price_list, prices, selectors
from webapp.catalog.expert_costs import suggested
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Price
from webapp.catalog.prices import PriceRequest
from webapp.catalog.services import contender
from webapp.errors import NotAllowed, Unprocessable
from webapp.tests import factories

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
TOKENS = {"hour_usd": None, "input_usd": Decimal("1.5"), "output_usd": Decimal(6)}


def on(version: EntryVersion, scheme: str, day: date) -> str:
    """The source of the price that holds: tests name their prices by it."""
    price = selectors.price_on(contender(version=version, scheme=scheme), day)
    return price.source if price else ""


def test_the_price_that_holds_since_last_is_the_one_of_the_day(bob: User, entry: EntryVersion) -> None:
    factories.price(bob, entry, source="old", valid_from=date(2026, 1, 1))
    factories.price(bob, entry, source="new", valid_from=JUNE)
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 5, 31), JUNE, date(2030, 1, 1)]
    assert [on(entry, "fp32", day) for day in days] == ["", "old", "old", "new", "new"]


def test_a_price_ends_before_its_last_day(bob: User, entry: EntryVersion) -> None:
    factories.price(bob, entry, source="trial", valid_from=JUNE, valid_to=JULY)
    assert [on(entry, "fp32", day) for day in (JUNE, date(2026, 6, 30), JULY)] == ["trial", "trial", ""]


def test_a_price_of_the_scheme_goes_before_a_newer_one_for_all(bob: User, entry: EntryVersion) -> None:
    factories.price(bob, entry, source="own", scheme="bf16", valid_from=JUNE)
    factories.price(bob, entry, source="all", valid_from=JULY)
    assert (on(entry, "bf16", JULY), on(entry, "fp32", JULY), on(entry, "fp32", JUNE)) == ("own", "all", "")
    shown = selectors.current_prices(selectors.prices(entry.entry), JULY)
    assert [(price.scheme, price.source) for price in shown] == [("", "all"), ("bf16", "own")]


def test_prices_of_many_contenders_take_one_query(
    bob: User, entry: EntryVersion, other_entry: EntryVersion, django_assert_num_queries: Any
) -> None:
    factories.price(bob, entry, source="small")
    rows = [contender(version=version, scheme=s) for version in (entry, other_entry) for s in ("fp32", "bf16")]
    with django_assert_num_queries(1):
        found = selectors.chosen_prices(rows, selectors.ask_prices(rows, JUNE).all())
    assert {pk: price.source for pk, price in found.items()} == {rows[0].pk: "small", rows[1].pk: "small"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"hour_usd": None}, "input_usd"),
        ({"hour_usd": None, "input_usd": Decimal(1)}, "input_usd"),
        ({**TOKENS, "hour_usd": Decimal(1)}, "input_usd"),
        ({"hour_usd": Decimal(1), "cached_usd": Decimal(1)}, "cached_usd"),
        ({"hour_usd": Decimal(-1)}, "hour_usd"),
        ({"hour_usd": Decimal("NaN")}, "hour_usd"),
        ({"hour_usd": Decimal("Infinity")}, "hour_usd"),
        ({"hour_usd": Decimal("1e12")}, "hour_usd"),
        ({"hour_usd": Decimal("0.0000001")}, "hour_usd"),
        ({"scheme": "int99"}, "scheme"),
        ({"valid_from": JULY, "valid_to": JULY}, "valid_to"),
        ({"source": ""}, "source"),
        ({"source_url": "javascript:alert(1)"}, "source_url"),
    ],
)
def test_a_wrong_price_is_refused_on_its_field(
    bob: User, entry: EntryVersion, fields: dict[str, Any], field: str
) -> None:
    request = PriceRequest(**{"source": "An invoice", "valid_from": JUNE, "hour_usd": Decimal(1), **fields})
    with pytest.raises(Unprocessable) as error:
        prices.add_price(actor=bob, entry=entry.entry, request=request)
    assert error.value.field == field
    assert not Price.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"hour_usd": Decimal(-1)},
        {"hour_usd": None},
        {"input_usd": Decimal(1)},
        {"valid_to": date(2026, 1, 1)},
        {"withdrawn_reason": "no time"},
    ],
)
def test_the_database_refuses_what_no_service_checked(bob: User, entry: EntryVersion, fields: dict[str, Any]) -> None:
    row = {"source": "x", "valid_from": JUNE, "hour_usd": Decimal(1), "created_by": bob, "entry": entry.entry}
    with pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.create(**{**row, **fields})


@pytest.mark.parametrize("change", [{"hour_usd": Decimal(2)}, {"valid_from": JULY}, {"source": "forged"}])
def test_the_database_refuses_to_edit_a_price(bob: User, entry: EntryVersion, change: dict[str, Any]) -> None:
    price = factories.price(bob, entry)
    with pytest.raises(DatabaseError, match="its rows never change"), transaction.atomic():
        Price.objects.filter(pk=price.pk).update(**change)


def test_a_withdrawn_price_counts_no_more_and_stays(alice: User, bob: User, entry: EntryVersion) -> None:
    factories.price(bob, entry, source="old")
    wrong = factories.price(bob, entry, source="wrong", valid_from=JUNE)
    with pytest.raises(NotAllowed):
        prices.withdraw_price(actor=bob, price=wrong, reason="A slip")
    with pytest.raises(Unprocessable):
        prices.withdraw_price(actor=alice, price=wrong, reason="  ")
    assert on(entry, "fp32", JUNE) == "wrong"

    prices.withdraw_price(actor=alice, price=wrong, reason="Ten times too high")
    again = prices.withdraw_price(actor=alice, price=wrong, reason="Another reason")

    assert on(entry, "fp32", JUNE) == "old"
    assert (again.withdrawn_reason, again.withdrawn_by) == ("Ten times too high", alice)
    assert [event.verb for event in AuditEvent.objects.filter(verb__contains="price").order_by("id")] == [
        "added price", "added price", "withdrew price",
    ]  # fmt: skip
    with pytest.raises(DatabaseError, match="its rows never change"), transaction.atomic():
        Price.objects.filter(pk=wrong.pk).update(withdrawn_at=None, withdrawn_by=None, withdrawn_reason="")


def test_the_list_is_searched_by_the_name_that_the_endpoint_knows() -> None:
    first = price_list.search("gpt-4o-2024-08-06")[0]
    assert first.model == "gpt-4o"
    assert price_list.search("  ") == []
    assert price_list.search("no such model anywhere") == []
    assert price_list.find("openai", "no-such-model") is None
    assert all(listing.prices for listing in price_list.search("openai"))


def test_the_list_tells_the_history_and_what_it_leaves_out() -> None:
    o3 = price_list.find("openai", "o3")
    assert o3 is not None
    assert [(p.valid_from, p.valid_to, p.input_usd, p.output_usd, p.cached_usd) for p in o3.prices] == [
        (None, date(2025, 6, 10), Decimal(10), Decimal(40), Decimal("0.5")),
        (date(2025, 6, 10), None, Decimal(2), Decimal(8), Decimal("0.5")),
    ]
    assert o3.notes == ()
    by_hour, by_length = price_list.find("deepseek", "deepseek-chat"), price_list.find("anthropic", "claude-opus-4-6")
    assert by_hour is not None
    assert by_hour.notes == (price_list.BY_TIME,)
    assert by_length is not None
    assert by_length.notes == (price_list.BY_LENGTH,)


def test_a_listing_is_taken_over_with_its_dates_once(bob: User, vera: User, entry: EntryVersion) -> None:
    with pytest.raises(NotAllowed):
        prices.take_over_prices(actor=vera, entry=entry.entry, provider="openai", model="o3")
    added, _ = prices.take_over_prices(actor=bob, entry=entry.entry, provider="openai", model="o3")
    again, _ = prices.take_over_prices(actor=bob, entry=entry.entry, provider="openai", model="o3")
    assert (len(added), again) == (2, [])
    assert added[0].source == f"{price_list.edition()}: openai/o3"
    assert added[0].source_url.startswith("https://")
    before = selectors.price_on(contender(version=entry, scheme="fp32"), date(2025, 6, 9))
    after = selectors.price_on(contender(version=entry, scheme="fp32"), date(2025, 6, 10))
    assert before is not None
    assert after is not None
    assert (before.input_usd, after.input_usd) == (10, 2)
    assert before.valid_from == prices.BEGINNING
    assert AuditEvent.objects.filter(verb="took over prices").count() == 1


def test_the_first_price_of_a_listing_holds_since_the_release(bob: User, entry: EntryVersion) -> None:
    entry.entry.released_on = date(2025, 4, 16)
    entry.entry.save()
    added, _ = prices.take_over_prices(actor=bob, entry=entry.entry, provider="openai", model="o3", scheme="served")
    assert [(price.valid_from, price.scheme) for price in added] == [
        (date(2025, 4, 16), "served"), (date(2025, 6, 10), "served"),
    ]  # fmt: skip


def test_an_unknown_listing_is_refused(bob: User, entry: EntryVersion) -> None:
    with pytest.raises(Unprocessable) as error:
        prices.take_over_prices(actor=bob, entry=entry.entry, provider="openai", model="gpt-0")
    assert error.value.field == "model"


def test_an_expert_costs_what_somebody_says_and_the_log_keeps_both(
    bob: User, vera: User, benchmark: BenchmarkVersion
) -> None:
    owned = benchmark.benchmark
    assert owned.expert_cost_usd is None, "nothing is set by itself"
    with pytest.raises(NotAllowed):
        prices.set_expert_cost(actor=vera, benchmark=owned, usd=Decimal(1), source="me")
    for usd, source, field in ((Decimal(0), "me", "usd"), (Decimal(1), " ", "source"), (Decimal("1e9"), "me", "usd")):
        with pytest.raises(Unprocessable) as error:
            prices.set_expert_cost(actor=bob, benchmark=owned, usd=usd, source=source)
        assert error.value.field == field
    prices.set_expert_cost(actor=bob, benchmark=owned, usd=Decimal("3.5"), source="A quote")
    prices.set_expert_cost(actor=bob, benchmark=owned, usd=Decimal("3.50"), source="A quote")
    prices.set_expert_cost(actor=bob, benchmark=owned, usd=None)
    said = [(e.before, e.after) for e in AuditEvent.objects.filter(verb="set expert cost").order_by("id")]
    quote = {"usd": "3.5000", "source": "A quote"}
    assert said == [({}, quote), (quote, {})]


@pytest.mark.parametrize(
    ("names", "usd"),
    [
        (("two-digit-addition", ""), "0.02"),
        (("school", "GSM8K, graded"), "3.50"),
        (("bbq_age",), "0.10"),
        (("gpqa_diamond_zeroshot",), "58"),
        (("x", "", "minerva_math500"), "12"),
        (("aime25",), "20"),
    ],
)
def test_known_benchmarks_have_a_suggestion_from_the_paper(names: tuple[str, ...], usd: str) -> None:
    found = suggested(*names)
    assert found is not None
    assert found.usd == Decimal(usd)
    assert "arXiv 2504.13359" in found.source
    assert suggested("sums", "Sums of two", "arc_easy") is None
