"""How differences and tests are written on the compare page."""

from __future__ import annotations

from django import template

register = template.Library()
MISSING = "—"


@register.filter
def signed(value: float | None) -> str:
    """0.0213 -> +2.1, in points; with a true minus."""
    return MISSING if value is None else f"{100 * value:+.1f}".replace("-", "−")


@register.filter
def p_value(value: float) -> str:
    """Three digits; below 0.001 only that."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
