"""Verify that a request came from Crosstable, with Python alone."""

import base64
import hashlib
import hmac
import time


def verify(secret: str, headers: dict[str, str], body: bytes) -> None:
    """Raises ValueError unless it was signed with `secret`, just now.

    headers: their names in lower case; body: the bytes as they came.
    """
    sent = int(headers["webhook-timestamp"])
    if abs(time.time() - sent) > 300:
        raise ValueError("The request is too old, or from the future.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    right = "v1," + base64.b64encode(digest).decode()
    given = headers["webhook-signature"].split()
    if not any(hmac.compare_digest(right, one) for one in given):
        raise ValueError("The signature is wrong.")
