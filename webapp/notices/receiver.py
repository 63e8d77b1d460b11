"""Verify that a request came from Crosstable. Needs nothing but Python; copy it into the service that receives."""

import base64
import hashlib
import hmac
import time


def verify(secret: str, headers: dict[str, str], body: bytes, tolerance: float = 300) -> None:
    """Raises ValueError unless the request was signed with `secret`, and not longer than `tolerance` seconds ago.

    headers: names in lower case; body: the bytes as they arrived, before any parser has touched them.
    """
    sent = int(headers["webhook-timestamp"])
    if abs(time.time() - sent) > tolerance:
        raise ValueError("The request is too old, or from the future.")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{sent}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    if not any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split()):
        raise ValueError("The signature is wrong.")
