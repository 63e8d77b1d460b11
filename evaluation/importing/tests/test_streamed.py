"""A JSON document in pieces of any size gives the same members as the whole."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from evaluation.importing import streamed
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow

ITEMS = [{"x": '}],\\" :,'}, [1, [2]], "s", 3, None, {}, [], {"deep": [{"y": "ü\u2028\\"}]}]
DOCUMENT = {"a": 1, "b": {"samples": [1, 2]}, "samples": ITEMS, "c": [{"k": []}], "e": {}, "f": [], "g": '"\\'}
EXPECTED = [
    ("a", 1), ("b", {"samples": [1, 2]}), *(("samples", item) for item in ITEMS), ("c", [{"k": []}]), ("e", {}),
    ("f", []), ("g", '"\\'),
]  # fmt: skip


def members(text: str, limits: Limits | None = None) -> list[Any]:
    stream = io.BytesIO(text.encode())
    return list(streamed.members(stream, file="log.json", limits=limits or Limits(), listed="samples"))


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10**6])
@pytest.mark.parametrize("indent", [None, 2])
def test_members_and_items_in_order(piece: int, indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "PIECE", piece)
    assert members(json.dumps(DOCUMENT, indent=indent)) == EXPECTED
    assert members(json.dumps(ITEMS, indent=indent)) == [("samples", item) for item in ITEMS]
    for empty in ("{}", "[]", '{"samples": []}'):
        assert members(empty) == []


def test_a_string_of_quotes_across_pieces_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backing out of a string that goes on would take hours here: time by the cube of its length."""
    monkeypatch.setattr(streamed, "PIECE", 1 << 14)
    text = '"' * 300_000
    assert members(json.dumps({"samples": [text]})) == [("samples", text)]


@pytest.mark.parametrize(
    "text", ["", '{"a":1', '{"a" 1}', "[1,2", '{"a":"x', '{"a":1}}', '{"a":1} x', '{"samples":[{]}', "7"]
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(BadRow, match=r"^log\.json"):
        members(text)


def test_a_value_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "PIECE", 100)
    limits = Limits(line=1000)
    assert len(members(json.dumps({"samples": ["x" * 800] * 5}), limits)) == 5
    with pytest.raises(BadRow, match=r"“samples”: a value is longer than 1,000 bytes"):
        members(json.dumps({"samples": ["x" * 5000]}), limits)
