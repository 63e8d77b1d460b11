from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from django.conf import LazySettings
from django.db import connection

from deploy.local.prepare import collect_static_files, wait_for_database

AWAY = {"host": "127.0.0.1", "port": 1, "dbname": "postgres"}


def test_static_files_are_collected_again_only_after_a_change(
    settings: LazySettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "a.css").write_text("a { color: red }")
    settings.STATICFILES_DIRS = [sources]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "var/static"
    assert collect_static_files()
    assert not collect_static_files()
    (sources / "b.css").write_text("b { color: blue }")
    assert collect_static_files()
    manifest = json.loads((settings.STATIC_ROOT / "staticfiles.json").read_text())
    assert sorted(manifest["paths"]) == ["a.css", "b.css"]
    (settings.STATIC_ROOT / "staticfiles.json").unlink()  # somebody tidied up
    assert collect_static_files()
    assert "static files: done in" in capsys.readouterr().out


@pytest.mark.django_db
def test_migrations_wait_for_a_database_that_comes_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, connect = iter([AWAY, AWAY]), psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda **given: connect(**next(asked, given)))
    wait_for_database(pause=0)
    said = capsys.readouterr().out
    assert said.count("waiting for the database") == 1, "once per reason"
    assert "refused" in said


@pytest.mark.django_db
def test_migrations_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "get_connection_params", lambda: dict(AWAY))
    with pytest.raises(psycopg.OperationalError):
        wait_for_database(patience=0, pause=0)
