"""What an import sends: a file as it is, a folder as an archive whose bytes depend on nothing but its files."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosstable.errors import CrosstableError

BLOCK = 1 << 20


@contextmanager
def packed(path: Path) -> Iterator[tuple[Path, str]]:
    """The file to send and the name to send it under. Raises CrosstableError for a path without files."""
    if path.is_file():
        yield path, path.name
        return
    if not path.is_dir():
        raise CrosstableError(f"There is no file or folder {path}.")
    with tempfile.TemporaryDirectory(prefix="crosstable-") as folder:
        archive = Path(folder) / "results.tar.gz"
        _archive(path, archive)
        yield archive, f"{path.resolve().name}.tar.gz"


def _archive(folder: Path, archive: Path) -> None:
    """Sorted, without times and owners: the same files give the same bytes, which are not uploaded twice."""
    files = sorted(found for found in folder.rglob("*") if found.is_file() and not found.is_symlink())
    if not files:
        raise CrosstableError(f"There are no files in {folder}.")
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for file in files:
            info = tarfile.TarInfo(file.relative_to(folder).as_posix())
            info.size = file.stat().st_size
            with file.open("rb") as content:
                tar.addfile(info, content)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
