"""Rows as CSV, JSON Lines and Parquet, a piece at a time: no export is ever whole in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Encoding(Generic[T]):
    """How one kind of row is written. names: of the columns; schema: pyarrow's, made when it is needed."""

    names: Sequence[str]
    cells: Callable[[T], Sequence[str]]
    to_object: Callable[[T], Mapping[str, Any]]
    to_record: Callable[[T], Mapping[str, Any]]
    schema: Callable[[], Any]


Pages = Iterable[Sequence[T]]


def _csv(encoding: Encoding[T], pages: Pages[T]) -> Iterator[bytes]:
    yield _records([encoding.names])
    for page in pages:
        yield _records(map(encoding.cells, page))


def _records(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _jsonl(encoding: Encoding[T], pages: Pages[T]) -> Iterator[bytes]:
    for page in pages:
        lines = (json.dumps(encoding.to_object(row), ensure_ascii=False, allow_nan=False) for row in page)
        yield "".join(f"{line}\n" for line in lines).encode()


def _parquet(encoding: Encoding[T], pages: Pages[T]) -> Iterator[bytes]:
    """One row group per page."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    pipe, schema = Pipe(), encoding.schema()
    with ParquetWriter(pipe, schema) as writer:
        for page in pages:
            writer.write_table(pa.Table.from_pylist(list(map(encoding.to_record, page)), schema=schema))
            yield pipe.taken()
    yield pipe.taken()


class Pipe(io.RawIOBase):
    """A file to write to whose bytes are taken away as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


FORMATS: dict[str, tuple[str, Callable[[Encoding[Any], Pages[Any]], Iterator[bytes]]]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "jsonl": ("application/jsonl", _jsonl),
    "parquet": ("application/vnd.apache.parquet", _parquet),
}
