"""List prices of endpoints with their history, from the package genai-prices: the one file that imports it.

Offline: the data come with the package, nothing is fetched. The package is read on first use only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

FOUND = 20
BY_TIME = "It also has prices for hours of the day. A price here holds for whole days, so those are left out."
BY_LENGTH = "Longer prompts cost more there. The price of short ones is taken."


@dataclass(frozen=True)
class DatedPrice:
    """US dollars per million tokens, from `valid_from` (None: as far back as the list knows) to before `valid_to`."""

    input_usd: Decimal
    output_usd: Decimal
    cached_usd: Decimal | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True)
class Listing:
    """What a provider asks for a model, oldest price first. notes: what the list knows and a dated price cannot say."""

    provider: str
    provider_title: str
    model: str
    title: str
    url: str
    prices: tuple[DatedPrice, ...]
    notes: tuple[str, ...] = field(default=())


def edition() -> str:
    """Name and version of the list, for the source of a price."""
    import genai_prices

    return f"genai-prices {genai_prices.__version__}"


def search(text: str, limit: int = FOUND) -> list[Listing]:
    """Listings that answer to this very reference first, then those with all its words in their names."""
    reference = text.strip().lower()
    if not reference:
        return []
    exact = ((p, m) for p, m in _models() if _answers_to(m, reference))
    words = reference.split()
    similar = ((p, m) for p, m in _models() if all(word in _names(p, m) for word in words))
    found: dict[tuple[str, str], Listing] = {}
    for provider, model in (*exact, *similar):
        listing = _listing(provider, model)
        if listing.prices:
            found.setdefault((listing.provider, listing.model), listing)
    return list(islice(found.values(), limit))


def find(provider: str, model: str) -> Listing | None:
    """The listing with these ids; None where the list has no price by tokens for it."""
    for candidate, info in _models():
        if candidate.id == provider and info.id == model:
            listing = _listing(candidate, info)
            return listing if listing.prices else None
    return None


@cache
def _models() -> tuple[tuple[Any, Any], ...]:
    from genai_prices.data import providers

    return tuple((provider, model) for provider in providers for model in provider.models)


def _answers_to(model: Any, reference: str) -> bool:
    return bool(model.id.lower() == reference or model.is_match(reference))


def _names(provider: Any, model: Any) -> str:
    return f"{provider.id} {provider.name} {model.id} {model.name or ''}".lower()


def _listing(provider: Any, model: Any) -> Listing:
    dated = list(_by_day(model.prices))
    amounts = [(start, _amounts(prices)) for start, prices in dated]
    ends = [start for start, _ in dated[1:]] + [None]
    by_time = isinstance(model.prices, list) and len(dated) < len(model.prices)
    by_length = any(_is_tiered(prices) for _, prices in dated)
    return Listing(
        provider=provider.id,
        provider_title=provider.name,
        model=model.id,
        title=model.name or model.id,
        url=(provider.pricing_urls or [""])[0],
        prices=tuple(
            DatedPrice(*found, valid_from=start, valid_to=end)
            for (start, found), end in zip(amounts, ends, strict=True)
            if found is not None
        ),
        notes=tuple(note for note, holds in ((BY_TIME, by_time), (BY_LENGTH, by_length)) if holds),
    )


def _by_day(prices: Any) -> Iterator[tuple[date | None, Any]]:
    """(first day, prices) in order of time: the first has no first day. Prices by the hour are left out."""
    if not isinstance(prices, list):
        yield None, prices
        return
    for conditional in prices:
        if conditional.constraint is None:
            yield None, conditional.prices
        elif hasattr(conditional.constraint, "start_date"):
            yield conditional.constraint.start_date, conditional.prices


def _amounts(prices: Any) -> tuple[Decimal, Decimal, Decimal | None] | None:
    """Input, output, cached; None for what is not sold by tokens in and out (speech, pictures, embeddings)."""
    into, out, cached = (_base(getattr(prices, f"{name}_mtok")) for name in ("input", "output", "cache_read"))
    return None if into is None or out is None else (into, out, cached)


def _base(price: Any) -> Decimal | None:
    base: Decimal | None = getattr(price, "base", price)
    return base


def _is_tiered(prices: Any) -> bool:
    return any(hasattr(getattr(prices, f"{name}_mtok"), "tiers") for name in ("input", "output", "cache_read"))
