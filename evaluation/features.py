"""Tables of features: one row per example, numbers that describe it, and a label that is 0 or 1."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import Floats, Integers

LABELS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}
MAXIMUM_ROWS, MAXIMUM_FEATURES = 20_000, 100
MAXIMUM_BYTES = 32 * 1024 * 1024
MAXIMUM_NAME = 100


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """names: of the features. features: (row, feature) finite numbers. labels: (row,) 0 or 1, both of them present.

    Raises BadTable; NotEnoughData for a hole or a single class. The arrays are copied and made read-only.
    """

    names: tuple[str, ...]
    features: Floats
    labels: Integers

    def __post_init__(self) -> None:
        features, labels = np.array(self.features, dtype=np.float64), np.array(self.labels, dtype=np.int64)
        _check_names(self.names)
        if features.ndim != 2 or features.shape != (labels.size, len(self.names)):
            shape = f"{features.shape} for {len(self.names)} names and {labels.size} labels"
            raise BadTable(f"`features` has the shape {shape}.", field="features")
        check_size(*features.shape)
        holes = np.argwhere(~np.isfinite(features))
        if holes.size:
            row, column = holes[0].tolist()
            raise NotEnoughData(f"Row {row + 1} has no number for {self.names[column]}.", field="features")
        if not bool(np.isin(labels, (0, 1)).all()):
            raise BadTable("A label is 0 or 1.", field="labels")
        if len(set(labels.tolist())) < 2:
            raise NotEnoughData("All rows have the same label: there is nothing to tell apart.", field="labels")
        for name, array in (("features", features), ("labels", labels)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)


def read_features(path: Path, label: str) -> FeatureTable:
    """A CSV file with a header; `label` names the column of labels, all others are features. Raises BadTable."""
    if not path.is_file():
        raise BadTable(f"There is no file {path}.", field="path")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise BadTable(f"{path.name} is larger than {MAXIMUM_BYTES // 1024**2} MB.", field="path")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return parse_features(file, label, name=path.name)


def parse_features(lines: Iterable[str], label: str, *, name: str) -> FeatureTable:
    """The same from lines of text; `name` is what errors call them. Labels are 0, 1, true or false."""
    records = _records(lines, name)
    _, header = next(records, (0, []))
    columns = [cell.strip() for cell in header]
    if not any(columns):
        raise BadTable(f"{name} is empty.", field="path", remedy="It needs a header: names of features and the label.")
    if label not in columns:
        known = f"Columns: {', '.join(columns[:20])}{', ...' if len(columns) > 20 else ''}."
        raise BadTable(f"{name} has no column “{label}”.", field="label", remedy=known)
    at = columns.index(label)
    names = tuple(columns[:at] + columns[at + 1 :])
    _check_names((*names, label))
    labels: list[int] = []
    rows: list[list[float]] = []
    for number, cells in records:
        check_size(len(rows) + 1, len(names))
        where = f"{name}, line {number}"
        if len(cells) != len(columns):
            raise BadTable(f"{where} has {len(cells)} cells, the header {len(columns)}.")
        labels.append(_label(cells[at], f"{where}, column “{label}”"))
        pairs = zip(names, cells[:at] + cells[at + 1 :], strict=True)
        rows.append([_number(cell, f"{where}, column “{column}”") for column, cell in pairs])
    if not rows:
        raise BadTable(f"{name} has a header but no row.", field="path")
    return FeatureTable(names, np.array(rows), np.array(labels))


def check_size(rows: int, features: int) -> None:
    """Raises BadTable for a table that is larger than the analysis takes."""
    if rows > MAXIMUM_ROWS:
        raise BadTable(f"The table has more than {MAXIMUM_ROWS:,} rows.", remedy="Draw a sample of them.")
    if features > MAXIMUM_FEATURES:
        raise BadTable(f"The table has more than {MAXIMUM_FEATURES} features.", remedy="Choose some of them.")


def _records(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """Numbered lines of the file that are not blank; a record that spans several counts as its last one."""
    reader = csv.reader(lines, strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except UnicodeDecodeError:
        raise BadTable(f"{name} is not UTF-8 text.", field="path") from None
    except csv.Error as error:
        raise BadTable(f"{name} is not a CSV file: line {reader.line_num}: {error}.", field="path") from None


def _check_names(names: Sequence[str]) -> None:
    for position, name in enumerate(names):
        if not name or len(name) > MAXIMUM_NAME:
            raise BadTable(f"A column's name has 1 to {MAXIMUM_NAME} characters, not “{name[:20]}”.", field="names")
        if name in names[:position]:
            raise BadTable(f"The column “{name}” comes twice.", field="names")
    if not names:
        raise BadTable("There is no feature.", field="names")


def _label(cell: str, where: str) -> int:
    found = LABELS.get(cell.strip().lower())
    if found is None:
        raise BadTable(f"{where}: “{cell}” is neither 0 nor 1.", field="label")
    return found


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell) if "_" not in cell else float("nan")
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        problem = f"“{cell}” is not a finite number" if cell.strip() else "the cell is empty"
        raise BadTable(f"{where}: {problem}.", field="features", remedy="Complete or drop such rows.")
    return number
