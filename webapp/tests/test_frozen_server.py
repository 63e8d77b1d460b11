"""A Valkey that is frozen takes connections and never answers. Whoever writes goes on without it, and who looks later
misses nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

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
    monkeypatch.setattr(live._Pause, "until", 0.0)
    began = time.monotonic()
    for job in range(1, 1000):
        live._send(f"job.{job}", {"type": "changed"})
    assert time.monotonic() - began < 2 * live.SEND_SECONDS
    assert [record.getMessage() for record in caplog.records] == [
        "cannot push to job.1: TimeoutError(); nothing is pushed for 10 s"
    ]


class Layer:
    """Answers nobody until it is well."""

    def __init__(self) -> None:
        self.well, self.sent = False, list[str]()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if not self.well:
            await asyncio.sleep(60)
        self.sent.append(group)


def test_who_deletes_much_waits_once_and_later_ones_are_told(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    layer = Layer()
    monkeypatch.setattr(live, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(live, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(live._Pause, "until", 0.0)
    began = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        for job in range(100):
            live.publish(f"job.{job}", job=job)
        live.look_again(team=1)
    assert time.monotonic() - began < 5

    layer.well = True
    live._send("job.7", {"type": "changed"})
    assert layer.sent == [], "it is left alone for a moment"
    monkeypatch.setattr(live._Pause, "until", time.monotonic())
    live._send("job.8", {"type": "changed"})
    assert layer.sent == ["job.8"]


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
