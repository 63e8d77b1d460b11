"""Secrets at rest: encrypted with keys derived from SECRET_KEY, one key for each purpose, and never shown again."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from webapp.errors import DomainError


@dataclass(frozen=True)
class Sealing:
    """Secrets of one purpose. what, remedy: said when one cannot be read because SECRET_KEY has changed."""

    purpose: str
    what: str
    remedy: str

    def seal(self, secret: str) -> bytes:
        return self._box().encrypt(secret.encode()) if secret else b""

    def unseal(self, sealed: bytes | memoryview) -> str:
        """Raises DomainError when it was sealed with another SECRET_KEY, or for another purpose."""
        if not sealed:
            return ""
        try:
            return self._box().decrypt(bytes(sealed)).decode()
        except InvalidToken as error:
            raise DomainError(
                f"{self.what} cannot be decrypted.", remedy=f"SECRET_KEY has changed: {self.remedy}"
            ) from error

    def _box(self) -> Fernet:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=self.purpose.encode())
        return Fernet(base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())))
