"""Archives that lie, lead out, or never end are refused before anything in them is believed."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace

import pytest

from evaluation.importing.archives import opened
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow

LIMITS = Limits(bytes=100_000, members=50, ratio=10, free=12_000)


def zipped(files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] = lambda one: None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, data)
    return file.getvalue()


def tarred(*members: tarfile.TarInfo, mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return file.getvalue()


def plain(name: str, size: int = 3, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    for key, value in more.items():
        setattr(member, key, value)
    return member


def contents(data: bytes, limits: Limits = LIMITS) -> dict[str, bytes]:
    with opened(io.BytesIO(data), "x", limits) as archive:
        return {name: archive.open(name).read() for name in archive.names()}


def refusal(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(BadRow) as caught:
        contents(data, limits)
    return str(caught.value)


def test_files_are_read_by_name() -> None:
    assert contents(zipped({"a/b.json": b"{}", "c.jsonl": b"[]"})) == {"a/b.json": b"{}", "c.jsonl": b"[]"}
    for mode in ("w:gz", "w"):
        assert contents(tarred(plain("./a/b.json"), plain("c"), mode=mode)) == {"a/b.json": b"xxx", "c": b"xxx"}


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..\\a", "C:/a", "a\nb"])
def test_a_path_that_leads_out_is_refused(name: str) -> None:
    for data in (zipped({name: b"x"}), tarred(plain(name))):
        assert "leads out of the archive" in refusal(data)


@pytest.mark.parametrize("name", ["a.zip", "a/b.tar.gz", "c.eval"])
def test_an_archive_in_an_archive_is_refused(name: str) -> None:
    for data in (zipped({name: b"x"}), tarred(plain(name))):
        assert "archive inside an archive" in refusal(data)


def test_links_and_devices_are_refused() -> None:
    def link(one: zipfile.ZipInfo) -> None:
        one.external_attr = 0o120777 << 16

    assert "links and devices" in refusal(zipped({"a": b"/etc/passwd"}, link))
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        assert "links and devices" in refusal(tarred(plain("a", 0, type=kind, linkname="/etc/passwd")))


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    assert "far larger than packed" in refusal(zipped({"a": bytes(50_000)}))
    assert "unpacked it is larger than" in refusal(tarred(plain("a", 90_000)))
    assert "more than 100,000" in refusal(
        zipped({f"{at}": bytes(5_000) for at in range(21)}), replace(LIMITS, ratio=10**6)
    )
    assert "larger than 100,000 bytes" in refusal(tarred(plain("a", 200_000), mode="w"), replace(LIMITS, free=10**9))


def test_too_many_files_and_a_file_twice_are_refused() -> None:
    assert "more than 50 files" in refusal(zipped({f"{at}": b"" for at in range(51)}))
    assert "more than 50 files" in refusal(
        tarred(*(plain(f"{at}", 0) for at in range(51))), replace(LIMITS, free=10**6)
    )
    assert "there twice" in refusal(tarred(plain("a"), plain("a")))


def test_a_member_that_holds_more_than_it_says_is_refused() -> None:
    data = zipped({"a": b"x" * 500})
    at = data.rindex((500).to_bytes(4, "little"))
    lying = data[:at] + (100).to_bytes(4, "little") + data[at + 4 :]
    assert "cannot be unpacked" in refusal(lying)


def test_encrypted_and_overlapping_members_are_refused() -> None:
    data = bytearray(zipped({"a": b"xx"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in refusal(bytes(data))
    twins = zipped({"a": b"x" * 300, "b": b"y" * 300})
    at = twins.index(b"PK\x01\x02") + 20
    assert "overlap" in refusal(twins[:at] + (10**5).to_bytes(4, "little") + twins[at + 4 :])


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"\x1f\x8b", b"\x1f\x8bxxxxxx", b"x" * 700]
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("x: ")


def test_a_cut_off_archive_is_refused() -> None:
    for whole in (zipped({"a": b"0123456789" * 50}), tarred(plain("a", 5000))):
        assert refusal(whole[: len(whole) // 2])
