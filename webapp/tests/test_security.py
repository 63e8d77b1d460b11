"""Headers on every answer."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/boards/", "/api/v1/leaderboards/", "/nothing/here/"])
def test_pages_run_no_foreign_or_inline_code(client: Client, path: str) -> None:
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.django_db
def test_only_the_api_documentation_may_start_itself(client: Client) -> None:
    assert "'unsafe-inline'" in client.get("/api/docs/").headers["Content-Security-Policy"]
