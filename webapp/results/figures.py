"""The result of any analysis as facts and tables, found by shape: what has one value per contender is a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INFINITE = {"inf": "∞", "-inf": "−∞"}  # as a stored result says it, and a page
WIDEST = 60  # columns of a table of many numbers; all of them are in the JSON
NAMES = "contenders"


@dataclass
class Table:
    """rows: (name, cells). heads: of the cells."""

    title: str
    heads: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass
class Figures:
    """facts: (name, value) of single values; lists: (name, sentences); tables: per contender, then the wider ones."""

    facts: list[tuple[str, str]] = field(default_factory=list)
    lists: list[tuple[str, list[str]]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def figures(result: Mapping[str, Any]) -> Figures:
    """Everything in the result of an analysis, as `to_json` wrote it."""
    names = [str(name) for name in result.get(NAMES, [])]
    found = Figures()
    _collect(result, names, "", found)
    return found


def _collect(part: Mapping[str, Any], names: Sequence[str], title: str, found: Figures) -> None:
    lists = {key: value for key, value in part.items() if isinstance(value, list) and key != NAMES and value}
    single = {key: value for key, value in part.items() if not isinstance(value, list | Mapping)}
    found.facts += [(_under(title, key), written(value)) for key, value in single.items()]
    per_contender = {key: value for key, value in lists.items() if len(value) == len(names)}
    columns = {key: value for key, value in per_contender.items() if not isinstance(value[0], list)}
    if columns:
        cells = zip(*columns.values(), strict=True)
        rows = [(name, [written(cell) for cell in row]) for name, row in zip(names, cells, strict=True)]
        found.tables.append(Table(title or "Contenders", [words(key) for key in columns], rows))
    for key in [key for key in per_contender if key not in columns]:
        found.tables.append(_wide(_under(title, key), per_contender[key], names))
    for key in [key for key in lists if key not in per_contender]:
        found.lists.append((_under(title, key), [written(one) for one in lists[key]]))
    for key, value in part.items():
        if isinstance(value, Mapping):
            _collect(value, names, _under(title, key), found)


def _wide(title: str, value: list[list[Any]], names: Sequence[str]) -> Table:
    """Many numbers per contender: one column per position, named where the positions are contenders."""
    width = min(WIDEST, max(len(one) for one in value))
    square = all(len(one) == len(names) for one in value)
    heads = list(names[:width]) if square else [str(at) for at in range(width)]
    rows = [(name, [written(cell) for cell in one[:width]]) for name, one in zip(names, value, strict=True)]
    return Table(title, heads, rows)


def _under(title: str, key: str) -> str:
    return f"{title} {words(key)}".strip()


def words(key: str) -> str:
    return key.replace("_", " ")


def written(value: Any) -> str:
    """A hole is a dash; a number keeps four significant digits, and more where it is a count."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and value in INFINITE:
        return INFINITE[value]
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(written(one) for one in value) if isinstance(value, list) else str(value)
