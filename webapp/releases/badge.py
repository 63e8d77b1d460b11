"""A release as an SVG badge: two fields of text that need no font of ours and no script."""

from __future__ import annotations

from xml.sax.saxutils import escape

from webapp.releases.changes import rank
from webapp.releases.snapshots import Frozen

HEIGHT = 20
PADDING = 7
# Widths of a character of 11 px Verdana, roughly: the fields stretch their text to what is reserved for it.
NARROW, WIDE, USUAL = 4.2, 9.5, 6.9
STATES = {"ranked": "#1f6f54", "plain": "#2f5d8a", "withdrawn": "#8a3b2f"}


def badge(frozen: Frozen, release: str, contender: str = "", *, withdrawn: bool = False) -> str:
    """`board | release`, or a contender's rank in it. Raises LookupError for a contender that is not part of it."""
    ranked = sum(bool(rank(row)) for row in frozen["standings"])
    if withdrawn:
        return _svg(frozen["title"], f"{release}: withdrawn", STATES["withdrawn"])
    if not contender:
        return _svg(frozen["title"], f"{release} · {ranked} ranked", STATES["plain"])
    row = next((row for row in frozen["standings"] if row["contender"] == contender), None)
    if row is None:
        raise LookupError(contender)
    place = f"rank {rank(row)} of {ranked}" if rank(row) else "not ranked"
    return _svg(f"{frozen['title']} {release}", place, STATES["ranked" if rank(row) else "plain"])


def _svg(left: str, right: str, colour: str) -> str:
    left, right = left[:60], right[:60]
    first, second = _width(left), _width(right)
    label = escape(f"{left}: {right}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="{HEIGHT}" role="img" '
        f'aria-label="{label}"><title>{label}</title>'
        f'<clipPath id="r"><rect width="{first + second}" height="{HEIGHT}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{first}" height="{HEIGHT}" fill="#444"/>'
        f'<rect x="{first}" width="{second}" height="{HEIGHT}" fill="{colour}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(left, 0, first)}{_text(right, first, second)}</g></svg>"
    )


def _text(text: str, start: int, width: int) -> str:
    length = width - 2 * PADDING
    return f'<text x="{start + width / 2:g}" y="14" textLength="{length}">{escape(text)}</text>'


def _width(text: str) -> int:
    letters = sum(NARROW if c in "iljtfr.,:;|!'() " else WIDE if c in "mwMW@%" else USUAL for c in text)
    return round(letters) + 2 * PADDING
