"""Gives a test run its own PostgreSQL and Valkey before Django reads its settings (`-p deploy.local.pytest_plugin`).

TEST_DATABASE_URL, TEST_BROKER_URL and TEST_CHANNEL_LAYER_URL put real servers in their place. A DATABASE_URL of the
surrounding shell is never used: tests do not touch a database that somebody works with. Without Django (the science
alone: numpy, scipy, pytest) no server is started.

Under `-n auto` (pytest-xdist) each process has servers of its own; scheduling.py says which tests it runs.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator
from typing import Any

import pytest

from deploy.local import throwaway

MOST_PROCESSES = 4  # each holds torch, a PostgreSQL and a Valkey

SETTINGS_OF_PLUGINS = {
    "pytest_django": ("DJANGO_SETTINGS_MODULE",),
    "pytest_asyncio": ("asyncio_mode", "asyncio_default_fixture_loop_scope"),
}


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
    if not informative and importlib.util.find_spec("django"):
        throwaway.start()
    yield


def pytest_configure(config: pytest.Config) -> None:
    """A database whose server goes with the tests need not be dropped, which a forgotten connection would prevent."""
    if hasattr(config.option, "reuse_db") and not os.environ.get("TEST_DATABASE_URL"):
        config.option.reuse_db = True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """None where a broker is given: the processes would take each other's messages."""
    if os.environ.get("TEST_BROKER_URL") or os.environ.get("TEST_CHANNEL_LAYER_URL"):
        return 0
    return min(len(os.sched_getaffinity(0)), MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from deploy.local.scheduling import Scheduling

    return Scheduling(config, log)


def pytest_report_header() -> str:
    return f"servers: {os.environ.get(throwaway.STARTED, 'none (Django is not installed)')}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What CI could not do stands where its result is read."""
    if audit := os.environ.get("CROSSTABLE_NOT_AUDITED"):
        terminalreporter.section("dependencies")
        terminalreporter.write_line(f"They were NOT AUDITED: deploy/audit.py ended with {audit}.")
