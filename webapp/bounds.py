"""What a request may bring: how many bytes, and how much its JSON would become in memory."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings

V = TypeVar("V", bound=Callable[..., Any])
NESTING = 64  # levels of JSON
# Texts first, so that a bracket in one is none. A text without an end reaches to the end: nothing is read twice.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|[^\s",:\[\]{}]++', re.DOTALL)


@dataclass(frozen=True)
class Bounds:
    """size: bytes of a request. text: characters of JSON in it. containers: its objects and lists, which may take sixty
    times as much memory as text. values: whatever else is in it, names of fields included."""

    size: int
    text: int
    containers: int
    values: int


SMALL = Bounds(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, settings.DATA_UPLOAD_MAX_MEMORY_SIZE, 20_000, 200_000)
# A hundred thousand questions with their choices, or 20,000 rows of 100 numbers.
UPLOAD = Bounds(settings.UPLOAD_BYTES, settings.BENCHMARK_UPLOAD_BYTES, 300_000, 3_000_000)
PIECE = Bounds(settings.IMPORT_CHUNK_BYTES, 0, 0, 0)


def brings_files(view: V) -> V:
    """Marks a page whose form has files. REST resources say `bounds = UPLOAD`."""
    view.bounds = UPLOAD  # type: ignore[attr-defined]
    return view


def bounds_of(view: Any) -> Bounds:
    """Of a page, of a resource, or of the function that Django calls for it."""
    bounds: Bounds = getattr(getattr(view, "cls", view), "bounds", SMALL)
    return bounds


def in_words(size: int) -> str:
    return f"at most {size // 2**20} MiB"


class BadJSON(ValueError):
    """Text from outside that is not taken as JSON. Its words begin in the middle of a sentence."""


def loads(text: str | bytes, bounds: Bounds = SMALL) -> Any:
    """For whatever comes from outside. Raises BadJSON, before much memory is taken."""
    if len(text) > bounds.text:
        raise BadJSON(f"it is longer than {bounds.text:,} characters")
    try:
        if isinstance(text, bytes):
            text = text.decode()
        _weigh(text, bounds)
        return _READER.decode(text)
    except UnicodeDecodeError as error:
        raise BadJSON("it is not UTF-8 text") from error
    except BadJSON:
        raise
    except ValueError as error:  # no JSON, or a number of more digits than Python reads
        raise BadJSON(str(error)) from error


def _weigh(text: str, bounds: Bounds) -> None:
    if text.count("[") + text.count("{") <= NESTING and text.count(",") + text.count(":") < bounds.values:
        return  # most are: then nothing can be too much, whatever stands in texts
    depth = containers = values = 0
    for token in _TOKEN.finditer(text):
        sign = text[token.start()]
        if sign in "[{":
            depth, containers = depth + 1, containers + 1
        elif sign in "]}":
            depth -= 1
        else:
            values += 1
        if depth > NESTING:
            raise BadJSON(f"it is nested deeper than {NESTING} levels")
        if containers > bounds.containers:
            raise BadJSON(f"it has more than {bounds.containers:,} objects and lists")
        if values > bounds.values:
            raise BadJSON(f"it has more than {bounds.values:,} values")


def _refuse(name: str) -> None:
    raise BadJSON(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadJSON("a number is too large")
    return number


_READER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
