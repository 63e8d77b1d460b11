"""Score tables from CSV and Parquet files; every error says in which row and column it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import BadTable, MissingPackage
from evaluation.tables import BenchmarkTable, Floats

FIRST_COLUMN = "contender"
Rows = Iterator[tuple[int, Sequence[Any]]]


def read_means(
    path: Path, *, lower_is_better: Sequence[str] = (), standard_errors: Path | None = None
) -> BenchmarkTable:
    """A table whose first column is `contender` and whose other columns are benchmarks; an empty cell is a hole.

    standard_errors: a second file with the same contenders and benchmarks, in any order.
    Raises BadTable, or MissingPackage for Parquet without pyarrow.
    """
    table = _read(path)
    for name in lower_is_better:
        if name not in table.benchmarks:
            known = f"Known: {', '.join(table.benchmarks)}."
            raise BadTable(f"There is no benchmark “{name}” in {path.name}.", field="lower_is_better", remedy=known)
    directions = tuple(name not in lower_is_better for name in table.benchmarks)
    errors = None if standard_errors is None else _read(standard_errors).select(table.contenders, table.benchmarks).mean
    return replace(table, standard_error=errors, higher_is_better=directions)


def read_rows(path: Path) -> tuple[Sequence[str], Rows]:
    """Column names and numbered rows of a CSV or Parquet file. Raises BadTable, or MissingPackage for Parquet."""
    if not path.is_file():
        raise BadTable(f"There is no file {path}.", field="path")
    if path.stat().st_size == 0:
        raise BadTable(f"{path.name} is empty.", field="path", remedy=f"It needs a header: {FIRST_COLUMN}, benchmarks.")
    return _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)


def _read(path: Path) -> BenchmarkTable:
    header, rows = read_rows(path)
    benchmarks = _benchmarks(path, header)
    seen: dict[str, int] = {}
    values: list[list[float]] = []
    for number, cells in rows:
        contender = _contender(path, number, cells, len(header))
        if contender in seen:
            problem = f"{path.name}, row {number}: the contender “{contender}” stands in row {seen[contender]} already."
            raise BadTable(problem, field=FIRST_COLUMN)
        seen[contender] = number
        values.append(
            [
                _number(cell, f"{path.name}, row {number} (contender “{contender}”), column “{name}”")
                for cell, name in zip(cells[1:], benchmarks, strict=True)
            ]
        )
    if not values:
        raise BadTable(f"{path.name} has a header but no contender.", field="path")
    mean: Floats = np.array(values, dtype=np.float64)
    return BenchmarkTable(tuple(seen), benchmarks, mean)


def _csv(path: Path) -> tuple[Sequence[str], Rows]:
    """Header and numbered rows (the header is row 1); blank lines are skipped."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = [(number, row) for number, row in enumerate(csv.reader(file, strict=True), start=1) if any(row)]
    except UnicodeDecodeError:
        raise BadTable(f"{path.name} is not UTF-8 text.", field="path") from None
    except csv.Error as error:
        raise BadTable(f"{path.name} is not a CSV file: {error}.", field="path") from None
    if not records:
        raise BadTable(f"{path.name} is empty.", field="path", remedy=f"It needs a header: {FIRST_COLUMN}, benchmarks.")
    return [name.strip() for name in records[0][1]], iter(records[1:])


def _parquet(path: Path) -> tuple[Sequence[str], Rows]:
    """Column names and numbered rows (the first is row 1)."""
    try:
        from pyarrow import ArrowInvalid
        from pyarrow.parquet import read_table
    except ImportError:
        remedy = "Install pyarrow, or save the table as CSV."
        raise MissingPackage("Parquet files need the package pyarrow.", field="path", remedy=remedy) from None
    try:
        table = read_table(path)
    except ArrowInvalid:
        raise BadTable(f"{path.name} is not a Parquet file.", field="path") from None
    columns = [column.to_pylist() for column in table.columns]
    return table.column_names, enumerate(zip(*columns, strict=True), start=1)


def _benchmarks(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    if not header or header[0] != FIRST_COLUMN:
        first = header[0] if header else ""
        raise BadTable(f"{path.name}: the first column must be “{FIRST_COLUMN}”, not “{first}”.", field=FIRST_COLUMN)
    if len(header) == 1:
        raise BadTable(f"{path.name} has no column for a benchmark.", field="path")
    for position, name in enumerate(header[1:], start=2):
        if not name:
            raise BadTable(f"{path.name}: column {position} has no name.", field="path")
        if name in header[: position - 1]:
            raise BadTable(f"{path.name}: the column “{name}” comes twice.", field=name)
    return tuple(header[1:])


def _contender(path: Path, number: int, cells: Sequence[Any], expected: int) -> str:
    name = cells[0].strip() if isinstance(cells[0], str) else ""
    if not name:
        raise BadTable(f"{path.name}, row {number}, column “{FIRST_COLUMN}”: the name is missing.", field=FIRST_COLUMN)
    if len(cells) != expected:
        raise BadTable(f"{path.name}, row {number} (contender “{name}”) has {len(cells)} cells, the header {expected}.")
    return name


def _number(cell: Any, place: str) -> float:
    """A finite number, or NaN for an empty cell: NaN written out is refused, it may be a failed computation."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return nan
    try:
        number = float(cell) if not isinstance(cell, bool) and "_" not in str(cell) else nan
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise BadTable(f"{place}: “{cell}” is not a number.", remedy="Leave the cell empty where there is no score.")
    return number
