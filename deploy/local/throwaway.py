"""Throw-away PostgreSQL and Valkey for a test run or a check, and the settings that point to them."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

from deploy.local.folders import is_locked
from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey

PREFIX = "crosstable-tests-"
# Also tells child processes that their parent's servers are theirs. Each process of pytest-xdist has its own: what one
# puts into a broker, the workers of another would take out.
STARTED = "CROSSTABLE_TEST_SERVERS_" + os.environ.get("PYTEST_XDIST_WORKER", "all").upper()
# Settings of the surrounding shell that must not change what the tests see.
CLEARED = (
    "DEBUG",
    "CROSSTABLE_DEMO",
    "CROSSTABLE_MODEL_ROOTS",
    "CROSSTABLE_ALLOWED_NETWORKS",
    "CROSSTABLE_URL",
    "EMAIL_URL",
)


def start() -> None:
    """Put the servers' addresses into our environment; they stop with us. A second call does nothing."""
    if STARTED in os.environ:
        return
    began = time.monotonic()
    _remove_left_over()
    # 0711: PostgreSQL may have to run as another user, who must be able to reach its own folder below this one.
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    folder.chmod(0o711)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        settings = _database(folder, stack) | _broker(folder, stack)
        atexit.register(stack.pop_all().close)
    data = folder / "var"
    data.mkdir()
    os.environ |= settings | {
        "CROSSTABLE_DATA": str(data),
        "SECRET_KEY": secrets.token_urlsafe(40),
        "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
        "CROSSTABLE_MEASURE_WHEN_IDLE": "0",  # tests of it switch it on
        STARTED: f"{' and '.join(_names(settings))}, ready in {time.monotonic() - began:.1f} s",
    }
    for name in CLEARED:
        os.environ.pop(name, None)


def _database(folder: Path, stack: contextlib.ExitStack) -> dict[str, str]:
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        server = EmbeddedPostgres(folder / "postgres", durable=False).start()
        stack.callback(server.stop)
        url = server.url()
    return {"DATABASE_URL": url}


def _broker(folder: Path, stack: contextlib.ExitStack) -> dict[str, str]:
    """A Redis-type broker serves the channel layer too; a RabbitMQ needs a Valkey beside it."""
    broker, layer = os.environ.get("TEST_BROKER_URL"), os.environ.get("TEST_CHANNEL_LAYER_URL")
    if broker and not layer and broker.startswith(("redis://", "rediss://")):
        layer = broker
    if not broker or not layer:
        server = EmbeddedValkey(folder / "valkey", durable=False).start()
        stack.callback(server.stop)
        broker, layer = broker or server.url(), layer or server.channel_layer_url()
    return {"BROKER_URL": broker, "CHANNEL_LAYER_URL": layer}


def _names(settings: dict[str, str]) -> list[str]:
    own = [name for name, url in settings.items() if PREFIX not in url]
    return ["throw-away PostgreSQL and Valkey"] if not own else [f"{', '.join(own)} from the environment"]


def _remove_left_over() -> None:
    """Delete the folders of runs that were killed: ours, and used by no server any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            status = folder.stat()
            old = time.time() - status.st_mtime > 60  # one that is just being made has no lock yet
            if (
                old
                and status.st_uid == os.geteuid()
                and not any(map(is_locked, (folder / "postgres", folder / "valkey")))
            ):
                shutil.rmtree(folder, ignore_errors=True)
