"""What changes prices: of entries, and of human experts. A price is added or withdrawn, never edited."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from evaluation.errors import BadParameter
from evaluation.pricing import UnitPrices
from evaluation.schemes import SCHEMES
from webapp.accounts.models import User
from webapp.accounts.selectors import May, require
from webapp.accounts.services import record
from webapp.catalog import price_list
from webapp.catalog.models import Benchmark, ModelEntry, Price
from webapp.catalog.price_list import DatedPrice, Listing
from webapp.catalog.services import SERVED
from webapp.errors import Unprocessable

AMOUNTS = ("input_usd", "output_usd", "cached_usd", "hour_usd")
# The first day of a list price that has no first day: earlier than anything on the list could be bought.
BEGINNING = date(2020, 1, 1)


@dataclass(frozen=True)
class PriceRequest:
    """A price as somebody states it: US dollars per million tokens, or per hour of the device."""

    source: str
    valid_from: date
    input_usd: Decimal | None = None
    output_usd: Decimal | None = None
    cached_usd: Decimal | None = None
    hour_usd: Decimal | None = None
    scheme: str = ""
    source_url: str = ""
    valid_to: date | None = None


@transaction.atomic
def add_price(*, actor: User, entry: ModelEntry, request: PriceRequest) -> Price:
    """Raises Unprocessable that names the field; runs that were costed already keep their prices."""
    require(actor, entry.team, May.SUBMIT)
    price = _insert(actor, entry, request)
    record(actor=actor, team=entry.team, verb="added price", target=entry, after=_for_audit(price))
    return price


def _insert(actor: User, entry: ModelEntry, request: PriceRequest) -> Price:
    _check(request)
    price = Price(entry=entry, created_by=actor, **asdict(request))
    try:
        price.clean_fields()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Unprocessable(" ".join(messages), field=field) from error
    price.save(force_insert=True)
    return price


def _check(request: PriceRequest) -> None:
    amounts = {name: getattr(request, name) for name in AMOUNTS}
    try:
        UnitPrices(**amounts)
    except BadParameter as error:
        raise Unprocessable(error.message, field=error.field, remedy=error.remedy) from error
    by_tokens = [name for name in AMOUNTS[:3] if amounts[name] is not None]
    if request.hour_usd is not None and by_tokens:
        raise Unprocessable("A price is by tokens or by the hour.", field=by_tokens[0], remedy="Give one of the two.")
    if request.scheme and request.scheme not in {SERVED, *SCHEMES}:
        raise Unprocessable(f"{request.scheme} is not a scheme.", field="scheme", remedy="Leave it empty for all.")
    if request.valid_to is not None and request.valid_to <= request.valid_from:
        raise Unprocessable("It ends before it begins.", field="valid_to", remedy="Leave it empty while it holds.")


@transaction.atomic
def withdraw_price(*, actor: User, price: Price, reason: str) -> Price:
    """An erroneous price counts no more and stays readable. Safe to press twice: the first reason stands."""
    require(actor, price.entry.team, May.MANAGE)
    if not reason.strip():
        raise Unprocessable("Why is it withdrawn?", field="reason", remedy="Give a reason: it stays beside the price.")
    price = Price.objects.select_for_update(of=("self",)).select_related("entry__team").get(pk=price.pk)
    if price.withdrawn_at is None:
        price.withdrawn_at, price.withdrawn_by, price.withdrawn_reason = timezone.now(), actor, reason.strip()
        price.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawn_reason"])
        after = {"reason": price.withdrawn_reason}
        team = price.entry.team
        record(actor=actor, team=team, verb="withdrew price", target=price.entry, before=_for_audit(price), after=after)
    return price


@transaction.atomic
def take_over_prices(
    *, actor: User, entry: ModelEntry, provider: str, model: str, scheme: str = ""
) -> tuple[list[Price], Listing]:
    """The dated prices of a listing as rows of the entry, those that it has already left out; returns the new ones."""
    require(actor, entry.team, May.SUBMIT)
    listing = price_list.find(provider, model)
    if listing is None:
        raise Unprocessable(
            f"The price list has no price by tokens for {provider}/{model}.",
            field="model",
            remedy="Search the list, or add the price by hand.",
        )
    ModelEntry.objects.select_for_update(no_key=True).get(pk=entry.pk)
    known = {_key(price) for price in Price.objects.filter(entry=entry, withdrawn_at=None)}
    requests = [_request(entry, listing, dated, scheme) for dated in listing.prices]
    added = [_insert(actor, entry, request) for request in requests if _key(request) not in known]
    if added:
        after = {"source": added[0].source, "valid_from": [price.valid_from.isoformat() for price in added]}
        record(actor=actor, team=entry.team, verb="took over prices", target=entry, after=after)
    return added, listing


def _request(entry: ModelEntry, listing: Listing, dated: DatedPrice, scheme: str) -> PriceRequest:
    return PriceRequest(
        source=f"{price_list.edition()}: {listing.provider}/{listing.model}"[:200],
        source_url=listing.url,
        scheme=scheme,
        input_usd=dated.input_usd,
        output_usd=dated.output_usd,
        cached_usd=dated.cached_usd,
        valid_from=dated.valid_from or _beginning(entry, dated),
        valid_to=dated.valid_to,
    )


def _beginning(entry: ModelEntry, dated: DatedPrice) -> date:
    """What the list knows no first day of holds since the entry's release, where that is known and fits."""
    released = entry.released_on
    fits = released is not None and (dated.valid_to is None or released < dated.valid_to)
    return released if released is not None and fits else BEGINNING


def _key(price: Price | PriceRequest) -> tuple[Any, ...]:
    """What makes two rows the same price. Their last day does not: a newer list may know it, an older one not."""
    return price.scheme, price.valid_from, *(getattr(price, name) for name in AMOUNTS)


def _for_audit(price: Price) -> dict[str, Any]:
    fields = (*AMOUNTS, "scheme", "source", "valid_from", "valid_to")
    return {name: str(value) for name in fields if (value := getattr(price, name)) not in (None, "")}


@transaction.atomic
def set_expert_cost(*, actor: User, benchmark: Benchmark, usd: Decimal | None, source: str = "") -> Benchmark:
    """What a sample costs when a human expert answers it, and who says so; None takes it away."""
    require(actor, benchmark.team, May.SUBMIT)
    source = source.strip() if usd is not None else ""
    if usd is not None and not (usd.is_finite() and usd > 0):
        raise Unprocessable("An expert costs more than nothing.", field="usd", remedy="Leave it empty if not known.")
    if usd is not None and not source:
        raise Unprocessable("Who says so?", field="source", remedy="Name where the figure comes from.")
    benchmark = Benchmark.objects.select_for_update(of=("self",)).select_related("team").get(pk=benchmark.pk)
    before = _expert(benchmark)
    benchmark.expert_cost_usd, benchmark.expert_cost_source = usd, source
    try:
        benchmark.clean_fields(exclude=["name", "title", "description"])
    except ValidationError as error:
        raise Unprocessable(" ".join(error.messages), field="usd") from error
    if before != _expert(benchmark):
        benchmark.save(update_fields=["expert_cost_usd", "expert_cost_source"])
        after = _expert(benchmark)
        record(actor=actor, team=benchmark.team, verb="set expert cost", target=benchmark, before=before, after=after)
    return benchmark


def _expert(benchmark: Benchmark) -> dict[str, str]:
    usd = benchmark.expert_cost_usd
    return {} if usd is None else {"usd": f"{usd:.4f}", "source": benchmark.expert_cost_source}
