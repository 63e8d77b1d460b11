"""A new SECRET_KEY: everything that the old one sealed is sealed anew, row by row, while the platform runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Model

from webapp.catalog.models import EntryVersion
from webapp.catalog.sealing import KEYS
from webapp.errors import DomainError
from webapp.notices.models import Webhook
from webapp.notices.webhooks import SECRETS
from webapp.reviews.record import public_key
from webapp.sealing import Sealing, sealed_at

# Every column of sealed secrets; a test finds one that is missing here.
SEALED: tuple[tuple[type[Model], str, Sealing], ...] = (
    (EntryVersion, "sealed_key", KEYS),
    (Webhook, "sealed_secret", SECRETS),
)


@dataclass
class Rotation:
    """Rows that were sealed anew, or would be; rows that no key opens."""

    done: int = 0
    unreadable: list[str] = field(default_factory=list)


def rotate(*, dry: bool = False) -> Rotation:
    """Seal everything with the present key. Safe to repeat, and to stop halfway. dry: only count."""
    rotation = Rotation()
    for model, column, sealing in SEALED:
        for pk, sealed in _rows(model, column):
            try:
                fresh = sealing.resealed(sealed)
            except DomainError:
                rotation.unreadable.append(f"{model._meta.label} {pk}")
                continue
            if fresh == sealed:
                continue
            # Somebody may have given the row another secret meanwhile: that one is new, and stays.
            kept = dry or model._default_manager.filter(pk=pk, **{column: sealed}).update(**{column: fresh})
            rotation.done += bool(kept)
    return rotation


def _rows(model: type[Model], column: str) -> Iterator[tuple[int, bytes]]:
    rows = model._default_manager.exclude(**{column: b""}).order_by("pk").values_list("pk", column)
    for pk, sealed in rows.iterator(chunk_size=500):
        yield pk, bytes(sealed)


def has_present_key() -> bool:
    """Whether our keys open what was sealed last. Those of a host that a rotation has left out do not."""
    last, opened = -1, True
    for model, column, sealing in SEALED:
        for _, sealed in _rows(model, column):
            at = sealed_at(sealed)
            if at >= last:
                opened = sealing.opens(sealed) or (opened and at == last)
                last = at
    return opened


def retired_signing_keys() -> list[str]:
    """Public keys that must be remembered when the former SECRET_KEYs are taken away."""
    former = [public_key(secret) for secret in settings.SECRET_KEY_FALLBACKS]
    return list(dict.fromkeys([*former, *settings.RETIRED_SIGNING_KEYS]))
