"""Archives from strangers: read in place, bounded, and refused whole for anything that does not belong in one."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from evaluation.errors import MissingPackage
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow

PACKED = (".zip", ".eval", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".whl", ".jar")
ZSTANDARD = 93  # method of zip that Inspect uses and this Python's zipfile does not know
ENCRYPTED = 0x1
PIECE = 1 << 20


class Archive(Protocol):
    """Files by their names inside an archive."""

    name: str

    def names(self) -> list[str]: ...

    def open(self, name: str) -> BinaryIO: ...


class Zip:
    """A zip file, checked before anything in it is read. Raises BadRow."""

    def __init__(self, stream: BinaryIO, name: str, limits: Limits, *, nested: bool = False) -> None:
        self.name, self.stream = name, stream
        try:
            self.file = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise BadRow(f"it is not a zip file that can be read ({error})", file=name) from None
        self.members = {one.filename: one for one in self.file.infolist() if not one.is_dir()}
        entries = self.file.infolist()
        _check_names(name, [one.filename for one in entries], limits)
        packed = sum(one.compress_size for one in entries)
        if packed > stream.seek(0, io.SEEK_END):
            raise BadRow("files in it overlap", file=name)
        for one in entries:
            _check_member(name, one, limits)
        _check_total(name, sum(one.file_size for one in entries), limits)

    def names(self) -> list[str]:
        return list(self.members)

    def open(self, name: str) -> BinaryIO:
        member = self.members[name]
        if member.compress_type == ZSTANDARD:
            return _Bounded(self._zstandard(member), member.file_size, f"{self.name}/{name}")
        try:
            return _Bounded(cast(BinaryIO, self.file.open(member)), member.file_size, f"{self.name}/{name}")
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise BadRow(f"it cannot be unpacked ({error})", file=f"{self.name}/{name}") from None

    def _zstandard(self, member: zipfile.ZipInfo) -> BinaryIO:
        try:
            import pyarrow as pa
        except ImportError:
            remedy = "Install pyarrow on the analysis worker, or convert the log to JSON."
            raise MissingPackage("This log is packed with Zstandard, which needs pyarrow.", remedy=remedy) from None
        section = _Section(self.stream, _data_of(self.stream, member, self.name), member.compress_size)
        return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(section, mode="r"), "zstd"))


def _data_of(stream: BinaryIO, member: zipfile.ZipInfo, name: str) -> int:
    """Where the packed bytes begin: behind the member's own header, whose names may be longer than the directory's."""
    stream.seek(member.header_offset)
    head = stream.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise BadRow("it is not a zip file that can be read", file=name)
    lengths = struct.unpack("<HH", head[26:30])
    return int(member.header_offset + 30 + sum(lengths))


class _Section(io.RawIOBase):
    """A stretch of a file as a file."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self.stream, self.at, self.end = stream, start, start + size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self.end - self.at if size is None or size < 0 else min(size, self.end - self.at)
        self.stream.seek(self.at)
        data = self.stream.read(wanted)
        self.at += len(data)
        return data


class _Raw(io.RawIOBase):
    """Another stream of which no more is read than it said it has; what breaks in it is told by name."""

    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self.stream, self.left, self.name = stream, size, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.stream.read(min(len(buffer), PIECE))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, ValueError) as error:
            raise BadRow(f"it cannot be unpacked ({error})", file=self.name) from None
        self.left -= len(data)
        if self.left < 0:
            raise BadRow("it is larger than the archive says", file=self.name)
        buffer[: len(data)] = data
        return len(data)


class _Bounded(io.BufferedReader):
    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        super().__init__(_Raw(stream, size, name), PIECE)


class Tar:
    """A tar file, packed by gzip or not: unpacked once into a temporary file, so that any member can be read again."""

    def __init__(self, stream: BinaryIO, name: str, limits: Limits) -> None:
        self.name = name
        self.plain = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - `close` closes it
        try:
            _unzip(stream, self.plain, name, limits)
            self.file = tarfile.TarFile(fileobj=self.plain)
            self.members = self._checked(limits)
        except (tarfile.TarError, ValueError, EOFError) as error:
            self.plain.close()
            raise BadRow(f"it is not a tar file that can be read ({error})", file=name) from None
        except BadRow:
            self.plain.close()
            raise

    def _checked(self, limits: Limits) -> dict[str, tarfile.TarInfo]:
        members = self._members(limits)
        _check_names(self.name, [one.name for one in members], limits)
        _check_total(self.name, sum(one.size for one in members), limits)
        for one in members:
            if not (one.isreg() or one.isdir()) or one.sparse is not None:
                raise BadRow("it is not a plain file: links and devices are refused", file=f"{self.name}/{one.name}")
        return {one.name.removeprefix("./"): one for one in members if one.isreg()}

    def _members(self, limits: Limits) -> list[tarfile.TarInfo]:
        members = []
        for one in self.file:
            members.append(one)
            if len(members) > limits.members:
                raise BadRow(f"there are more than {limits.members:,} files in it", file=self.name)
        return members

    def names(self) -> list[str]:
        return list(self.members)

    def open(self, name: str) -> BinaryIO:
        member = self.members[name]
        return cast(BinaryIO, self.file.extractfile(member))

    def close(self) -> None:
        self.file.close()
        self.plain.close()


def _unzip(stream: BinaryIO, plain: BinaryIO, name: str, limits: Limits) -> None:
    stream.seek(0)
    packed = stream.read(2) == b"\x1f\x8b"
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    source = gzip.GzipFile(fileobj=stream) if packed else stream
    most, total = min(limits.bytes, limits.free + limits.ratio * size), 0
    try:
        while data := source.read(PIECE):
            total += len(data)
            if total > most:
                raise BadRow(f"unpacked it is larger than {most:,} bytes", file=name)
            plain.write(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadRow(f"it cannot be unpacked ({error})", file=name) from None
    plain.seek(0)


@contextmanager
def opened(stream: BinaryIO, name: str, limits: Limits) -> Iterator[Archive]:
    """The archive in a file, told by its first bytes. Raises BadRow."""
    stream.seek(0)
    if stream.read(4) == b"PK\x03\x04":
        yield Zip(stream, name, limits)
        return
    tar = Tar(stream, name, limits)
    try:
        yield tar
    finally:
        tar.close()


def _check_names(archive: str, names: list[str], limits: Limits) -> None:
    if len(names) > limits.members:
        raise BadRow(f"there are more than {limits.members:,} files in it", file=archive)
    if len(set(names)) < len(names):
        raise BadRow("a file is there twice", file=archive)
    for name in names:
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or not name.isprintable():
            raise BadRow(f"the path “{name[:80]!r}” leads out of the archive", file=archive)
        if name.lower().endswith(PACKED):
            raise BadRow("it is an archive inside an archive", file=f"{archive}/{name}", remedy="Unpack it first.")


def _check_member(archive: str, member: zipfile.ZipInfo, limits: Limits) -> None:
    where = f"{archive}/{member.filename}"
    if member.flag_bits & ENCRYPTED:
        raise BadRow("it is encrypted", file=where)
    mode = member.external_attr >> 16
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
        raise BadRow("it is not a plain file: links and devices are refused", file=where)
    if member.file_size > limits.free + limits.ratio * member.compress_size:
        raise BadRow("unpacked it is far larger than packed", file=where)


def _check_total(archive: str, total: int, limits: Limits) -> None:
    if total > limits.bytes:
        raise BadRow(f"unpacked it has {total:,} bytes, more than {limits.bytes:,}", file=archive)
