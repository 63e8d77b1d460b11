"""How large results may be: what a stranger uploads is never trusted to be reasonable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """bytes: of all files together once they are unpacked. line: bytes of one line or one JSON value that is read.

    cell: characters of one text. nesting: levels of lists and objects in JSON. members: files in an archive.
    ratio: how many times larger than packed a file in an archive may be, beyond its first `free` bytes.
    """

    bytes: int = 8 * 2**30
    rows: int = 5_000_000
    line: int = 16 * 2**20
    cell: int = 1_000_000
    nesting: int = 32
    members: int = 100_000
    ratio: int = 1000
    free: int = 16 * 2**20
