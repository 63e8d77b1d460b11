"""PNG in and out, with few colours: what a browser draws in true colour, written with a palette of 256."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

COLOURS = 256
ALIKE = 6  # steps of a channel that nobody sees on a page
CHUNK = 4096
Pixels = NDArray[np.uint8]


def reduced(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """(palette (colour, 3), index (row, column)): the commonest colours that are not alike, and for the others the
    nearest of these. Where 256 colours are enough, nothing changes.

    pixels: (row, column, 3).
    """
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    values, place, counts = np.unique(packed, return_inverse=True, return_counts=True)
    colours = np.stack([(values >> shift) & 255 for shift in (16, 8, 0)], axis=1).astype(np.int32)
    ordered = colours[np.argsort(-counts, kind="stable")]
    kept = ordered if len(ordered) <= COLOURS else _apart(ordered)
    parts = [colours[at : at + CHUNK] for at in range(0, len(colours), CHUNK)]
    nearest = np.concatenate([((part[:, None] - kept[None]) ** 2).sum(axis=2).argmin(axis=1) for part in parts])
    return kept.astype(np.uint8), nearest.astype(np.uint8)[place.reshape(packed.shape)]


def _apart(ordered: NDArray[np.int32]) -> NDArray[np.int32]:
    """The first of these colours that differ by more than `ALIKE` in some channel, so that rare ones find a place."""
    left: NDArray[np.int32] = ordered
    kept: list[NDArray[np.int32]] = []
    while len(left) and len(kept) < COLOURS:
        kept.append(left[0])
        left = left[np.abs(left - left[0]).max(axis=1) > ALIKE]
    return np.array(kept)


def read(png: bytes) -> Pixels:
    """(row, column, 3) of a PNG of 8 bits a channel, without interlacing, as Chromium writes it."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    if (depth, kind) not in {(8, 2), (8, 6)}:
        raise ValueError(f"a picture of {depth} bits and kind {kind} is not read here")
    size = 3 if kind == 2 else 4
    data = zlib.decompress(b"".join(body for name, body in _chunks(png) if name == b"IDAT"))
    lines = np.frombuffer(data, np.uint8).reshape(height, 1 + width * size)
    out = np.zeros((height + 1, width * size), np.uint8)
    for at, line in enumerate(lines):
        out[at + 1] = _unfiltered(int(line[0]), line[1:], out[at], size)
    return out[1:].reshape(height, width, size)[:, :, :3]


def _unfiltered(kind: int, line: Pixels, above: Pixels, size: int) -> Pixels:
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    by_pixel = line.reshape(-1, size)
    if kind == 1:
        return np.cumsum(by_pixel, axis=0, dtype=np.uint8).reshape(-1)
    found = np.zeros(size + line.size, np.int32)
    rest, up = line.tolist(), above.tolist()
    for at, value in enumerate(rest):
        left, corner = int(found[at]), up[at - size] if at >= size else 0
        guess = (left + up[at]) // 2 if kind == 3 else _paeth(left, up[at], corner)
        found[at + size] = (value + guess) & 255
    return found[size:].astype(np.uint8)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))


def write(palette: Pixels, index: Pixels) -> bytes:
    """A PNG with a palette. index: (row, column)."""
    height, width = index.shape
    raw = np.concatenate([np.zeros((height, 1), np.uint8), index], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """(name, body) of each."""
    starts = [8]
    while starts[-1] < len(png):
        starts.append(starts[-1] + 12 + struct.unpack(">I", png[starts[-1] : starts[-1] + 4])[0])
    return [(png[one + 4 : one + 8], png[one + 8 : following - 4]) for one, following in pairwise(starts)]
