"""Boards and the audit log as plain tables: what is on screen, with its numbers unrounded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from webapp.accounts.models import AuditEvent
from webapp.exports.files import Encoding
from webapp.leaderboards.selectors import Board
from webapp.leaderboards.tables import Row

PAGE = 1000
TYPES = {"text": "string", "whole": "int64", "number": "float64", "flag": "bool_"}
Record = Mapping[str, Any]
AUDIT = {"id": "whole", **dict.fromkeys(("at", "actor", "verb", "target", "before", "after"), "text")}
PLACE = {
    "rank_low": "whole", "rank_high": "whole", "contender": "text", "value": "number", "error": "number",
    "comparable": "flag", "signed_off": "whole", "sign_off": "text",
}  # fmt: skip
CELL = {"state": "text", "run": "whole", "mean": "number", "low": "number", "high": "number", "samples": "whole"}


def encoding(columns: Mapping[str, str]) -> Encoding[Record]:
    """Of records with these columns: name -> "text", "whole", "number" or "flag"."""

    def cells(record: Record) -> list[str]:
        return [_cell(record[name]) for name in columns]

    def known(record: Record) -> Record:
        return {name: value for name, value in record.items() if value is not None}

    def schema() -> Any:
        import pyarrow as pa

        return pa.schema([pa.field(name, getattr(pa, TYPES[kind])()) for name, kind in columns.items()])

    return Encoding(list(columns), cells, known, dict, schema)


def _cell(value: Any) -> str:
    """Missing is an empty cell, never a zero. A text that a spreadsheet would take for a formula is written as one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return repr(value)


def standings(board: Board) -> tuple[dict[str, str], Iterator[list[Record]]]:
    """Columns and pages of the rows that a view asks for, in its order; six columns for each benchmark it shows."""
    columns = PLACE | {f"{one.name}_{part}": kind for one in board.visible for part, kind in CELL.items()}
    return columns, paged(_standing(board, row) for row in board.rows)


def _standing(board: Board, row: Row) -> Record:
    standing, ranked = row.standing, board.is_ranked(row)
    found: dict[str, Any] = {
        "rank_low": standing.rank_low if ranked else None,
        "rank_high": standing.rank_high if ranked else None,
        "contender": row.name,
        "value": standing.value,
        "error": standing.error,
        "comparable": row.comparable,
        "signed_off": standing.signed_off,
        "sign_off": row.sign_off,
    }
    for column in board.visible:
        cell = row.cells[column.at]
        values = (cell.state, cell.run, cell.mean if cell.complete else None, cell.low, cell.high, cell.done)
        found |= {f"{column.name}_{part}": value for part, value in zip(CELL, values, strict=True)}
    return found


def audit(events: QuerySet[AuditEvent]) -> tuple[dict[str, str], Iterator[list[Record]]]:
    """events: newest first. Each page is a query of its own, for whoever reads them may take their time."""
    return AUDIT, _audited(events)


def _audited(events: QuerySet[AuditEvent]) -> Iterator[list[Record]]:
    rest = events
    while page := [_event(event) for event in rest[:PAGE]]:
        yield page
        rest = events.filter(pk__lt=page[-1]["id"])


def _event(event: AuditEvent) -> Record:
    return {
        "id": event.pk,
        "at": event.at.isoformat(),
        "actor": event.actor_name,
        "verb": event.verb,
        "target": event.target,
        "before": json.dumps(event.before, ensure_ascii=False),
        "after": json.dumps(event.after, ensure_ascii=False),
    }


def paged(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while page := list(islice(rest, PAGE)):
        yield page
