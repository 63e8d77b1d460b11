"""Secrets at rest: encrypted with keys derived from SECRET_KEY, one key for each purpose, and never shown again.

Former keys (SECRET_KEY_FALLBACKS) still open what they sealed, until `manage.py rotate_keys` has sealed it anew.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
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

    def opens(self, sealed: bytes | memoryview) -> bool:
        try:
            self.unseal(sealed)
        except DomainError:
            return False
        return True

    def resealed(self, sealed: bytes | memoryview) -> bytes:
        """The same secret under the present key; unchanged when it is already. Raises DomainError as `unseal`."""
        try:
            self._boxes()[0].decrypt(bytes(sealed))
        except InvalidToken:
            return self.seal(self.unseal(sealed))
        return bytes(sealed)

    def _box(self) -> MultiFernet:
        return MultiFernet(self._boxes())

    def _boxes(self) -> list[Fernet]:
        """The first one seals, all of them open."""
        return [self._of(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]

    def _of(self, key: str) -> Fernet:
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=self.purpose.encode())
        return Fernet(base64.urlsafe_b64encode(derive.derive(key.encode())))


def sealed_at(sealed: bytes) -> int:
    """When it was sealed, in seconds since 1970: that much can be read without a key."""
    return int.from_bytes(base64.urlsafe_b64decode(sealed[:12])[1:9])
