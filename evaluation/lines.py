"""JSON lines from strangers: bounded in size, rows and nesting, strict about JSON, every error with its line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from evaluation.errors import BadBenchmark

MAX_LINE = 1_000_000  # bytes
MAX_LINES = 100_000
MAX_NESTING = 16


def read_objects(lines: Iterable[bytes | str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Pairs of line number (from 1) and object; blank lines are passed over. Raises BadBenchmark."""
    for number, line in enumerate(lines, start=1):
        if number > MAX_LINES:
            raise _refusal(number, f"the file has more than {MAX_LINES:,} lines")
        if len(line) > MAX_LINE:
            raise _refusal(number, f"it is longer than {MAX_LINE:,} bytes")
        if line.strip():
            yield number, _read_object(number, line)


def _read_object(number: int, line: bytes | str) -> dict[str, Any]:
    try:
        text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
        check_plain(value)
    except UnicodeError:
        raise _refusal(number, "it is not UTF-8 text") from None
    except RecursionError:
        raise _refusal(number, f"it is nested deeper than {MAX_NESTING} levels") from None
    except ValueError as error:
        raise _refusal(number, f"invalid JSON ({error})") from None
    if not isinstance(value, dict):
        raise _refusal(number, f"it holds a {type(value).__name__}, not an object")
    return value


def check_plain(value: object, depth: int = 0) -> None:
    """Refuse what JSON text can smuggle in and a database or tokenizer cannot take.

    Raises ValueError (UnicodeError for lone surrogates), or RecursionError for too deep a nesting.
    """
    if depth > MAX_NESTING:
        raise RecursionError
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is too large")
    elif isinstance(value, dict | list):
        for child in (*value, *value.values()) if isinstance(value, dict) else value:
            check_plain(child, depth + 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text holds the character U+0000")
    text.encode()  # lone surrogates raise UnicodeError


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object names a field twice")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refusal(number: int, reason: str) -> BadBenchmark:
    return BadBenchmark(
        f"Line {number}: {reason}.", field="documents", remedy="Write one JSON object per line, in UTF-8."
    )
