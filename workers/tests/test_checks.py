"""Each setting that would lose or double work is named; with all of them right nothing is said."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings as conf
from django.db.migrations.recorder import MigrationRecorder
from pytest_django import Settings

from deploy.local.servers import EmbeddedValkey
from webapp.accounts.services import create_team
from webapp.jobs import leases
from webapp.jobs.models import Worker
from webapp.tests import factories
from workers import checks, presence

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
RIGHT: dict[str, Any] = {
    "broker_url": "amqp://nobody-asks-this-one",
    "task_acks_late": True,
    "worker_prefetch_multiplier": 1,
    "result_backend": None,
    "task_reject_on_worker_lost": None,
    "broker_transport_options": {},
}


def told(*, queues: str = "evaluation", pool: str = "solo", name: str = "", **changed: Any) -> str:
    app = Celery("checked", set_as_current=False)
    app.conf.update({**RIGHT, **changed})
    return " ".join(checks.problems(app, queues={queues}, pool=pool, name=name))


def test_right_settings_are_not_remarked_upon() -> None:
    assert told() == told(queues="analysis", pool="threads") == ""


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"task_acks_late": False}, "CELERY_TASK_ACKS_LATE is off"),
        ({"worker_prefetch_multiplier": 4}, "CELERY_WORKER_PREFETCH_MULTIPLIER is not 1"),
        ({"result_backend": "redis://x"}, "A result backend is set"),
        ({"task_reject_on_worker_lost": True}, "CELERY_TASK_REJECT_ON_WORKER_LOST is on"),
        ({"pool": "prefork"}, "Start it with -P solo"),
        ({"broker_url": "redis://127.0.0.1:1/0"}, "hands a message out again after 3600 s"),
    ],
)
def test_each_wrong_setting_is_named(changed: dict[str, Any], named: str) -> None:
    assert named in told(**changed)


def test_a_lease_that_is_too_short(settings: Settings) -> None:
    settings.LEASE_SECONDS = 2
    assert "CROSSTABLE_LEASE_SECONDS is below 5" in told()


@pytest.mark.parametrize("queues", ["evaluation", "analysis"])
def test_a_lease_that_lets_nobody_see_a_killed_worker_in_a_minute(settings: Settings, queues: str) -> None:
    pool = "solo" if queues == "evaluation" else "threads"
    settings.LEASE_SECONDS = 55
    assert told(queues=queues, pool=pool) == ""
    settings.LEASE_SECONDS = 56
    assert "CROSSTABLE_LEASE_SECONDS is above 55: a worker that is killed would not be seen within 60 s" in told(
        queues=queues, pool=pool
    )


def test_by_default_a_killed_worker_is_seen_within_a_minute() -> None:
    assert conf.LEASE_SECONDS + conf.SWEEP_SECONDS <= checks.SEEN_SECONDS == 60


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / "valkey", durable=False).start()
    yield server
    server.stop()


def test_a_broker_that_throws_keys_away(valkey: EmbeddedValkey) -> None:
    waits = {"visibility_timeout": 12 * 3600}
    assert told(broker_url=valkey.url(), broker_transport_options=waits) == ""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(valkey.socket))
        client.sendall(b"CONFIG SET maxmemory-policy allkeys-lru\r\n")
        assert client.recv(16).startswith(b"+OK")
    assert "maxmemory-policy is allkeys-lru" in told(broker_url=valkey.url(), broker_transport_options=waits)


def test_a_database_of_an_earlier_version() -> None:
    MigrationRecorder.Migration.objects.filter(app="jobs").order_by("-name")[:1].get().delete()
    assert "1 migrations are not applied" in told()


@pytest.mark.parametrize(("skew", "named"), [(301, "ahead of"), (-301, "behind")])
def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch, skew: int, named: str) -> None:
    honest = time.time
    monkeypatch.setattr(time, "time", lambda: honest() + skew)
    assert f"This host's clock is 301 s {named} the database's" in told()


def test_a_namesake_that_lives_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is heard of while we wait; one of another host that says nothing is taken for dead."""
    monkeypatch.setattr(presence, "SECONDS", 0.0)
    leases.worker_seen(name="w@a", host="elsewhere", device="cpu", schemes=[], environment={"pid": 1})
    assert told(name="w@a") == ""
    honest = Worker.refresh_from_db

    def heard(self: Worker, **more: Any) -> None:
        leases.worker_alive(self.name)
        honest(self, **more)

    monkeypatch.setattr(Worker, "refresh_from_db", heard)
    assert "A worker called w@a is at work on elsewhere" in told(name="w@a")
    assert told(name="another@a") == ""


def test_a_model_root_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    """An empty one is: that of a new platform holds no models yet."""
    settings.MODEL_ROOTS = [tmp_path]
    assert told() == ""
    settings.MODEL_ROOTS = [tmp_path, tmp_path / "gone"]
    assert f"CROSSTABLE_MODEL_ROOTS names {tmp_path / 'gone'}, which cannot be read (No such file" in told()
    assert told(queues="analysis", pool="threads") == "", "it loads no models"
    (tmp_path / "gone").touch()
    assert "(Not a directory)" in told()


@pytest.mark.parametrize(("queues", "pool"), [("evaluation", "solo"), ("analysis", "threads")])
def test_a_secret_key_that_does_not_open_what_others_seal(settings: Settings, queues: str, pool: str) -> None:
    owner = factories.person("alice")
    factories.webhook(owner, create_team(actor=owner, name="lab", title="The lab"))
    assert told(queues=queues, pool=pool) == ""
    settings.SECRET_KEY = "that of another platform"
    assert "SECRET_KEY does not open what was sealed last" in told(queues=queues, pool=pool)
