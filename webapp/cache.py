"""What all processes share for a while: counts, in the Valkey or Redis that also carries the pages."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Protocol

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient


class Tally(Protocol):
    """A cache that counts."""

    def tally(self, key: str, earlier: str, timeout: int) -> tuple[int, int]:
        """Count one more under `key`. Returns how many that makes, and how many there are under `earlier`."""


class PlainJSON:
    """Instead of Django's pickle: whoever can write to the server must not be able to run code here."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Client(RedisCacheClient):
    """Django makes a client anew for each command, which takes longer than the command; they only borrow connections
    from a pool, and several threads may use one."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, **options)
        self._made: dict[bool, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """All commands go to the one server that there is."""
        if write not in self._made:
            self._made[write] = super().get_client(key, write=write)
        return self._made[write]


class SharedCache(RedisCache):
    # Django makes a cache anew for each request that it serves over ASGI; connections outlive them here.
    _clients: ClassVar[dict[str, Any]] = {}

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        self._options = {"serializer": PlainJSON(), **params.get("OPTIONS", {})}
        self._server = server
        super().__init__(server, {**params, "OPTIONS": self._options})

    @property
    def _cache(self) -> Any:
        if self._server not in self._clients:
            self._clients[self._server] = Client([self._server], **self._options)
        return self._clients[self._server]

    def tally(self, key: str, earlier: str, timeout: int) -> tuple[int, int]:
        """One atomic step and one round trip."""
        here, before = self.make_and_validate_key(key), self.make_and_validate_key(earlier)
        steps = self._cache.get_client(here, write=True).pipeline(transaction=False)
        steps.incr(here)
        steps.expire(here, timeout)
        steps.get(before)
        counted, _, found = steps.execute()
        return counted, int(found or 0)

    def clear(self) -> None:
        """Our keys only: the server also holds the queues, which Django's own way (FLUSHDB) would empty."""
        client = self._cache.get_client(None, write=True)
        ours = list(client.scan_iter(match=f"{self.key_prefix}:*", count=1000))
        if ours:
            client.delete(*ours)


class ProcessCache(LocMemCache):
    def tally(self, key: str, earlier: str, timeout: int) -> tuple[int, int]:
        self.add(key, 0, timeout=timeout)
        return self.incr(key), int(self.get(earlier, 0))
