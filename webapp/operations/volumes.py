"""Files beside the database, and how much room is left on the disks that this process can see."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.conf import settings
from django.db import connection

FILES = 20_000  # looked at, at most: a page must not wait for a disk
BLOCK = 512  # bytes, in which POSIX counts what a file takes
HERE = {"", "localhost", "127.0.0.1", "::1"}
TITLES = {
    "mail": "E-mails that became files",
    "static": "Static files of the site",
    "postgres": "PostgreSQL’s folder: the database, its log of changes",
    "valkey": "Valkey’s folder",
}


@dataclass(frozen=True)
class Volume:
    """A disk. what: of ours that lies on it, in words; sizes in bytes."""

    what: str
    total: int
    free: int

    @property
    def used(self) -> int:
        return self.total - self.free

    @property
    def tight(self) -> bool:
        """Less than a tenth is free: PostgreSQL stops when nothing is."""
        return self.free < self.total / 10


@dataclass(frozen=True)
class Folder:
    """What lies below the data folder. more: there is more than the bytes that were counted."""

    name: str
    bytes: int
    more: bool = False

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


def volumes(database: str | None) -> list[Volume]:
    """That of the data folder, and that of the database's folder where PostgreSQL runs on this machine."""
    known = connection.settings_dict["HOST"]
    local = database if database and (known in HERE or known.startswith("/")) else None
    places = {"the data folder": settings.DATA_DIR} | ({"the database": Path(local)} if local else {})
    disks: dict[int, tuple[list[str], Path]] = {}
    for what, path in places.items():
        try:
            disks.setdefault(path.stat().st_dev, ([], path))[0].append(what)
        except OSError:  # it is not there, or not ours to look at
            continue
    return [_volume(" and ".join(what), path) for what, path in disks.values()]


def _volume(what: str, path: Path) -> Volume:
    found = shutil.disk_usage(path)
    return Volume(what, found.total, found.free)


def folders() -> list[Folder]:
    """The largest first; single files are left out, and so is what this process may not read."""
    try:
        with os.scandir(settings.DATA_DIR) as found:
            inside = sorted(one.path for one in found if one.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return sorted((_folder(Path(path)) for path in inside), key=lambda one: -one.bytes)


def _folder(path: Path) -> Folder:
    sizes = list(islice(_sizes(path), FILES + 1))
    return Folder(path.name, sum(sizes), len(sizes) > FILES)


def _sizes(path: Path) -> Iterator[int]:
    """Bytes on the disk of each file; what has just been removed, or is not ours to read, is left out."""
    waiting = [str(path)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as found:
            for one in found:
                with suppress(OSError):
                    if one.is_dir(follow_symlinks=False):
                        waiting.append(one.path)
                    else:
                        yield one.stat(follow_symlinks=False).st_blocks * BLOCK
