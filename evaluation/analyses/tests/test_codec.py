"""Results to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np
import pytest

from evaluation.analyses.base import from_json, to_json
from evaluation.tables import Floats, Integers


@dataclass(frozen=True, eq=False)
class Inner:
    values: Floats
    counts: Integers


@dataclass(frozen=True, eq=False)
class Outer:
    name: str
    limit: float
    pair: tuple[int, str]
    names: tuple[str, ...]
    parts: Mapping[str, Inner]
    best: Inner | None = None
    errors: Floats | None = None


OUTER = Outer(
    name="x",
    limit=inf,
    pair=(1, "a"),
    names=("p", "q"),
    parts={"one": Inner(np.array([[1.5, nan], [inf, -inf]]), np.array([3, 4]))},
    errors=np.array([], dtype=np.float64),
)


def test_infinity_is_text_and_a_hole_is_null() -> None:
    data = to_json(OUTER)
    assert data["limit"] == "inf"
    assert data["parts"]["one"] == {"values": [[1.5, None], ["inf", "-inf"]], "counts": [3, 4]}
    assert data["best"] is None
    json.dumps(data, allow_nan=False)


def test_what_was_written_comes_back() -> None:
    back = from_json(Outer, json.loads(json.dumps(to_json(OUTER))))
    assert to_json(back) == to_json(OUTER)
    assert (back.limit, back.pair, back.names, back.best) == (inf, (1, "a"), ("p", "q"), None)
    values = back.parts["one"].values
    assert np.array_equal(values, OUTER.parts["one"].values, equal_nan=True)
    assert not values.flags.writeable
    assert back.parts["one"].counts.dtype == np.int64


def test_a_hole_in_a_single_number_comes_back_as_nan() -> None:
    back = from_json(Outer, to_json(Outer("x", nan, (1, "a"), (), {})))
    assert isnan(back.limit)


def test_what_has_no_place_in_a_result_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        to_json({"a": {1, 2}})
