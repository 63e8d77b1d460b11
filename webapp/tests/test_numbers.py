"""Settings that are numbers: what is none is refused by its name, whichever process starts with it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from webapp import env


@pytest.mark.parametrize(("value", "read"), [("", 8), (" ", 8), ("0", 0), ("128", 128)])
def test_numbers_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, read: int) -> None:
    monkeypatch.setenv("CROSSTABLE_X_GB", value)
    assert env.number("CROSSTABLE_X_GB", 8) == read


@pytest.mark.parametrize("value", ["80GB", "-1", "1.5", "1e3", "٣"])
def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CROSSTABLE_X_GB", value)
    with pytest.raises(ImproperlyConfigured, match="CROSSTABLE_X_GB"):
        env.number("CROSSTABLE_X_GB", 8)


def test_a_limit_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, read in (("", None), ("0", 0), ("7", 7)):
        monkeypatch.setenv("CROSSTABLE_X", value)
        assert env.limit("CROSSTABLE_X", most=7) == read
    monkeypatch.setenv("CROSSTABLE_X", "8")
    with pytest.raises(ImproperlyConfigured, match="CROSSTABLE_X"):
        env.limit("CROSSTABLE_X", most=7)


BOUNDED = "does not work. Set it to a number from"
NO_NUMBER = "is not a whole number. Set it to one, such as"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("CROSSTABLE_GPU_GB", "80GB", NO_NUMBER),
        ("CROSSTABLE_LEASE_SECONDS", "80GB", NO_NUMBER),
        ("DATABASE_POOL", "80GB", NO_NUMBER),
        ("DATABASE_POOL", "0", f"{BOUNDED} 1 to"),
        # A healthy worker would be killed over and over.
        ("CROSSTABLE_FROZEN_SECONDS", "3", f"{BOUNDED} 25 to 3600."),
        # Runs would be given up before they began, and an attempt that does not fit its column ends all claims.
        ("CROSSTABLE_RUN_ATTEMPTS", "0", f"{BOUNDED} 1 to 100."),
        ("CROSSTABLE_RUN_ATTEMPTS", "40000", f"{BOUNDED} 1 to 100."),
        ("CROSSTABLE_RUN_MAX_SECONDS", "0", f"{BOUNDED} 1 to"),
        ("CROSSTABLE_METRICS_NETWORKS", "10.0.0.1/8", "is no list of networks (10.0.0.1/8 has host bits set)."),
        ("CROSSTABLE_METRICS_NETWORKS", "10.0.0.0/8,inside", "is no list of networks"),
    ],
)
def test_no_process_starts_with_it_and_the_last_line_says_which(name: str, value: str, why: str) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "workers", "--devices", "none"],
        cwd=env.ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings", name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 1
    assert f"{name}='{value}' {why}" in started.stderr.splitlines()[-1]
