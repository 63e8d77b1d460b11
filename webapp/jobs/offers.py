"""Which schemes can be run today, and in words why others cannot: told by the workers that are alive."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.schemes import SCHEMES, SchemeInfo
from webapp.jobs.models import Worker
from webapp.jobs.selectors import alive_workers


@dataclass(frozen=True)
class Offer:
    """A scheme and why no living worker can run it; "" when one can, or when nobody is there to ask."""

    info: SchemeInfo
    reason: str

    @property
    def bits(self) -> str:
        """4.5 or 3.59; "" where the checkpoint says it."""
        return f"{self.info.bits:.3g}" if self.info.bits else ""

    @property
    def available(self) -> bool:
        return not self.reason


def offers() -> list[Offer]:
    """All schemes in the order of their registration; one query."""
    hands = list(alive_workers())
    return [Offer(info, _reason(key, hands)) for key, info in SCHEMES.items()]


def _reason(key: str, hands: list[Worker]) -> str:
    if not hands or any(key in worker.schemes for worker in hands):
        return ""
    said = dict.fromkeys(str(worker.environment.get(f"no {key}", "")) for worker in hands)
    return " ".join(filter(None, said)) or "No running worker offers it."


def families(found: list[Offer]) -> dict[str, list[Offer]]:
    """Offers by family, both in the order of registration."""
    grouped: dict[str, list[Offer]] = {}
    for offer in found:
        grouped.setdefault(offer.info.family, []).append(offer)
    return grouped
