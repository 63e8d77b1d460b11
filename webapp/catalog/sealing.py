"""Secrets at rest: API keys of endpoints are encrypted with a key derived from SECRET_KEY and never shown again."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from webapp.errors import DomainError


def _box() -> Fernet:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"crosstable endpoint keys")
    return Fernet(base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())))


def seal(secret: str) -> bytes:
    return _box().encrypt(secret.encode()) if secret else b""


def unseal(sealed: bytes | memoryview) -> str:
    if not sealed:
        return ""
    try:
        return _box().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise DomainError(
            "The endpoint’s API key cannot be decrypted.",
            remedy="SECRET_KEY has changed: register a new version of the entry with its key.",
        ) from error
