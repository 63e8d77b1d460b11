"""The sign-off record: what was approved, by whom, on which numbers, as signed JSON that anybody can verify.

Signed with Ed25519 (RFC 8032) over the canonical JSON of the record: sorted keys, no spaces, UTF-8. The key is derived
from SECRET_KEY, so that it needs no file of its own; its public half is shown with every record. After a change of
SECRET_KEY old records are verified by the keys of SECRET_KEY_FALLBACKS, and by the public keys of those before them
(CROSSTABLE_RETIRED_SIGNING_KEYS, which `manage.py rotate_keys` prints).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from webapp.errors import Conflict, DomainError
from webapp.reviews import selectors
from webapp.reviews.checks import checks
from webapp.reviews.models import Review

KIND = "crosstable sign-off record 1"
SIGNED = (Review.State.APPROVED, Review.State.PUBLISHED, Review.State.SUPERSEDED)


def sign_off(review: Review) -> dict[str, Any]:
    """{"record": ..., "public_key": base64, "signature": base64}. Raises Conflict before there is an approval."""
    if review.state not in SIGNED:
        said = "There is no sign-off: this review is not approved."
        raise Conflict(said, field="state", remedy="Come back when it is.")
    record = _record(review)
    return {"record": record, "public_key": public_key(), "signature": _text(_key().sign(canonical(record)))}


def public_key(secret: str = "") -> str:
    """This server's, base64; of a former SECRET_KEY when one is given."""
    raw = _key(secret).public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return _text(raw)


def our_public_keys() -> list[str]:
    """All that this server has ever signed with, as far as its settings remember; the present one first."""
    former = [public_key(secret) for secret in settings.SECRET_KEY_FALLBACKS]
    return list(dict.fromkeys([public_key(), *former, *settings.RETIRED_SIGNING_KEYS]))


def verified(document: Any, key: str = "") -> dict[str, Any]:
    """The record inside, if its signature is by this key (none: one of this server's). Raises DomainError otherwise.

    The key that stands in the document proves nothing by itself: whoever forges a record brings a key along.
    """
    try:
        record, signature = document["record"], base64.b64decode(document["signature"], validate=True)
        keys = [_public(text) for text in ([key] if key else our_public_keys())]
    except (KeyError, TypeError, ValueError) as error:
        raise DomainError(
            "This is not a sign-off record.", remedy="Download it from the page of the review."
        ) from error
    if not any(_fits(public, signature, record) for public in keys):
        problem = "The signature does not fit: the record was changed, or signed by another server."
        raise DomainError(problem, remedy="Give the public key of the server that signed it.")
    found: dict[str, Any] = record
    return found


def _public(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def _fits(public: Ed25519PublicKey, signature: bytes, record: Mapping[str, Any]) -> bool:
    try:
        public.verify(signature, canonical(record))
    except InvalidSignature:
        return False
    return True


def canonical(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _record(review: Review) -> dict[str, Any]:
    runs = list(selectors.runs_of(review))
    return {
        "kind": KIND,
        "review": review.pk,
        "team": review.team.name,
        "title": review.title,
        "description": review.description,
        "state": review.state,
        "reason": review.reason,
        "requested_by": review.created_by.username,
        "requested_at": review.created_at.isoformat(),
        "changed_at": review.changed_at.isoformat(),
        "frozen_at": review.frozen_at.isoformat(),
        "subject_hash": review.subject_hash,
        "stale_because": selectors.stale_because(review),
        "report": review.report_id,
        "leaderboard": str(review.leaderboard) if review.leaderboard else None,
        "runs": review.frozen,
        "rulings": [_ruling(verdict) for verdict in review.verdicts.select_related("author", "dismissed_by")],
        "checks": [{"name": one.name, "passed": one.passed, "text": one.text} for one in checks(runs)],
    }


def _ruling(verdict: Any) -> dict[str, Any]:
    return {
        "by": verdict.author.username,
        "ruling": verdict.ruling,
        "at": verdict.at.isoformat(),
        "subject_hash": verdict.subject_hash,
        "text": verdict.body,
        "dismissed_by": verdict.dismissed_by.username if verdict.dismissed_by else None,
        "dismissal": verdict.dismissal,
    }


def _key(secret: str = "") -> Ed25519PrivateKey:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"crosstable sign-off records")
    return Ed25519PrivateKey.from_private_bytes(derive.derive((secret or settings.SECRET_KEY).encode()))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
