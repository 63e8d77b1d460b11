"""Results to JSON and back, exactly.

A hole (NaN) becomes null and comes back as NaN; infinity becomes the text "inf" or "-inf". Bare NaN and Infinity
are not JSON, and databases and browsers refuse them.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import inf, isinf, isnan, nan
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

R = TypeVar("R")
INFINITIES = {inf: "inf", -inf: "-inf"}
NUMBERS = {"inf": inf, "-inf": -inf, None: nan}


def to_json(value: Any) -> Any:
    """Dataclasses, mappings, tuples, arrays and numbers as plain JSON values."""
    if isinstance(value, np.ndarray | np.generic):
        return to_json(value.tolist())
    if isinstance(value, float):
        return None if isnan(value) else INFINITIES[value] if isinf(value) else value
    if value is None or isinstance(value, str | int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    raise TypeError(f"{type(value).__name__} has no place in a result")


def from_json(kind: type[R], data: Any) -> R:
    """The dataclass `kind` from what `to_json` made of it."""
    hints = get_type_hints(kind)
    known = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _decoded(hints[name], value) for name, value in data.items() if name in known})


def _decoded(hint: Any, data: Any) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if data is None else _decoded(next(one for one in inner if one is not types.NoneType), data)
    if origin is np.ndarray:
        return _array(data, get_args(inner[1])[0])
    if origin is tuple:
        hints = [inner[0]] * len(data) if inner[-1] is Ellipsis else inner
        return tuple(_decoded(one, value) for one, value in zip(hints, data, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decoded(inner[1], value) for key, value in data.items()}
    if is_dataclass(hint):
        return from_json(hint, data)  # type: ignore[arg-type]
    return NUMBERS[data] if hint is float and (data is None or isinstance(data, str)) else data


def _array(data: Any, number: Any) -> Any:
    """A read-only array; null is NaN and "inf" is infinity where the numbers are floats."""
    if not issubclass(number, np.floating):
        array = np.array(data, dtype=number)
    else:
        holes = np.array(data, dtype=object)
        flat = [NUMBERS[one] if one is None or isinstance(one, str) else one for one in holes.ravel().tolist()]
        array = np.array(flat, dtype=number).reshape(holes.shape)
    array.setflags(write=False)
    return array
