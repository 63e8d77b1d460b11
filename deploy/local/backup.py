"""`python -m deploy.local backup FILE` and `restore FILE`: the whole platform in one archive.

The archive (tar, gzip) holds the database as pg_dump's custom format, everything else below the data folder, and the
keys, without which stored secrets cannot be read: the key file of one machine, or SECRET_KEY and its like of a
production environment. Keep it as you would keep a password. DATABASE_URL names the database; without it, it is the
embedded one of the data folder.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.local.binaries import MissingProgramError, client_program
from deploy.local.environment import ROOT
from deploy.local.folders import FolderError, private_folder
from deploy.local.servers import EmbeddedPostgres, ServerError

DUMP = "database.dump"
KEYS = "keys.json"
KEY_NAMES = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "CROSSTABLE_RETIRED_SIGNING_KEYS")
# Made again at each start, fetched again when needed, or the database itself, which is in the dump.
LEFT_OUT = frozenset({"postgres", "valkey", "static", "static.sha256", "worker-install.json", "huggingface", "cache"})


class BackupError(Exception):
    """The archive could not be made or used; the message says why."""


class KeysNeeded(Exception):
    """The restore is done; the message says what remains to be done."""


def backup(archive: Path, data: Path) -> None:
    """Write `archive`. The platform may run meanwhile: the dump is one consistent snapshot."""
    # Beside the archive, where there is room for it: /tmp may be memory.
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".backup-") as folder, _database_url(data) as url:
        dump = Path(folder) / DUMP
        _call("pg_dump", url, "--format=custom", "--no-owner", f"--file={dump}")
        keys = Path(folder) / KEYS
        keys.write_text(json.dumps({name: os.environ[name] for name in KEY_NAMES if os.environ.get(name)}))
        part = archive.with_name(f".{archive.name}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz", dereference=True) as tar:
            tar.add(dump, DUMP)
            tar.add(keys, KEYS)
            for path in sorted(data.iterdir()) if data.is_dir() else ():
                # What begins with a dot is kept by libraries for themselves: the folder is the workers' home.
                if path.name not in LEFT_OUT and not path.name.startswith("."):
                    _add(tar, path, f"data/{path.name}")
        part.replace(archive)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """A link as what it leads to, since a restore takes no links. What goes away meanwhile was not to be kept."""
    with contextlib.suppress(FileNotFoundError):
        if path.is_dir():
            tar.add(path, name, recursive=False)
            for below in sorted(path.iterdir()):
                _add(tar, below, f"{name}/{below.name}")
        elif path.is_file():
            tar.add(path, name)


def restore(archive: Path, data: Path) -> None:
    """Replace the database's content and the files by those of `archive`. Stop the platform first.

    Raises KeysNeeded, when all is restored, if this environment lacks the keys that the archive's secrets need.
    """
    postgres = EmbeddedPostgres(data / "postgres")
    if not os.environ.get("DATABASE_URL") and postgres.running():
        raise BackupError(f"the platform runs on {data}. Stop it before a restore.")
    private_folder(data)
    with tempfile.TemporaryDirectory(dir=data, prefix=".restore-") as folder:
        with _readable(archive), tarfile.open(archive) as tar:
            _unpack(tar, Path(folder))
        dump = Path(folder) / DUMP
        if not dump.is_file():
            raise BackupError(f"{archive} holds no {DUMP}: it is no backup of Crosstable.")
        with _database_url(data) as url:
            _load(dump, Path(folder) / "database.sql", url)
        _copy_files(Path(folder) / "data", data)
        _compare_keys(Path(folder) / KEYS, data)


@contextlib.contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Raises BackupError for an archive that is cut short or damaged."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BackupError(f"{archive} is damaged or cut short ({error}). Nothing was changed.") from error


def _compare_keys(keys: Path, data: Path) -> None:
    """Keys come from the environment, which is not ours to change: those that it lacks are laid beside the data."""
    kept = json.loads(keys.read_text()) if keys.is_file() else {}
    known = {key for name in KEY_NAMES[:2] for key in os.environ.get(name, "").split(",") if key}
    if not kept.get("SECRET_KEY") or kept["SECRET_KEY"] in known:
        return
    left = data / "restored-keys.env"
    left.unlink(missing_ok=True)
    with os.fdopen(os.open(left, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in kept.items())
    raise KeysNeeded(
        f"everything is restored, but its secrets were sealed with another SECRET_KEY, which is in {left}. "
        "Add it to SECRET_KEY_FALLBACKS, restart, run `manage.py rotate_keys`, and delete that file."
    )


def _unpack(tar: tarfile.TarFile, folder: Path) -> None:
    """Files and folders only, and none outside `folder`. (tarfile's own filters came with Python 3.11.4.)"""
    for member in tar:
        target = (folder / member.name).resolve()
        if not target.is_relative_to(folder.resolve()) or not (member.isfile() or member.isdir()):
            raise BackupError(f"the archive holds {member.name!r}, which no backup of Crosstable has.")
        target.parent.mkdir(parents=True, exist_ok=True)
        content = tar.extractfile(member)
        if content is None:
            target.mkdir(exist_ok=True)
            continue
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(member.mode & 0o700)
    # The checksum stands behind the last member.
    while tar.fileobj is not None and tar.fileobj.read(1 << 20):
        pass


def _load(dump: Path, script: Path, url: str) -> None:
    """One transaction: a restore that fails leaves the database as it was."""
    _call("pg_restore", "", "--no-owner", f"--file={script}", str(dump))
    emptied = "--command=DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null")
    _call("psql", url, *options, emptied, f"--file={script}")


def _copy_files(source: Path, data: Path) -> None:
    for path in sorted(source.rglob("*")) if source.is_dir() else ():
        target = data / path.relative_to(source)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(path.read_bytes())
            part.chmod(path.stat().st_mode & 0o777)
            part.replace(target)


@contextlib.contextmanager
def _database_url(data: Path) -> Iterator[str]:
    """DATABASE_URL, or the embedded server's: the running one, else one started for the moment."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    server = EmbeddedPostgres(data / "postgres")
    if server.running():
        yield server.url()
        return
    server.start()
    try:
        yield server.url()
    finally:
        server.stop()


def _call(program: str, url: str, *arguments: str) -> None:
    """Run a client program on the database at `url`; its password goes where `ps` does not show it."""
    parts = urlsplit(url)
    environment = {**os.environ, **({"PGPASSWORD": unquote(parts.password)} if parts.password else {})}
    plain = parts._replace(netloc=re.sub(r":[^:@]*@", "@", parts.netloc)).geturl()
    target = [f"--dbname={plain}"] if url else []
    command = [str(client_program(program)), *target, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise BackupError(f"{program} failed: {done.stderr.strip()}")


def main_backup(arguments: Sequence[str] | None = None) -> int:
    parser = _parser("backup")
    name = f"crosstable-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz"
    parser.add_argument("archive", type=Path, nargs="?", default=Path(name), help=f"file to write (default: {name})")
    return _finish(backup, parser.parse_args(arguments))


def main_restore(arguments: Sequence[str] | None = None) -> int:
    parser = _parser("restore")
    parser.add_argument("archive", type=Path, help="file that `backup` wrote; what is there now is replaced")
    return _finish(restore, parser.parse_args(arguments))


def _parser(word: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m deploy.local {word}")
    data = Path(os.environ.get("CROSSTABLE_DATA") or ROOT / "var")
    parser.add_argument("--data", type=Path, default=data, help="folder for all data (CROSSTABLE_DATA, else var)")
    return parser


def _finish(action: Callable[[Path, Path], None], options: argparse.Namespace) -> int:
    archive = options.archive.resolve()
    try:
        action(archive, options.data.resolve())
    except KeysNeeded as remains:
        print(f"{action.__name__}: {remains}", file=sys.stderr)
        return 3
    except (BackupError, MissingProgramError, ServerError, FolderError, OSError, tarfile.TarError) as error:
        print(f"{action.__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{action.__name__}: {archive} ({archive.stat().st_size / 1e6:.1f} MB) done")
    return 0
