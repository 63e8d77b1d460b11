"""The environment variables that the one-machine platform runs with. Knows only the names of webapp's settings."""

from __future__ import annotations

import ipaddress
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey


@dataclass(frozen=True)
class Servers:
    """The embedded servers that are needed: None where the environment names a real one."""

    postgres: EmbeddedPostgres | None
    valkey: EmbeddedValkey | None


def needed_servers(data: Path) -> Servers:
    """PostgreSQL without DATABASE_URL; Valkey without BROKER_URL, or beside a broker that cannot carry the pages."""
    broker = os.environ.get("BROKER_URL", "")
    channels = os.environ.get("CHANNEL_LAYER_URL") or broker.startswith("redis")
    return Servers(
        None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(data / "postgres"),
        None if broker and channels else EmbeddedValkey(data / "valkey"),
    )


def platform_environment(data: Path, servers: Servers, *, host: str, demo: bool, key: str) -> dict[str, str]:
    """What every child gets: the caller's environment with all that it leaves open filled in."""
    environment = dict(os.environ) | {"CROSSTABLE_DATA": str(data), "PYTHONUNBUFFERED": "1"}
    # Celery's advice against root: here it owns nothing but this data folder, and no pickle is accepted.
    environment.setdefault("PYTHONWARNINGS", "ignore:You're running the worker")
    environment["CROSSTABLE_DEMO"] = "1" if demo else "0"
    environment.setdefault("ALLOWED_HOSTS", ",".join(_names_of(host)))
    environment["SECRET_KEY"] = key
    if servers.postgres:
        environment["DATABASE_URL"] = servers.postgres.url()
    if servers.valkey:
        environment["BROKER_URL"] = os.environ.get("BROKER_URL") or servers.valkey.url()
        environment["CHANNEL_LAYER_URL"] = os.environ.get("CHANNEL_LAYER_URL") or servers.valkey.channel_layer_url()
    return environment


def secret_key(data: Path) -> str:
    """SECRET_KEY, or a random key made once: sessions and encrypted secrets outlive a restart."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    path = data / "secret-key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if key := path.read_text().strip():
            return key
        path.unlink()  # a disk that was full left it empty
        return secret_key(data)
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(50)
        file.write(key)
    return key


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names_of(host: str) -> list[str]:
    """The Host headers to accept: loopback, and for an open address this machine's own name and addresses."""
    names = ["127.0.0.1", "localhost", "[::1]"]
    if is_loopback(host):
        return names
    own = socket.gethostname()
    try:
        addresses = sorted({str(info[4][0]) for info in socket.getaddrinfo(own, None, socket.AF_INET)})
    except OSError:
        addresses = []
    return list(dict.fromkeys([*names, host, own, *addresses]))
