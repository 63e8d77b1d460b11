"""Small requests that would become large ones: packed, nested, or numbers that take long to read."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from webapp.accounts.models import User

Api = Callable[[User | None], APIClient]
PACKED = gzip.compress(b'{"name": "' + b"a" * 50_000_000 + b'"}')
BODIES = {
    "packed": (PACKED, {"HTTP_CONTENT_ENCODING": "gzip"}),
    "nested lists": (b"[" * 5_000_000, {}),
    "nested objects": (b'{"a":' * 1_000_000, {}),
    "a number of a million digits": (b'{"name": ' + b"9" * 1_000_000 + b"}", {}),
    "a number beyond all bounds": (b'{"name": 1e999999}', {}),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_bomb_is_refused_in_little_memory(api: Api, alice: User, kind: str) -> None:
    body, headers = BODIES[kind]
    client = api(alice)
    client.get("/api/v1/me/")  # what is loaded once is loaded
    tracemalloc.start()
    answer: Any = client.generic("POST", "/api/v1/teams/", body, content_type="application/json", **headers)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 400
    assert most < 6 * len(body) + 20_000_000
