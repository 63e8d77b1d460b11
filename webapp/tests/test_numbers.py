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


@pytest.mark.parametrize("name", ["CROSSTABLE_GPU_GB", "CROSSTABLE_LEASE_SECONDS", "DATABASE_POOL"])
def test_no_process_starts_with_it_and_the_last_line_says_which(name: str) -> None:
    started = subprocess.run(
        [sys.executable, "-m", "workers", "--devices", "none"],
        cwd=env.ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings", name: "80GB"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 1
    said = f"{name}='80GB' is not a whole number. Set it to one, such as "
    assert said in started.stderr.splitlines()[-1]
