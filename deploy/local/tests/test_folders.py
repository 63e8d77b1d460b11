from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.local.folders import SOCKET_PATH_BYTES, FolderError, FolderLock, is_locked, private_folder, socket_folder


def test_private_folder_takes_rights_away_from_others(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    assert private_folder(open_to_all).stat().st_mode & 0o777 == 0o700


def test_private_folder_refuses_a_link(tmp_path: Path) -> None:
    """Somebody could have put a link into /tmp before us."""
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(FolderError, match="belongs to somebody else"):
        private_folder(tmp_path / "link")


@pytest.mark.parametrize("length", [10, 70, 107, 108, 300])
def test_socket_paths_always_fit(length: int) -> None:
    home = Path("/" + "é" * (length // 2))
    folder = socket_folder(home, "valkey.sock")
    assert len(os.fsencode(folder / "valkey.sock")) <= SOCKET_PATH_BYTES
    assert folder == socket_folder(home, "valkey.sock")


def test_different_deep_folders_get_different_sockets() -> None:
    assert socket_folder(Path("/" + "a" * 200), "s") != socket_folder(Path("/" + "b" * 200), "s")


def test_a_lock_lasts_until_the_last_heir_is_gone(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    heir = os.dup(lock.descriptor)  # what a server inherits
    lock.release()
    assert is_locked(tmp_path)
    os.close(heir)
    assert not is_locked(tmp_path)


def test_an_unlocked_lock_has_no_descriptor(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="is not locked"):
        _ = FolderLock(tmp_path).descriptor
