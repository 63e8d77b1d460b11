"""What an attempt costs."""

from decimal import Decimal

import pytest

from evaluation.errors import BadParameter
from evaluation.pricing import UnitPrices

TOKENS = UnitPrices(Decimal("2.50"), Decimal(10), Decimal("1.25"), source="price list", valid_from="2026-01-01")


def spent(prices: UnitPrices, **known: float) -> float | None:
    nothing = {"tokens_in": None, "tokens_out": None, "tokens_cached": None, "seconds": None}
    return prices.cost(**{**nothing, **known})  # type: ignore[arg-type]


def test_tokens_are_charged_by_the_million_and_cached_ones_at_their_own_price():
    assert spent(TOKENS, tokens_in=1_000_000, tokens_out=100_000) == 3.5
    assert spent(TOKENS, tokens_in=1_000_000, tokens_out=100_000, tokens_cached=400_000) == 3.0
    plain = UnitPrices(Decimal(2), Decimal(2))
    assert spent(plain, tokens_in=500_000, tokens_out=0, tokens_cached=500_000) == 1.0


def test_hours_are_charged_by_the_second():
    assert spent(UnitPrices(hour_usd=Decimal(36)), seconds=2.0) == 0.02


def test_a_missing_count_is_missing_and_not_free():
    assert spent(TOKENS, tokens_in=10, seconds=1.0) is None
    assert spent(UnitPrices(hour_usd=Decimal(1)), tokens_in=10, tokens_out=1) is None


def test_prices_survive_the_way_through_json():
    assert UnitPrices.from_json(TOKENS.to_json()) == TOKENS
    assert TOKENS.to_json()["input_usd"] == "2.50"


@pytest.mark.parametrize(
    ("prices", "field"),
    [
        ({"input_usd": "-1", "output_usd": "1"}, "input_usd"),
        ({"hour_usd": "NaN"}, "hour_usd"),
        ({"hour_usd": "cheap"}, "hour_usd"),
        ({}, "input_usd"),
        ({"input_usd": "1"}, "input_usd"),
        ({"input_usd": "1", "output_usd": "1", "hour_usd": "1"}, "input_usd"),
    ],
)
def test_a_price_that_makes_no_sense_is_refused_by_field(prices, field):
    with pytest.raises(BadParameter) as refused:
        UnitPrices.from_json(prices)
    assert refused.value.field == field
