"""The colours of the stylesheet with their contrast, read from the stylesheet itself: nothing here can go stale."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from django.conf import settings

SHEETS = ("css/crosstable.css", "css/figures.css")
PAIR = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TEXT, GRAPHIC = 4.5, 3.0  # WCAG 2.2, criteria 1.4.3 and 1.4.11
WRITTEN = ("ink", "muted", "accent", "good", "bad", "wait")  # colours of text; hues are those of graphics


@dataclass(frozen=True)
class Colour:
    """light, dark: as #rrggbb. light_ratio, dark_ratio: WCAG contrast with the sheet of the theme. least: what is asked
    of it, 0 for surfaces."""

    name: str
    light: str
    dark: str
    light_ratio: float
    dark_ratio: float
    least: float

    @property
    def passes(self) -> bool:
        return min(self.light_ratio, self.dark_ratio) >= self.least


@cache
def colours() -> tuple[Colour, ...]:
    """All custom properties that are a pair of colours, in the order of the stylesheets."""
    texts = [(settings.BASE_DIR / "static" / sheet).read_text() for sheet in SHEETS]
    pairs = {name: (light, dark) for text in texts for name, light, dark in PAIR.findall(text)}
    sheet = pairs["sheet"]
    return tuple(
        Colour(name, light, dark, contrast(light, sheet[0]), contrast(dark, sheet[1]), _least(name))
        for name, (light, dark) in pairs.items()
    )


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    """Relative luminance in sRGB, 0 to 1."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _least(name: str) -> float:
    if name in WRITTEN:
        return TEXT
    return GRAPHIC if name.startswith("hue-") or name == "line-strong" else 0.0
