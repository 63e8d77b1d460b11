"""Reads the environment once, with clear errors. The only file that touches os.environ for settings."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from webapp.plans import OnePlan

ROOT = Path(__file__).resolve().parent.parent


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def flag(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if value in {"", "0", "1", "true", "false", "yes", "no"}:
        return default if value == "" else value in {"1", "true", "yes"}
    raise ImproperlyConfigured(f"{name}={value!r} is not yes or no. Set it to 1 or 0.")


def words(name: str, default: str = "", separator: str = ",") -> list[str]:
    return [part.strip() for part in text(name, default).split(separator) if part.strip()]


def days(name: str, default: int) -> timedelta | None:
    """How long something is kept. None, written as 0: for ever."""
    value = text(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,5}", value):
        raise ImproperlyConfigured(f"{name}={value!r} is not a number of days. Set it to 0 to keep things for ever.")
    return timedelta(days=int(value)) or None


def number(name: str, default: int, *, least: int = 0, most: int = 10**15) -> int:
    value = text(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,15}", value):
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number. Set it to one, such as {default}.")
    if not least <= int(value) <= most:
        raise ImproperlyConfigured(f"{name}={value!r} does not work. Set it to a number from {least} to {most}.")
    return int(value)


def limit(name: str, *, most: int) -> int | None:
    """None, written as nothing: there is no limit."""
    return number(name, 0, most=most) if text(name) else None


def networks(name: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(network) for network in words(name)]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name}={text(name)!r} is no list of networks ({error}). Write them as CIDR, such as 10.0.0.0/8."
        ) from None


def database(url: str) -> dict[str, Any]:
    """Django's DATABASES entry from a postgresql:// URL; a socket folder may stand in `?host=`."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must start with postgresql://. Crosstable runs on PostgreSQL only.")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "OPTIONS": {
            **options,
            "pool": {
                "min_size": 1,
                "max_size": number("DATABASE_POOL", 20, least=1),
                "timeout": 15,
                # Seconds for which a connection that fails is tried again, ever more rarely; then with each request. At
                # psycopg's 300 a process stays away long after a PostgreSQL that was away for minutes is back.
                "reconnect_timeout": 10,
                # One plan of what prepared.py asks, whatever the values: most of them are ids and names.
                "connection_class": OnePlan,
            },
            "prepare_threshold": 5,  # PostgreSQL keeps what was asked so many times
        },
        # Before the pool gives a connection away: one that a restart of PostgreSQL has ended would be somebody's error.
        "CONN_HEALTH_CHECKS": True,
    }


@dataclass(frozen=True)
class Mail:
    """How e-mails leave. works: False while they only become files or lines of the log."""

    backend: str
    works: bool = False
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    starttls: bool = False
    ssl: bool = False


def mail(url: str) -> Mail:
    """From smtp://, smtp+tls:// (STARTTLS), smtps:// or console:; without a URL e-mails become files."""
    parts = urlsplit(url)
    if not url or parts.scheme == "console":
        return Mail(f"django.core.mail.backends.{'console' if url else 'filebased'}.EmailBackend")
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    if parts.scheme not in ports or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must be smtp://, smtp+tls:// or smtps://user:password@host:port.")
    return Mail(
        "django.core.mail.backends.smtp.EmailBackend",
        works=True,
        host=parts.hostname,
        port=parts.port or ports[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp+tls",
        ssl=parts.scheme == "smtps",
    )


def channel_layer_url(broker_url: str) -> str:
    """The channel layer's address: its own setting, or the broker's when that is a Redis or Valkey."""
    explicit = text("CHANNEL_LAYER_URL")
    if explicit:
        return explicit
    if broker_url.startswith("redis"):
        return redis_address(broker_url)
    raise ImproperlyConfigured(
        "Set CHANNEL_LAYER_URL to a Redis or Valkey: the broker is neither, and pages are pushed over it."
    )


def redis_address(broker_url: str) -> str:
    """A Redis broker's address as other clients than Celery write it."""
    if broker_url.startswith("redis+socket://"):
        return "unix://" + urlsplit(broker_url).path
    return broker_url
