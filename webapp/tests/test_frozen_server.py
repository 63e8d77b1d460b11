"""A Valkey that is frozen takes connections and never answers. Whoever writes goes on without it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer
from pytest_django import Settings

from webapp import live
from webapp.operations import readiness


@pytest.fixture
def frozen() -> Iterator[str]:
    """The address of a server whose kernel accepts for it, as that of a stopped process does."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


@pytest.mark.slow
def test_what_cannot_be_pushed_is_left(
    frozen: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    layer = RedisPubSubChannelLayer(hosts=[{"address": frozen, "socket_timeout": None}])
    monkeypatch.setattr(live, "get_channel_layer", lambda: layer)
    began = time.monotonic()
    live._send("job.1", {"type": "changed"})
    assert time.monotonic() - began < 2 * live.SEND_SECONDS
    assert "cannot push to job.1: TimeoutError" in caplog.text


@pytest.mark.slow
@pytest.mark.django_db
def test_readiness_is_told_in_time(frozen: str, settings: Settings) -> None:
    """Whoever asks waits for 5 s at most (deploy/kubernetes/web.yaml), and takes the web out of service after that."""
    settings.BROKER_URL = frozen
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [{"address": frozen}]}}}
    began = time.monotonic()
    parts = readiness.Readiness().parts()
    assert time.monotonic() - began < 5
    assert {part.name: part.reason for part in parts if not part.ready} == {
        "broker": "does not answer", "channels": "does not answer",
    }  # fmt: skip
