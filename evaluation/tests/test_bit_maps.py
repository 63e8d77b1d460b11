"""Maps of bits per layer: both forms of a file, what is refused and which field it names."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from evaluation import bit_maps
from evaluation.bit_maps import BitMap
from evaluation.errors import BadParameter

SHAPES = {"a": (4, 8), "b": (4, 8), "c": (8, 8)}
BITS = {"a": 2, "b": 4, "c": 3}


def test_a_plain_map_and_a_whole_one_are_the_same_map() -> None:
    plain = bit_maps.read(dict(reversed(BITS.items())))
    whole = bit_maps.read(json.loads(json.dumps(BitMap(BITS, SHAPES).to_json())))
    assert (plain.hash, plain.bits, plain.shapes, plain.average) == (whole.hash, BITS, {}, None)
    assert (whole.shapes, whole.average) == (SHAPES, Fraction(3))
    assert bit_maps.read(plain.to_json()) == plain
    assert bit_maps.read({**BITS, "a": 3}).hash != plain.hash
    plain.check(SHAPES)
    whole.check(SHAPES)


def test_the_average_is_exact() -> None:
    assert bit_maps.average({"a": 2, "b": 3}, {"a": 1, "b": 2}) == Fraction(8, 3)
    third = bit_maps.read({"average_bits": 8 / 3, "layers": {"a": {"bits": 2}, "b": {"bits": 3}}})
    third.check({"a": (1, 1), "b": (2, 1)})


def layers(**changed: Any) -> dict[str, Any]:
    rows = {name: {"bits": BITS[name], "shape": list(shape)} for name, shape in SHAPES.items()}
    return {"average_bits": 3.0, "layers": rows | changed}


@pytest.mark.parametrize(
    ("found", "field", "reason"),
    [
        ([1], "bits", "must be a JSON object"),
        ({}, "bits", "must be a JSON object"),
        ({"a": 9}, "bits", "gives a 9 bits; 2 to 6 are possible"),
        ({"a": 3.0}, "bits", "gives a 3.0 bits"),
        ({"a": True}, "bits", "gives a true bits"),
        ({"a": {"shape": [1, 1]}}, "bits", "gives a {"),
        ({"": 3}, "bits", "name is empty"),
        ({"a" * 301: 3}, "bits", "longer than 300"),
        (layers(a={"bits": 2, "shape": [4, "8"]}), "shape", "gives a the shape"),
        (layers(a={"bits": 2, "shape": [4, 0]}), "shape", "two positive whole numbers"),
        (layers(a={"bits": 2}), "shape", "none for a"),
        (layers(a={"bits": 6, "shape": [4, 8]}), "average_bits", "promises 3 bits on average and spends 4"),
        ({**layers(), "average_bits": "3"}, "average_bits", "promises \"3\" bits"),
        ({**layers(), "average_bits": 7}, "average_bits", "promises 7 bits"),
    ],
)  # fmt: skip
def test_what_is_no_map_is_refused_with_its_field(found: Any, field: str, reason: str) -> None:
    with pytest.raises(BadParameter) as refused:
        bit_maps.read(found)
    assert refused.value.field == field
    assert reason in refused.value.message
    assert refused.value.remedy


def test_a_map_of_too_many_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bit_maps, "MOST_LAYERS", 2)
    with pytest.raises(BadParameter, match="names 3 layers; 2 are possible"):
        bit_maps.read(BITS)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        (BitMap({"a": 3, "b": 3}), "bits", "does not name c, which the model has"),
        (BitMap({**BITS, "d": 3}), "bits", "names d, which the model does not have"),
        (BitMap(BITS, {**SHAPES, "c": (8, 4)}), "shape", "holds c with the shape 8 × 4; the model’s is 8 × 8"),
        (BitMap(BITS, average=Fraction(4)), "average_bits", "promises 4 bits on average and spends 3"),
    ],
)
def test_a_map_of_another_model_is_refused(given: BitMap, field: str, reason: str) -> None:
    with pytest.raises(BadParameter, match=reason) as refused:
        given.check(SHAPES)
    assert refused.value.field == field
