"""Costs from CSV and Parquet files: `contender,sample[,attempt],correct,cost_usd[,benchmark][,answer][,reward]`.

Two small files may stand beside it: `family,contender`, one row per membership, and `contender,date` with ISO dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import isfinite, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.answer_files import TRUTHS
from evaluation.costs import UNKNOWN, CostTable, is_date
from evaluation.errors import BadTable
from evaluation.reading import read_rows
from evaluation.tables import Integers

NEEDED = ("contender", "sample", "correct", "cost_usd")
OPTIONAL = ("attempt", "benchmark", "answer", "reward")
ALL = "all"  # the benchmark of a file that names none
MAXIMUM_ATTEMPTS = 10_000
Cell = tuple[str, tuple[str, str]]


@dataclass
class _Rows:
    """What a file says, by contender and sample; the dictionaries' order is the order of first appearance."""

    contenders: dict[str, int] = field(default_factory=dict)
    samples: dict[tuple[str, str], int] = field(default_factory=dict)
    attempts: dict[Cell, dict[str, tuple[float, float, str, float]]] = field(default_factory=dict)

    def add(self, cell: Cell, attempt: str, values: tuple[float, float, str, float], where: str) -> None:
        tried = self.attempts.setdefault(cell, {})
        key = attempt or str(len(tried))
        if key in tried:
            raise BadTable(f"{where}: attempt {key} of {cell[0]} at sample {cell[1][1]} comes twice.", field="attempt")
        tried[key] = values
        self.contenders.setdefault(cell[0], len(self.contenders))
        self.samples.setdefault(cell[1], len(self.samples))


def read_costs(path: Path, *, families: Path | None = None, dates: Path | None = None) -> CostTable:
    """One row per attempt, in any order; names keep their first appearance, an absent row is a hole.

    correct: 0, 1, true or false. An empty correct or cost_usd leaves its contender undefined at that sample. Without
    the column `attempt` each row of a contender and sample is one attempt more. With `benchmark` a sample is the pair
    (benchmark, sample). answer and reward serve voting. families, dates: see `read_families`, `read_dates`.
    Raises BadTable, which names file, row and column.
    """
    names, rows = _table(path, NEEDED, OPTIONAL)
    found = _Rows()
    for where, text in rows:
        cell = (text["contender"], (text.get("benchmark", ALL), text["sample"]))
        for name in ("contender", "sample", "benchmark"):
            if not text.get(name, ALL):
                raise BadTable(f"{where}, column “{name}”: the name is missing.", field=name)
        if "attempt" in names and not text["attempt"]:
            raise BadTable(f"{where}, column “attempt”: the number is missing.", field="attempt")
        correct, cost = _correct(text["correct"], where), _amount(text["cost_usd"], where, "cost_usd")
        if cost < 0:
            raise BadTable(f"{where}, column “cost_usd”: {cost:g} is negative.", field="cost_usd")
        values = (correct, cost, text.get("answer", ""), _amount(text.get("reward", ""), where, "reward"))
        found.add(cell, text.get("attempt", ""), values, where)
    if not found.attempts:
        raise BadTable(f"{path.name} has a header but no attempt.", field="path")
    table = _arranged(found, names, path)
    members = read_families(families, table.contenders) if families else {}
    released = read_dates(dates) if dates else {}
    return replace(table, families=members, released=tuple(released.get(name, "") for name in table.contenders))


def read_families(path: Path, contenders: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`family,contender`: one row per membership; a contender may be in several. Raises BadTable."""
    known, families = set(contenders), dict[str, dict[str, None]]()
    for where, text in _table(path, ("family", "contender"))[1]:
        for name in ("family", "contender"):
            if not text[name]:
                raise BadTable(f"{where}, column “{name}”: the name is missing.", field=name)
        if text["contender"] not in known:
            problem = f"{where}, column “contender”: there is no contender “{text['contender']}”."
            raise BadTable(problem, field="families", remedy=f"Known: {', '.join(contenders)}.")
        families.setdefault(text["family"], {})[text["contender"]] = None
    return {name: tuple(members) for name, members in families.items()}


def read_dates(path: Path) -> dict[str, str]:
    """`contender,date`: the day of release as 2025-01-31; other tables' contenders are let be. Raises BadTable."""
    dates: dict[str, str] = {}
    for where, text in _table(path, ("contender", "date"))[1]:
        if text["contender"] in dates:
            raise BadTable(f"{where}: {text['contender']} has a date already.", field="contender")
        if not is_date(text["date"]):
            problem = f"{where}, column “date”: “{text['date']}” is not a date."
            raise BadTable(problem, field="date", remedy="Write it as 2025-01-31.")
        dates[text["contender"]] = text["date"]
    return dates


def _table(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> tuple[Sequence[str], Iterator[tuple[str, dict[str, str]]]]:
    """The known columns that are there; rows as texts, each with the words that say where it stands."""
    header, rows = read_rows(path)
    names = [str(name).strip() for name in header]
    for name in needed:
        if name not in names:
            remedy = f"It needs {', '.join(needed)}."
            raise BadTable(f"{path.name} has no column “{name}”.", field=name, remedy=remedy)
    kept = [name for name in (*needed, *optional) if name in names]
    twice = next((name for name in kept if names.count(name) > 1), None)
    if twice is not None:
        raise BadTable(f"{path.name}: the column “{twice}” comes twice.", field=twice)
    places = [(name, names.index(name)) for name in kept]

    def texts() -> Iterator[tuple[str, dict[str, str]]]:
        for number, row in rows:
            where = f"{path.name}, row {number}"
            if len(row) != len(names):
                raise BadTable(f"{where} has {len(row)} cells, the header {len(names)}.", field="path")
            yield where, {name: _text(row[place]) for name, place in places}

    return kept, texts()


def _arranged(found: _Rows, names: Sequence[str], path: Path) -> CostTable:
    most = max(len(tried) for tried in found.attempts.values())
    if most > MAXIMUM_ATTEMPTS:
        raise BadTable(f"{path.name} has a sample with more than {MAXIMUM_ATTEMPTS:,} attempts.", field="attempt")
    shape = (len(found.contenders), len(found.samples), most)
    correct, cost, reward = (np.full(shape, np.nan) for _ in range(3))
    answers: Integers = np.full(shape, UNKNOWN, dtype=np.int64)
    for (contender, sample), tried in found.attempts.items():
        place = (found.contenders[contender], found.samples[sample])
        rows = list(tried.values())
        if any(isnan(right) and isnan(price) for right, price, _, _ in rows):
            continue  # of an attempt nothing is known: the cell stays a hole
        span = slice(0, len(rows))
        correct[place][span] = [row[0] for row in rows]
        cost[place][span] = [row[1] for row in rows]
        reward[place][span] = [row[3] for row in rows]
        answers[place][span] = _labels([row[2] for row in rows])
    return CostTable(
        contenders=tuple(found.contenders),
        benchmarks=tuple(dict.fromkeys(benchmark for benchmark, _ in found.samples)),
        samples=tuple(found.samples),
        correct=correct,
        cost_usd=cost,
        answers=answers if "answer" in names else None,
        reward=reward if "reward" in names else None,
    )


def _labels(answers: Sequence[str]) -> list[int]:
    """0, 1, ... in order of first appearance; an empty answer was not stored."""
    label: dict[str, int] = {}
    return [label.setdefault(answer, len(label)) if answer else UNKNOWN for answer in answers]


def _correct(text: str, where: str) -> float:
    if not text:
        return nan
    if text.lower() not in TRUTHS:
        raise BadTable(f"{where}, column “correct”: “{text}” is neither 0 nor 1.", field="correct")
    return float(TRUTHS[text.lower()])


def _amount(text: str, where: str, column: str) -> float:
    """A finite number, or NaN for an empty cell."""
    if not text:
        return nan
    try:
        number = float(text) if "_" not in text else nan
    except ValueError:
        number = nan
    if not isfinite(number):
        remedy = "Leave the cell empty where it is not known."
        raise BadTable(f"{where}, column “{column}”: “{text}” is not a number.", field=column, remedy=remedy)
    return number


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    return str(value).strip()
