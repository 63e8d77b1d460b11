"""The folders of the embedded servers: private, short enough for a socket, and used by one server at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from pathlib import Path

from deploy.local.processes import Account, alive

SOCKET_PATH_BYTES = 107  # sun_path of <sys/un.h> has 108 bytes, one of them for the closing zero


class FolderError(Exception):
    """A folder cannot be used; the message says why and what to do."""


def private_folder(folder: Path, account: Account | None = None) -> Path:
    """Make `folder` with mode 0700, or check that an existing one is ours alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.lstat()
    allowed = {os.geteuid(), account.uid if account else None}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in allowed:
        raise FolderError(f"{folder} belongs to somebody else. Remove it, or choose another data folder.")
    folder.chmod(0o700)
    if account:
        account.give(folder)
    return folder


def socket_folder(home: Path, socket_name: str) -> Path:
    """Where the socket of a server at `home` lies: below it, or in a short folder when the path would be too long."""
    inside = home / "socket"
    if len(os.fsencode(inside / socket_name)) <= SOCKET_PATH_BYTES:
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    base = Path(runtime) if runtime and len(runtime) < 60 and os.access(runtime, os.W_OK) else Path("/tmp")  # noqa: S108 - owner and mode are checked by private_folder
    return base / f"crosstable-{os.geteuid()}-{digest}"


class FolderLock:
    """One server per data folder.

    The server inherits the open lock, so the folder stays locked exactly as long as any of its processes lives,
    also after its supervisor was killed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lock"
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        if self._descriptor is None:
            raise FolderError(f"{self.path} is not locked.")
        return self._descriptor

    def acquire(self, *, patience: float = 15.0) -> None:
        """Take the lock. A living owner is reported at once; a dying server gets `patience` seconds to end."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        end = time.monotonic() + patience
        while not _locked(descriptor):
            owner = int(os.pread(descriptor, 20, 0) or b"0")
            if (owner and alive(owner)) or time.monotonic() > end:
                os.close(descriptor)
                raise FolderError(
                    f"{self.path.parent} is in use by process {owner}. Stop it first, or choose another data folder."
                )
            time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(folder: Path) -> bool:
    """Whether a server uses `folder` now."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
