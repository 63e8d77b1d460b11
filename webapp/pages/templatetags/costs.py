"""How money and shares of a cost report are written: a hole is a dash, and infinity one symbol that says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf, isnan

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from evaluation.efficiency import RankAgreement
from webapp.results import cost_figures
from webapp.results.cost_figures import INFINITE, MISSING
from webapp.results.repeated import RepeatedContender, Repeats

register = template.Library()
NEVER = "Infinite: it never passes there"


@register.filter
def usd(value: float | str | None) -> SafeString:
    """A number of dollars, or one that is written already."""
    text = value if isinstance(value, str) else cost_figures.usd(value)
    if text == INFINITE:
        return format_html('<span title="{}">{}<span class="sr"> infinite</span></span>', NEVER, INFINITE)
    return format_html("{}", text)


@register.filter
def share(value: float | None) -> str:
    """0.834 -> 83.4: its unit stands in the head."""
    return cost_figures.share(value)


@register.filter
def usd_span(ends: tuple[float, float]) -> str:
    return cost_figures.span(ends)


@register.filter
def share_span(ends: tuple[float, float]) -> str:
    return cost_figures.span(ends, cost_figures.share)


@register.filter
def expert_usd(value: float) -> str:
    """What an expert asks; nobody has said so where the result holds infinity."""
    return "not known" if isinf(value) else cost_figures.usd(value)


@register.filter
def known(value: float) -> float | None:
    """A hole as None, for filters that write a dash for that."""
    return None if isnan(value) else value


@register.filter
def figure(value: float) -> str:
    """Three digits that count: 0.0123, 4.57, 1,230."""
    if isnan(value):
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@register.filter
def seconds(value: float) -> str:
    """0.0042 -> 4.2 ms, 1.5 -> 1.50 s."""
    if isnan(value):
        return MISSING
    if value >= 0.9995:
        return f"{value:.2f} s"
    return f"{1000 * value:.0f} ms" if value >= 0.1 else f"{1000 * value:.3g} ms"


@register.filter
def agreeing(found: RankAgreement) -> Iterator[tuple[str, list[tuple[str, str, int]]]]:
    """(indicator, cells of correlation, tau-b and number of contenders) by row."""
    for name, *matrices in zip(found.indicators, found.spearman, found.kendall, found.n, strict=True):
        cells = zip(*(matrix.tolist() for matrix in matrices), strict=True)
        yield name, [(_signed(rho), _signed(tau), n) for rho, tau, n in cells]


@register.filter
def voted(found: Repeats, row: RepeatedContender) -> list[tuple[int, float]]:
    """(k, share) of the votes that can be won: two answers decide nothing."""
    return [(k, rate) for k, rate in zip(found.k, row.majority, strict=True) if k > 2]


def _signed(value: float) -> str:
    return MISSING if isnan(value) else f"{value:.2f}".replace("-", "−")
