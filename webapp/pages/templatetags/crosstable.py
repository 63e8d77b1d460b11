"""How numbers, times and states are written, the same on every page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from evaluation import pricing
from webapp.accounts.selectors import is_operator
from webapp.jobs.recorded import spelled

register = template.Library()
register.filter("is_operator", is_operator)
MISSING = "—"


@register.filter
def percent(value: float | None) -> str:
    """0.8342 -> 83.4; missing is a dash, never zero. The unit stands in the column's head."""
    return MISSING if value is None else f"{100 * value:.1f}"


@register.filter
def worded(name: str) -> str:
    """The name of a field for people: pairs_per_round -> Pairs per round."""
    return spelled(name)


@register.filter
def points(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


@register.filter
def duration(seconds: float | None) -> str:
    """75 -> 1 min 15 s."""
    if seconds is None:
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{timedelta(hours=hours).days} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes} min"


@register.filter
def brief(seconds: float | None) -> str:
    """A time that may be short: 0.0042 -> 4.2 ms, 0.35 -> 350 ms, 75 -> 1 min 15 s."""
    if seconds is None or seconds >= 1:
        return duration(seconds)
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


@register.filter
def count(value: int | None) -> str:
    """12032 -> 12,032."""
    return MISSING if value is None else f"{value:,}"


@register.filter
def magnitude(value: float | None) -> str:
    """398000 -> 398 k, 7000000000 -> 7.0 B."""
    if value is None:
        return MISSING
    for limit, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            scaled = value / limit
            return f"{scaled:.1f} {unit}" if scaled < 10 else f"{scaled:.0f} {unit}"
    return str(value)


@register.filter
def size(value: int | None) -> str:
    if value is None:
        return MISSING
    amount, unit = float(value), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


@register.filter
def growth(value: int | None) -> str:
    """What a size has grown by: 1200000 -> +1.2 MB, -3 -> −3 B."""
    sign = "+" if (value or 0) > 0 else "−" if (value or 0) < 0 else ""
    return sign + size(None if value is None else abs(value))


@register.filter
def dollars(value: float | Decimal | None) -> str:
    """0.0123456 -> $0.0123, 1234.5 -> $1,234.50."""
    return MISSING if value is None else pricing.dollars(value)


@register.filter
def exact_dollars(value: Decimal | None) -> str:
    """0.0028 -> $0.0028, 12.5 -> $12.50: a price, with every digit that it has."""
    if value is None:
        return MISSING
    exponent = value.normalize().as_tuple().exponent
    return f"${value:,.{max(2, -int(exponent))}f}"


STATES = {
    "queued": ("◷", "Queued"),
    "running": ("▶", "Running"),
    "done": ("✓", "Done"),
    "failed": ("✕", "Failed"),
    "cancelled": ("■", "Cancelled"),
    "none": ("—", "Not run"),
    "uploading": ("↑", "Uploading"),
    "ready": ("◇", "Ready to load"),
}


@register.simple_tag
def state(value: str) -> SafeString:
    """A state is told by icon and word, and only then by colour."""
    icon, word = STATES[value]
    return format_html('<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>', value, icon, word)
