"""Gives a test run its own PostgreSQL and Valkey before Django reads its settings (`-p deploy.local.pytest_plugin`).

TEST_DATABASE_URL, TEST_BROKER_URL and TEST_CHANNEL_LAYER_URL put real servers in their place. A DATABASE_URL of the
surrounding shell is never used: tests do not touch a database that somebody works with. Without Django (the science
alone: numpy, scipy, pytest) no server is started.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from deploy.local.folders import is_locked
from deploy.local.servers import EmbeddedPostgres, EmbeddedValkey

PREFIX = "crosstable-tests-"
SETTINGS_OF_PLUGINS = {
    "pytest_django": ("DJANGO_SETTINGS_MODULE",),
    "pytest_asyncio": ("asyncio_mode", "asyncio_default_fixture_loop_scope"),
}
STARTED = "CROSSTABLE_TEST_SERVERS"  # also tells child processes that their parent's servers are theirs


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings of plugins that are absent, so that --strict-config lets the science run without them."""
    for plugin, settings in SETTINGS_OF_PLUGINS.items():
        if importlib.util.find_spec(plugin) is None:
            for setting in settings:
                parser.addini(setting, f"setting of {plugin}, which is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """A wrapper runs before pytest-django's own hook, which imports the settings."""
    options = early_config.known_args_namespace
    informative = options.help or options.version or options.markers or options.showfixtures
    if not informative and STARTED not in os.environ and importlib.util.find_spec("django"):
        _start()
    yield


def pytest_report_header() -> str:
    return f"servers: {os.environ.get(STARTED, 'none (Django is not installed)')}"


def _start() -> None:
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
        STARTED: f"{' and '.join(_names(settings))}, ready in {time.monotonic() - began:.1f} s",
    }
    for name in ("DEBUG", "CROSSTABLE_DEMO", "CROSSTABLE_MODEL_ROOTS", "CROSSTABLE_ALLOWED_NETWORKS"):
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
