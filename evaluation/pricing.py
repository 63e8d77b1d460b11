"""Unit prices, and what an attempt costs at them. Money is in US dollars; prices are exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from evaluation.errors import BadParameter

MILLION, HOUR = Decimal(1_000_000), Decimal(3600)


def dollars(value: float | Decimal) -> str:
    """An amount in words: 1234.5 -> $1,234.50; below a dollar with three digits that count, 0.0123456 -> $0.0123."""
    if value >= 1 or not value:
        return f"${value:,.2f}"
    short = Decimal(f"{value:.3g}").normalize()
    return f"${short:.{max(2, -int(short.as_tuple().exponent))}f}"


@dataclass(frozen=True, slots=True)
class UnitPrices:
    """What a contender cost when it ran: by tokens, or by the hour of its device.

    input_usd, output_usd, cached_usd: per million tokens; without cached_usd, cached tokens cost what input costs.
    hour_usd: per hour of the device, for self-hosted contenders. source and valid_from (ISO date): where the price is
    from and since when it holds. Raises BadParameter for a price that is negative, or for tokens and hours together.
    """

    input_usd: Decimal | None = None
    output_usd: Decimal | None = None
    cached_usd: Decimal | None = None
    hour_usd: Decimal | None = None
    source: str = ""
    valid_from: str = ""

    def __post_init__(self) -> None:
        for name in ("input_usd", "output_usd", "cached_usd", "hour_usd"):
            price = getattr(self, name)
            if price is not None and not (price.is_finite() and price >= 0):
                raise BadParameter("A price is a finite number of dollars and not negative.", field=name)
        tokens = self.input_usd is not None and self.output_usd is not None
        if tokens == (self.hour_usd is not None):
            remedy = "Give input and output prices, or the price of an hour."
            raise BadParameter("A price is by tokens or by the hour.", field="input_usd", remedy=remedy)

    def cost(
        self, *, tokens_in: int | None, tokens_out: int | None, tokens_cached: int | None, seconds: float | None
    ) -> float | None:
        """USD of one attempt; None where a count that the price needs is missing, for missing is not free.

        tokens_cached are part of tokens_in; where the server does not tell them, all input is charged in full.
        """
        if self.hour_usd is not None:
            return None if seconds is None else float(self.hour_usd * Decimal(seconds) / HOUR)
        if self.input_usd is None or self.output_usd is None or tokens_in is None or tokens_out is None:
            return None
        cached = min(tokens_cached or 0, tokens_in)
        cached_usd = self.input_usd if self.cached_usd is None else self.cached_usd
        dollars = (tokens_in - cached) * self.input_usd + cached * cached_usd + tokens_out * self.output_usd
        return float(dollars / MILLION)

    def to_json(self) -> dict[str, str | None]:
        """Money as decimal strings."""
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> UnitPrices:
        """The inverse of `to_json`. Raises BadParameter that names the field."""
        values = {item.name: stored.get(item.name) for item in fields(cls)}
        for name in ("input_usd", "output_usd", "cached_usd", "hour_usd"):
            try:
                values[name] = None if values[name] in (None, "") else Decimal(str(values[name]))
            except InvalidOperation:
                raise BadParameter(f"“{values[name]}” is not an amount of dollars.", field=name) from None
        return cls(**{name: value for name, value in values.items() if value is not None})
