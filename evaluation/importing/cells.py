"""The exchange format's values as cells of CSV, as objects of JSON Lines and as records of Parquet, both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import inf, isfinite, isnan
from typing import Any

from evaluation.importing.limits import Limits
from evaluation.importing.rows import BY_NAME, COLUMNS, EMPTY, NAMES, BadRow, Column, Row, canonical, compact

WHOLE, SMALL = 2**31 - 1, 2**15 - 1  # what the database's integers hold
SMALL_COLUMNS = ("attempt", "choice")
DIGITS = frozenset("0123456789-+.eE")
FLAGS = {"true": True, "false": False}
REMEMBERED = 4096  # characters: longer documents are seldom met twice, and would fill the memory
NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
Reader = Callable[[Any], Any]


def cells(row: Row) -> list[str]:
    """A row of CSV, in the order of COLUMNS."""
    return [_cell(value) for value in row]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(_listed(value), ensure_ascii=False) if isinstance(value, tuple) else repr(value)


def _listed(values: Sequence[Any]) -> list[Any]:
    """A list for JSON, which has no infinity."""
    return ["-inf" if value == -inf else value for value in values]


def to_object(row: Row) -> dict[str, Any]:
    """A line of JSON Lines, without what is not known; documents and settings as objects."""
    found: dict[str, Any] = {}
    for column, value in zip(COLUMNS, row, strict=True):
        if value is None or value in ("", ()):
            continue
        if column.kind == "json":
            found[column.name] = json.loads(str(value))
        else:
            found[column.name] = _listed(value) if isinstance(value, tuple) else value
    return found


def to_record(row: Row) -> dict[str, Any]:
    """A record for `parquet_schema`."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in zip(NAMES, row, strict=True)}


def parquet_schema() -> Any:
    """pyarrow's schema of the format. Raises ImportError without pyarrow."""
    import pyarrow as pa

    types = {
        "text": pa.string(), "json": pa.string(), "whole": pa.int64(), "number": pa.float64(), "flag": pa.bool_(),
        "numbers": pa.list_(pa.float64()), "texts": pa.list_(pa.string()),
    }  # fmt: skip
    return pa.schema([pa.field(column.name, types[column.kind]) for column in COLUMNS])


def check_header(names: Sequence[str], *, file: str, line: int = 0) -> None:
    """Raises BadRow for columns that are missing, unknown or there twice."""
    for name in names:
        if name not in BY_NAME:
            known = f"Known columns: {', '.join(NAMES)}."
            raise BadRow(f"there is no column “{name}” in this format", file=file, line=line, field=name, remedy=known)
        if names.count(name) > 1:
            raise BadRow("the column is there twice", file=file, line=line, field=name)
    missing = [column.name for column in COLUMNS if column.required and column.name not in names]
    if missing:
        raise BadRow("the column is missing", file=file, line=line, field=missing[0], remedy="Add it to the header.")


def from_cells(
    names: Sequence[str], records: Iterator[tuple[int, Sequence[str]]], *, file: str, limits: Limits
) -> Iterator[tuple[int, Row]]:
    """Rows of a CSV file below its header, with their lines. Raises BadRow."""
    plan = [
        (at, NAMES.index(name), CELL_READERS[BY_NAME[name].kind](BY_NAME[name], limits))
        for at, name in enumerate(names)
    ]
    empty = [EMPTY.get(name) for name in NAMES]
    required = [at for at, column in enumerate(COLUMNS) if column.required]
    for line, record in records:
        if len(record) != len(names):
            raise BadRow(f"there are {len(record)} cells, and {len(names)} columns", file=file, line=line)
        values, column = empty.copy(), 0
        try:
            for at, column, read in plan:
                if cell := record[at]:
                    values[column] = read(cell)
        except ValueError as error:
            raise BadRow(str(error), file=file, line=line, field=NAMES[column]) from None
        for at in required:
            if values[at] is None:
                raise BadRow("the cell is empty", file=file, line=line, field=NAMES[at])
        yield line, Row._make(values)


def from_object(value: Mapping[str, Any], *, file: str, line: int, limits: Limits) -> Row:
    """A row from a line of JSON Lines or a record of Parquet. Raises BadRow."""
    return _from_object(value, file, line, _object_readers(limits))


def _from_object(value: Mapping[str, Any], file: str, line: int, readers: Mapping[str, Reader]) -> Row:
    found = {}
    for name, cell in value.items():
        if name not in readers:
            check_header([name], file=file, line=line)
        if cell is not None:
            try:
                found[name] = readers[name](cell)
            except ValueError as error:
                raise BadRow(str(error), file=file, line=line, field=name) from None
    for column in COLUMNS:
        if column.required and found.get(column.name) in (None, ""):
            raise BadRow("it is missing", file=file, line=line, field=column.name)
    return Row(**found)


@lru_cache(maxsize=8)
def _object_readers(limits: Limits) -> Mapping[str, Reader]:
    return {column.name: OBJECT_READERS[column.kind](column, limits) for column in COLUMNS}


# --- text to value -------------------------------------------------------------------------------------------------


def _text(column: Column, limits: Limits) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"this is not a text: {_shown(value)}")
        if len(value) > limits.cell:
            raise ValueError(f"the text has more than {limits.cell:,} characters")
        return storable(value)

    return read


def storable(text: str) -> str:
    """A database's text has no NUL and no half of a surrogate pair; a model may print both."""
    if "\0" in text:
        text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def storable_json(text: str) -> str:
    """The same for JSON text, where a NUL is an escape; as mere text the same letters stand behind a backslash."""
    return storable(NUL.sub("\\1\N{SYMBOL FOR NULL}", text) if "\\u0000" in text else text)


def _whole(column: Column, limits: Limits) -> Reader:
    high = SMALL if column.name in SMALL_COLUMNS else WHOLE
    low = int(column.low or 0)

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"this is not a whole number: {_shown(value)}")
        if not low <= value <= high:
            raise ValueError(f"{value} does not lie between {low} and {high:,}")
        return value

    return read


def _whole_cell(column: Column, limits: Limits) -> Reader:
    check = _whole(column, limits)

    def read(cell: str) -> int:
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 10):
            raise ValueError(f"this is not a whole number: {_shown(cell)}")
        return int(check(int(cell)))

    return read


def _number(column: Column, limits: Limits) -> Reader:
    low = -inf if column.low is None else column.low

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"this is not a number: {_shown(value)}")
        number = float(value) if abs(value) < 1e308 else inf
        if not isfinite(number):
            raise ValueError(f"this is not a finite number: {_shown(value)}")
        if number < low:
            raise ValueError(f"{number!r} is less than {low:g}")
        return number

    return read


def _number_cell(column: Column, limits: Limits) -> Reader:
    low = -inf if column.low is None else column.low

    def read(cell: str) -> float:
        if not DIGITS.issuperset(cell):
            raise ValueError(f"this is not a finite number: {_shown(cell)}")
        try:
            number = float(cell)
        except ValueError:
            raise ValueError(f"this is not a number: {_shown(cell)}") from None
        if not -1e308 < number < 1e308:
            raise ValueError(f"this is not a finite number: {_shown(cell)}")
        if number < low:
            raise ValueError(f"{number!r} is less than {low:g}")
        return number

    return read


def _flag(column: Column, limits: Limits) -> Reader:
    def read(value: Any) -> bool:
        found = FLAGS.get(value) if isinstance(value, str) else value
        if not isinstance(found, bool):
            raise ValueError(f"this is neither true nor false: {_shown(value)}")
        return found

    return read


def _json(column: Column, limits: Limits) -> Reader:
    write = canonical if column.name == "settings" else compact

    def checked(value: Any) -> str:
        if not isinstance(value, dict):
            raise ValueError("this is not a JSON object")
        check_plain(value, limits)
        return storable_json(write(value))

    def parsed(text: str) -> str:
        return checked(parse(text, limits))

    remembered = lru_cache(maxsize=1024)(parsed)

    def read(value: Any) -> str:
        if not isinstance(value, str):
            return checked(value)
        return "" if not value else remembered(value) if len(value) <= REMEMBERED else parsed(value)

    return read


def _numbers(column: Column, limits: Limits) -> Reader:
    def read(value: Any) -> tuple[float, ...]:
        listed = parse(value, limits) if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise ValueError("this is not a list of numbers")
        return tuple(map(log_likelihood, listed))

    return read


def log_likelihood(value: Any) -> float:
    """In nats; -inf is one, NaN and +inf are not. Raises ValueError."""
    if value == "-inf":
        return -inf
    if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value) or value == inf:
        raise ValueError(f"this is not a log-likelihood: {_shown(value)}")
    return float(value)


def _texts(column: Column, limits: Limits) -> Reader:
    text = _text(column, limits)

    def read(value: Any) -> tuple[str, ...]:
        listed = parse(value, limits) if isinstance(value, str) else value
        if not isinstance(listed, list):
            raise ValueError("this is not a list of texts")
        return tuple(text(item) for item in listed)

    return read


CELL_READERS: dict[str, Callable[[Column, Limits], Reader]] = {
    "text": _text, "whole": _whole_cell, "number": _number_cell, "flag": _flag, "json": _json, "numbers": _numbers,
    "texts": _texts,
}  # fmt: skip
OBJECT_READERS = {**CELL_READERS, "whole": _whole, "number": _number}


# --- JSON from strangers ---------------------------------------------------------------------------------------------


def parse(text: str | bytes, limits: Limits, *, lenient: bool = False) -> Any:
    """Strict JSON: no NaN, no field twice. Raises ValueError that says what is wrong.

    lenient: for files of other programs, which write NaN where there is nothing; it is read as null.
    """
    try:
        return (LENIENT if lenient else DECODER).decode(text if isinstance(text, str) else text.decode())
    except RecursionError:
        raise ValueError(f"it is nested deeper than {limits.nesting} levels") from None
    except UnicodeError:
        raise ValueError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg})") from None


def check_plain(value: Any, limits: Limits) -> None:
    """Raises ValueError for too deep a nesting, and for numbers that JSON can write and no double can hold."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > limits.nesting:
            raise ValueError(f"it is nested deeper than {limits.nesting} levels")
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
            elif isinstance(item, float) and not isfinite(item):
                raise ValueError("a number is too large")
        level = deeper


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("an object names a field twice")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a finite number")


# One for all: a decoder with hooks takes longer to make than most cells take to read.
DECODER = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)
LENIENT = json.JSONDecoder(parse_constant=lambda _: None)


def _shown(value: Any) -> str:
    text = str(value)
    return f"“{text[:40]}{'…' if len(text) > 40 else ''}”"
