"""Pictures keep what they show: every filter of PNG is read, and few colours are kept exactly."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from deploy.demo import pictures
from deploy.demo.screenshots import LARGEST, PICTURES, NotReadyError, small


def png(pixels, kind):
    """A true-colour PNG whose lines all have the filter of this kind (PNG, section 9)."""
    height, width, size = pixels.shape
    flat = pixels.reshape(height, width * size).astype(np.int32)
    above = np.vstack([np.zeros_like(flat[:1]), flat[:-1]])
    left = np.hstack([np.zeros((height, size), np.int32), flat[:, :-size]])
    corner = np.hstack([np.zeros((height, size), np.int32), above[:, :-size]])
    guess = left + above - corner
    off = np.stack([abs(guess - one) for one in (left, above, corner)])
    paeth = np.choose(off.argmin(axis=0), [left, above, corner])
    lines = (flat - [0 * flat, left, above, (left + above) // 2, paeth][kind]) & 255
    raw = np.hstack([np.full((height, 1), kind), lines]).astype(np.uint8).tobytes()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2 if size == 3 else 6, 0, 0, 0)),
              (b"IDAT", zlib.compress(raw)[:40]), (b"IDAT", zlib.compress(raw)[40:]), (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(pictures._chunk(*chunk) for chunk in chunks)


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, size=(9, 14, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", range(5))
def test_every_filter_is_read(pixels, kind):
    assert (pictures.read(png(pixels, kind)) == pixels).all()


def test_what_is_see_through_is_read_without_it(pixels):
    seen = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])

    assert (pictures.read(png(seen, 4)) == pixels).all()


def test_few_colours_are_kept_exactly(pixels):
    palette, index = pictures.reduced(pixels)

    assert (palette[index] == pixels).all()


def test_many_colours_become_their_nearest():
    ramp = np.stack([*np.meshgrid(np.arange(64), np.arange(64)), np.zeros((64, 64), int)], axis=2).astype(np.uint8)

    palette, index = pictures.reduced(ramp)

    assert len(palette) <= pictures.COLOURS
    assert np.abs(palette[index].astype(int) - ramp).max() <= pictures.ALIKE


def test_a_rare_colour_is_not_lost_among_shades():
    shades = np.repeat(np.arange(200, 256, dtype=np.uint8), 40).reshape(-1, 1, 1) * np.ones((1, 300, 3), np.uint8)
    dotted = shades.astype(np.uint8)
    dotted[5, 5] = (0, 120, 60)

    palette, index = pictures.reduced(dotted)

    assert (palette[index][5, 5] == (0, 120, 60)).all()


def test_what_is_written_is_a_picture_that_others_read(pixels):
    written = pictures.write(*pictures.reduced(pixels))

    assert written[:8] == b"\x89PNG\r\n\x1a\n"
    header = dict(pictures._chunks(written))[b"IHDR"]
    assert struct.unpack(">IIBB", header[:10]) == (14, 9, 8, 3)


def test_a_picture_that_stays_large_is_refused():
    noise = np.random.default_rng(1).integers(0, 256, size=(500, 500, 3), dtype=np.uint8)

    with pytest.raises(NotReadyError, match=f"{LARGEST:,} is the limit"):
        small(png(noise, 0))


def test_pictures_have_names_of_their_own():
    assert len({one.name for one in PICTURES}) == len(PICTURES) >= 4
