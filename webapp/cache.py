"""What all processes share for a while: counts, in the Valkey or Redis that also carries the pages."""

from __future__ import annotations

import json
from typing import Any

from django.core.cache.backends.redis import RedisCache


class PlainJSON:
    """Instead of Django's pickle: whoever can write to the server must not be able to run code here."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class SharedCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        params = {**params, "OPTIONS": {"serializer": PlainJSON(), **params.get("OPTIONS", {})}}
        super().__init__(server, params)

    def clear(self) -> None:
        """Our keys only: the server also holds the queues, which Django's own way (FLUSHDB) would empty."""
        client = self._cache.get_client(None, write=True)
        ours = list(client.scan_iter(match=f"{self.key_prefix}:*", count=1000))
        if ours:
            client.delete(*ours)
