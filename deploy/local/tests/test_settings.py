from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.settings import is_loopback, needed_servers, platform_environment, secret_key

NAMES = ("DATABASE_URL", "BROKER_URL", "CHANNEL_LAYER_URL", "SECRET_KEY", "ALLOWED_HOSTS")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def settings(data: Path, host: str = "127.0.0.1") -> dict[str, str]:
    return platform_environment(data, needed_servers(data), host=host, demo=True, key="k")


def test_without_settings_both_servers_are_embedded(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found["DATABASE_URL"] == f"postgresql://postgres@/postgres?host={tmp_path}/postgres/socket&port=5432"
    assert found["BROKER_URL"] == f"redis+socket://{tmp_path}/valkey/socket/valkey.sock?virtual_host=0"
    assert found["CHANNEL_LAYER_URL"] == f"unix://{tmp_path}/valkey/socket/valkey.sock"
    assert (found["CROSSTABLE_DEMO"], found["CROSSTABLE_DATA"]) == ("1", str(tmp_path))


def test_real_servers_by_url_start_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/crosstable")
    monkeypatch.setenv("BROKER_URL", "redis://broker/0")
    servers = needed_servers(tmp_path)
    assert (servers.postgres, servers.valkey) == (None, None)
    found = settings(tmp_path)
    assert found["DATABASE_URL"] == "postgresql://db/crosstable"
    assert "CHANNEL_LAYER_URL" not in found  # webapp derives it from a Redis-type broker


def test_a_rabbitmq_gets_a_valkey_beside_it_for_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://broker//")
    found = settings(tmp_path)
    assert found["BROKER_URL"] == "amqp://broker//"
    assert found["CHANNEL_LAYER_URL"].startswith("unix://")
    monkeypatch.setenv("CHANNEL_LAYER_URL", "redis://layer/0")
    assert needed_servers(tmp_path).valkey is None


def test_hosts_are_closed_on_loopback_and_named_elsewhere(tmp_path: Path) -> None:
    assert settings(tmp_path)["ALLOWED_HOSTS"] == "127.0.0.1,localhost,[::1]"
    assert "192.0.2.7" in settings(tmp_path, "192.0.2.7")["ALLOWED_HOSTS"].split(",")
    assert "*" not in settings(tmp_path, "::")["ALLOWED_HOSTS"]


def test_the_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = secret_key(tmp_path)
    assert len(key) >= 50
    assert secret_key(tmp_path) == key
    assert (tmp_path / "secret-key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "secret-key").write_text("")
    assert secret_key(tmp_path) not in {"", key}
    monkeypatch.setenv("SECRET_KEY", "given")
    assert secret_key(tmp_path) == "given"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("::", False),
        ("example.org", False),
    ],
)
def test_demo_sign_in_is_for_loopback_only(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
