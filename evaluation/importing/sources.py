"""A file of results, opened: its name, what it says of itself, and its rows as a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.importing.rows import Row


@dataclass(frozen=True)
class Source:
    """facts: what the file tells of how its scores were made (versions, settings), for the provenance of its runs.

    rows: pairs of line (from 1) and row, to be read once.
    """

    name: str
    rows: Iterator[tuple[int, Row]]
    facts: Mapping[str, Any] = field(default_factory=dict)
