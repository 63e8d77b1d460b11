from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from deploy.local.backup import BackupError, backup, main_restore, restore
from deploy.local.servers import EmbeddedPostgres


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one table, one upload and the key; its server is stopped."""
    monkeypatch.delenv("DATABASE_URL")
    folder = tmp_path / "var"
    server = EmbeddedPostgres(folder / "postgres", durable=False).start()
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE entry (name text); INSERT INTO entry VALUES ('tiny')")
    server.stop()
    (folder / "uploads").mkdir()
    (folder / "uploads/a.jsonl").write_text("{}\n")
    (folder / "secret-key").write_text("k")
    (folder / "secret-key").chmod(0o600)
    return folder


def change(data: Path, statement: str) -> list[tuple[object, ...]]:
    server = EmbeddedPostgres(data / "postgres", durable=False).start()
    try:
        with psycopg.connect(server.url()) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
    finally:
        server.stop()


def test_a_restore_brings_back_rows_and_files_and_nothing_else(data: Path, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    backup(archive, data)
    assert archive.stat().st_mode & 0o777 == 0o600  # it holds the key
    change(data, "DELETE FROM entry; CREATE TABLE later (x int)")
    (data / "uploads/a.jsonl").write_text("changed")
    restore(archive, data)
    assert change(data, "SELECT name FROM entry") == [("tiny",)]
    assert change(data, "SELECT to_regclass('later')") == [(None,)]
    assert (data / "uploads/a.jsonl").read_text() == "{}\n"
    assert (data / "secret-key").stat().st_mode & 0o777 == 0o600


def test_links_come_back_as_files_and_caches_stay_away(data: Path, tmp_path: Path) -> None:
    """A hub's cache is made of links, and a folder may lie on another disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/b.jsonl").write_text("[]\n")
    (data / "imports").symlink_to(tmp_path / "disk")
    (data / "uploads/same.jsonl").hardlink_to(data / "uploads/a.jsonl")
    (data / "uploads/gone.jsonl").symlink_to(tmp_path / "nowhere")
    for kept in ("huggingface/hub/snapshot", "cache/inductor", ".triton"):
        (data / kept).mkdir(parents=True)
        (data / kept / "weights").symlink_to(data / "secret-key")
    archive = tmp_path / "backup.tar.gz"
    backup(archive, data)
    restore(archive, tmp_path / "other")
    there = {str(path.relative_to(tmp_path / "other")) for path in (tmp_path / "other").rglob("*") if path.is_file()}
    files = {name for name in there if not name.startswith("postgres/")}
    assert files == {"secret-key", "uploads/a.jsonl", "uploads/same.jsonl", "imports/b.jsonl"}
    assert (tmp_path / "other/imports/b.jsonl").read_text() == "[]\n"


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda whole: whole[: len(whole) // 2],
    lambda whole: whole[:20],
    lambda whole: whole[:-6],
    lambda whole: whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:],
    lambda whole: whole[: len(whole) // 2] + bytes(100) + whole[len(whole) // 2 + 100 :],
]


@pytest.mark.parametrize("damage", DAMAGES, ids=["half", "a few bytes", "no end", "checksum", "middle"])
def test_a_damaged_archive_changes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    archive = tmp_path / "backup.tar.gz"
    (data / "uploads/noise").write_bytes(random.Random(1).randbytes(100_000))
    backup(archive, data)
    archive.write_bytes(damage(archive.read_bytes()))
    (data / "uploads/a.jsonl").write_text("newer")
    assert main_restore([str(archive), "--data", str(data)]) == 1
    assert "is damaged or cut short" in capsys.readouterr().err
    assert (data / "uploads/a.jsonl").read_text() == "newer"
    assert change(data, "SELECT name FROM entry") == [("tiny",)]


def test_a_restore_into_a_running_platform_is_refused(data: Path, tmp_path: Path) -> None:
    server = EmbeddedPostgres(data / "postgres", durable=False).start()
    try:
        backup(tmp_path / "backup.tar.gz", data)  # a backup of a running one is fine
        with pytest.raises(BackupError, match="Stop it before a restore"):
            restore(tmp_path / "backup.tar.gz", data)
    finally:
        server.stop()


def test_a_foreign_archive_changes_nothing(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign = tmp_path / "foreign.tar.gz"
    with tarfile.open(foreign, "w:gz") as tar:
        tar.add(data / "secret-key", "something")
    assert main_restore([str(foreign), "--data", str(data)]) == 1
    assert "it is no backup of Crosstable" in capsys.readouterr().err
    assert change(data, "SELECT name FROM entry") == [("tiny",)]


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(BackupError, match="outside"):
        restore(evil, tmp_path / "var")


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        link = tarfile.TarInfo("data/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BackupError, match="data/link"):
        restore(evil, tmp_path / "var")
