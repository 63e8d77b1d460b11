"""What a human expert costs per sample, as the paper on cost-of-pass estimates it: suggested, never set by itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

PAPER = "estimate of “Cost-of-Pass: An Economic Framework for Evaluating Language Models” (arXiv 2504.13359)"


@dataclass(frozen=True)
class Suggestion:
    """US dollars per sample for a benchmark that people know under this title."""

    title: str
    usd: Decimal
    source: str


# What a benchmark's name must hold, letters and digits only -> the paper's title of it and its figure.
KNOWN = {
    "twodigit": ("two-digit addition", "0.02"),
    "gsm8k": ("GSM8K", "3.50"),
    "bbq": ("BBQ", "0.10"),
    "gpqadiamond": ("GPQA-Diamond", "58"),
    "math500": ("MATH-500", "12"),
    "aime": ("AIME", "20"),
}


def suggested(*names: str) -> Suggestion | None:
    """For a benchmark with one of these names (its own, its title, its task in the harness)."""
    for name in names:
        plain = "".join(letter for letter in name.lower() if letter.isalnum())
        for key, (title, usd) in KNOWN.items():
            if key in plain:
                return Suggestion(title, Decimal(usd), f"{PAPER} for {title}")
    return None
