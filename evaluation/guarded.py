"""Connections to addresses that people typed: public or allowed ones only, looked up at the moment of connecting.

A name can change its address between the check of a form and the connection, so a check at submit is not enough.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable
from typing import Any

import httpcore

from evaluation.endpoints import resolve

SHORTEST = 0.01  # seconds; 0 would mean a socket that never waits


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to the very address that was checked. Raises EndpointRefused for one that is not permitted."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self.allowed = allowed
        self.plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        end = math.inf if timeout is None else time.monotonic() + timeout  # of all addresses together
        addresses = resolve(host, port, self.allowed)
        for place, address in enumerate(addresses, start=1):
            left = None if timeout is None else max(end - time.monotonic(), SHORTEST)
            try:
                return self.plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if place == len(addresses) or time.monotonic() >= end:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
