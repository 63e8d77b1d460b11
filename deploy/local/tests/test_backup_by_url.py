"""Backup and restore of a production platform: its database by URL, its files, and keys that are in the environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from deploy.local.backup import KeysNeeded, main_backup, main_restore, restore
from deploy.local.environment import ROOT
from webapp.accounts.services import create_team
from webapp.tests import factories

KEY = "production-key-" * 4


def address(name: str) -> str:
    known = connection.settings_dict
    return f"postgresql://{known['USER']}:hunter2@/{name}?host={known['HOST']}&port={known['PORT'] or 5432}"


@pytest.fixture
def copy(db: None) -> Iterator[str]:
    """The address of an empty database beside the tests'."""
    name = "restored_by_url"
    with psycopg.connect(address("postgres"), autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {name}")
        server.execute(f"CREATE DATABASE {name}")
        yield address(name)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def finished(transactional_db: None, settings: Any, tmp_path: Path) -> None:
    """A run with its scores."""
    settings.MODEL_ROOTS = [tmp_path]
    actor = factories.person("alice")
    team = create_team(actor=actor, name="lab", title="Lab")
    factories.worker()
    suite = factories.suite(actor, team, "sums", [factories.benchmark(actor, team, "sums", size=3)])
    factories.job(actor, team, suite, factories.many_entries(actor, team, ["tiny"], below=tmp_path))
    factories.finish([True, False, True])


@pytest.fixture
def archive(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the tests' database with all its tables and triggers, a file, and the keys of the environment."""
    monkeypatch.setenv("DATABASE_URL", address(connection.settings_dict["NAME"]))
    monkeypatch.setenv("CROSSTABLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "older")
    (tmp_path / "data/mail").mkdir(parents=True)
    (tmp_path / "data/mail/letter").write_text("Dear Alice")
    path = tmp_path / "backup.tar.gz"
    assert main_backup([str(path)]) == 0
    return path


def tables(url: str) -> dict[str, tuple[int, str]]:
    """What each table has: how many rows, and a hash of all of them. Triggers count as one table."""
    with psycopg.connect(url) as database:
        names = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        ask = sql.SQL("SELECT count(*), md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} t")
        found = {name: database.execute(ask.format(sql.Identifier(name))).fetchone() for (name,) in names}
        triggers = (
            "SELECT count(*), md5(string_agg(tgname, ' ' ORDER BY tgname)) FROM pg_trigger WHERE NOT tgisinternal"
        )
        return {**found, "(triggers)": database.execute(triggers).fetchone()}


@pytest.mark.django_db(transaction=True)
def test_a_platform_moves_to_another_database(
    finished: None, archive: Path, copy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", copy)
    assert main_restore([str(archive), "--data", str(tmp_path / "other")]) == 0
    restored, original = tables(copy), tables(address(connection.settings_dict["NAME"]))
    assert restored == original
    assert restored["(triggers)"][0] >= 5
    assert restored["django_migrations"][0] > 20
    assert restored["results_score"][0] == 3
    assert (tmp_path / "other/mail/letter").read_text() == "Dear Alice"
    assert not (tmp_path / "other/restored-keys.env").exists()  # this environment has the key
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["mail"]


def test_an_environment_that_lacks_the_key_is_told_how_to_take_it(
    archive: Path, copy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", copy)
    monkeypatch.setenv("SECRET_KEY", "another")
    monkeypatch.delenv("SECRET_KEY_FALLBACKS")
    other = tmp_path / "other"
    with pytest.raises(KeysNeeded, match="SECRET_KEY_FALLBACKS"):
        restore(archive, other)
    left = other / "restored-keys.env"
    assert left.read_text() == f"SECRET_KEY={KEY}\nSECRET_KEY_FALLBACKS=older\n"
    assert left.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", KEY)
    assert main_restore([str(archive), "--data", str(other)]) == 0


def test_the_password_is_not_among_the_arguments(archive: Path, tmp_path: Path) -> None:
    """Whoever may list processes would read it there: a pg_dump that says how it was called."""
    spy = tmp_path / "bin"
    spy.mkdir()
    for name in ("pg_dump", "initdb", "postgres"):
        (spy / name).write_text(f'#!/bin/sh\necho "$@" "$PGPASSWORD" > {tmp_path}/called\nexit 1\n')
        (spy / name).chmod(0o755)
    environment = {**os.environ, "POSTGRES_BIN": str(spy)}
    command = [sys.executable, "-m", "deploy.local", "backup", str(tmp_path / "x.tar.gz")]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    said = (tmp_path / "called").read_text()
    assert said.count("hunter2") == 1
    assert said.strip().endswith(" hunter2")


def test_the_archive_is_for_its_owner_alone(archive: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == ["data/mail", "data/mail/letter", "database.dump", "keys.json"]
