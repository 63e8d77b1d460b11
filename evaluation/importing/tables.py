"""The exchange format as files: CSV, JSON Lines and Parquet, read as streams with the line of each row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from evaluation.errors import MissingPackage
from evaluation.importing.cells import check_header, from_cells, from_object, parse
from evaluation.importing.limits import Limits
from evaluation.importing.rows import BadRow, Row

Rows = Iterator[tuple[int, Row]]
BATCH = 4096  # rows of Parquet that are held at once


def read_csv(stream: BinaryIO, *, file: str, limits: Limits) -> Rows:
    """Rows with the line on which each begins; blank lines are passed over. Raises BadRow."""
    records = _records(stream, file, limits)
    line, header = next(records, (0, []))
    if not header:
        raise BadRow("it is empty", file=file, remedy="It needs a header and a row for each attempt.")
    names = [name.strip() for name in header]
    check_header(names, file=file, line=line)
    return from_cells(names, records, file=file, limits=limits)


def _records(stream: BinaryIO, file: str, limits: Limits) -> Iterator[tuple[int, Sequence[str]]]:
    # One number for the whole process, which nothing else here reads.
    csv.field_size_limit(limits.line)
    reader = csv.reader(_lines(stream, limits), strict=True)
    begun = 1
    try:
        for record in reader:
            if record:
                yield begun, record
            begun = reader.line_num + 1
    except (csv.Error, ValueError) as error:
        problem = "it is not UTF-8 text" if isinstance(error, UnicodeError) else f"it is not CSV ({error})"
        raise BadRow(problem, file=file, line=begun) from None


def _lines(stream: BinaryIO, limits: Limits) -> Iterator[str]:
    """Text line by line; no wrapper around the stream, which would close it, and it is read twice."""
    first = True
    while line := stream.readline(limits.line + 1):
        if len(line) > limits.line:
            raise ValueError(f"a line is longer than {limits.line:,} bytes")
        yield line.decode("utf-8-sig" if first else "utf-8")
        first = False


def read_jsonl(stream: BinaryIO, *, file: str, limits: Limits) -> Rows:
    """Raises BadRow."""
    for line, value in json_lines(stream, file=file, limits=limits):
        if "doc_id" in value:
            remedy = "Pack the whole output directory of lm-eval, with its results, as .zip or .tar.gz."
            raise BadRow("these are samples of lm-eval without their results", file=file, line=line, remedy=remedy)
        yield line, from_object(value, file=file, line=line, limits=limits)


def json_lines(
    stream: BinaryIO, *, file: str, limits: Limits, lenient: bool = False
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with their lines; blank lines are passed over. lenient: as `cells.parse` has it. Raises BadRow."""
    number = 0
    while text := stream.readline(limits.line + 1):
        number += 1
        if len(text) > limits.line:
            raise BadRow(f"the line is longer than {limits.line:,} bytes", file=file, line=number)
        if not text.strip():
            continue
        try:
            value = parse(text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text, limits, lenient=lenient)
        except ValueError as error:
            raise BadRow(str(error), file=file, line=number) from None
        if not isinstance(value, dict):
            raise BadRow("this is not a JSON object", file=file, line=number)
        yield number, value


def read_parquet(stream: BinaryIO, *, file: str, limits: Limits) -> Rows:
    """Rows by their number, from 1. stream must be seekable. Raises BadRow, or MissingPackage without pyarrow."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        remedy = "Install pyarrow on the analysis worker, or upload CSV."
        raise MissingPackage("Parquet files need the package pyarrow.", remedy=remedy) from None
    line = 0
    try:
        table = ParquetFile(stream)
        if table.metadata.num_rows > limits.rows:
            raise BadRow(f"it has more than {limits.rows:,} rows", file=file)
        check_header(table.schema_arrow.names, file=file)
        for batch in table.iter_batches(batch_size=BATCH, use_threads=False):
            for record in batch.to_pylist():
                line += 1
                yield line, from_object(record, file=file, line=line, limits=limits)
    except pa.ArrowException as error:
        raise BadRow(f"it is not a Parquet file that can be read ({str(error)[:120]})", file=file, line=line) from None
