"""One signed request to a webhook: checked addresses only, no redirect followed, bounded in time and size.

Signed as the Standard Webhooks convention has it: `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`,
which is "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body", keyed with what follows "whsec_" in base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import ssl
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpcore

from evaluation import endpoints
from evaluation.errors import EndpointRefused
from evaluation.guarded import GuardedNetwork
from webapp.errors import Unprocessable

TOTAL_SECONDS = 10.0  # of one request, the answer included
KEPT_BYTES = 1024  # of the answer
GONE = 410
USER_AGENT = "Crosstable-Webhooks/1"


@dataclass(frozen=True)
class Message:
    """What is sent. id and body stay the same at every attempt."""

    url: str
    id: str
    body: bytes
    secret: str


@dataclass(frozen=True)
class Answer:
    """What came of it. status: 0 when there was no answer, and then `error` says why; body: its first KB as text."""

    status: int
    body: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def check(url: str, allowed: Collection[str]) -> None:
    """Raises Unprocessable unless the URL is http(s) to addresses that are public or allowed."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise Unprocessable("The address holds characters that no URL has.", field="url", remedy="Encode them.")
    try:
        host, port = endpoints.split_url(url, with_query=True)
        endpoints.resolve(host, port, allowed)
    except EndpointRefused as error:
        raise Unprocessable(error.message, field="url", remedy=error.remedy) from error


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def post(message: Message, *, allowed: Collection[str], timestamp: int) -> Answer:
    """Send it once. Whatever goes wrong outside is an Answer, never an exception."""
    began = time.monotonic()
    try:
        status, body = _exchange(message, allowed, timestamp, began + TOTAL_SECONDS)
    except EndpointRefused as error:
        return Answer(0, error=error.message, seconds=time.monotonic() - began)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        return Answer(0, error=said[:300], seconds=time.monotonic() - began)
    return Answer(status, body, _fault(status), time.monotonic() - began)


def _exchange(message: Message, allowed: Collection[str], timestamp: int, end: float) -> tuple[int, str]:
    headers: dict[bytes | str, bytes | str] = {
        "Host": urlsplit(message.url).netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(message.body)),
        "User-Agent": USER_AGENT,
        "Accept-Encoding": "identity",
        "Connection": "close",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(message.secret, message.id, timestamp, message.body),
    }
    network = _Hurried(allowed, end)
    with (
        httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=network) as pool,
        pool.stream("POST", message.url, headers=headers, content=message.body) as answer,
    ):
        kept = b""
        for part in answer.iter_stream():
            kept += part
            if len(kept) >= KEPT_BYTES:
                break
        # PostgreSQL's text has no NUL.
        return answer.status, kept[:KEPT_BYTES].decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _fault(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"Answered with {status}: redirects are not followed."
    return f"Answered with {status}."


class _Hurried(GuardedNetwork):
    """A guarded network whose connections end at a moment, however slowly the other side sends."""

    def __init__(self, allowed: Collection[str], end: float) -> None:
        super().__init__(allowed)
        self.end = end

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *more: Any, **options: Any) -> Any:
        return _HurriedStream(super().connect_tcp(host, port, _left(self.end), *more, **options), self.end)


class _HurriedStream(httpcore.NetworkStream):
    """Each step may take what is left of the whole, whatever timeout it is given."""

    def __init__(self, stream: httpcore.NetworkStream, end: float) -> None:
        self.stream, self.end = stream, end

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(self.end))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(self.end))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _HurriedStream(self.stream.start_tls(ssl_context, server_hostname, _left(self.end)), self.end)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout(f"no whole answer within {TOTAL_SECONDS:.0f} s")
    return left
