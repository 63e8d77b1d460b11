"""Answers from CSV and Parquet files: `contender,sample,answer,correct[,group][,gold][,p_<choice>...]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.answers import HOLE, TIGHT, AnswerTable
from evaluation.errors import BadTable
from evaluation.reading import read_rows
from evaluation.tables import Floats, Integers

NEEDED = ("contender", "sample", "answer", "correct")
OPTIONAL = ("group", "gold")
PROBABILITY = "p_"
TRUTHS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


@dataclass(frozen=True)
class Cell:
    """One row: answer and whether it is right, the sample's group and right answer, probabilities of the choices."""

    answer: str
    correct: bool
    group: str = ""
    gold: str = ""
    probabilities: tuple[float, ...] = field(default=())


def read_answers(path: Path) -> AnswerTable:
    """One row per contender and sample, in any order; an absent row is a hole, names keep their first appearance.

    correct: 0, 1, true or false. gold: the right answer; left out, it is what an answer marked correct says. The
    p_ columns hold each choice's probability; an empty one is a choice that the sample lacks. Other
    columns are not read. Raises BadTable.
    """
    header, rows = read_rows(path)
    names = [str(name).strip() for name in header]
    offered = _choices(path, names)
    columns = {name: names.index(name) for name in (*NEEDED, *OPTIONAL) if name in names}
    places = [names.index(PROBABILITY + choice) for choice in offered]
    cells: dict[tuple[str, str], Cell] = {}
    for number, row in rows:
        where = f"{path.name}, row {number}"
        if len(row) != len(names):
            raise BadTable(f"{where} has {len(row)} cells, the header {len(names)}.")
        text = {name: _text(row[column]) for name, column in columns.items()}
        key = (text["contender"], text["sample"])
        if not all(key):
            raise BadTable(f"{where}: the contender or the sample has no name.", field="contender")
        if key in cells:
            raise BadTable(f"{where}: {key[0]} has answered sample {key[1]} already.", field="sample")
        cells[key] = _cell(text, [row[place] for place in places], where)
    if not cells:
        raise BadTable(f"{path.name} has a header but no answer.", field="path")
    return _table(cells, offered)


def _choices(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """The choices that have a column of probabilities."""
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise BadTable(
            f"{path.name} has no column “{lacking[0]}”.", field=lacking[0], remedy=f"It needs {', '.join(NEEDED)}."
        )
    for position, name in enumerate(names):
        if name in names[:position]:
            raise BadTable(f"{path.name}: the column “{name}” comes twice.", field=name)
    return tuple(name.removeprefix(PROBABILITY) for name in names if name.startswith(PROBABILITY))


def _cell(text: dict[str, str], probabilities: Sequence[Any], where: str) -> Cell:
    correct = TRUTHS.get(text["correct"].lower())
    if correct is None:
        raise BadTable(f"{where}: “{text['correct']}” in column “correct” is neither 0 nor 1.", field="correct")
    values = tuple(_probability(value, where) for value in probabilities)
    if values and any(isfinite(value) for value in values):
        values = tuple(value if isfinite(value) else 0.0 for value in values)
        total = sum(values)
        if abs(total - 1) > TIGHT:
            raise BadTable(f"{where}: the probabilities sum to {total:g}, not to 1.", field="probabilities")
        values = tuple(value / total for value in values)
    return Cell(text["answer"], correct, text.get("group", ""), text.get("gold", ""), values)


def _probability(value: Any, where: str) -> float:
    """Between 0 and 1, or NaN for an empty cell."""
    if not _text(value):
        return nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = nan
    if not 0 <= number <= 1:
        raise BadTable(f"{where}: “{value}” is not a probability.", field="probabilities")
    return number


def _table(cells: dict[tuple[str, str], Cell], offered: tuple[str, ...]) -> AnswerTable:
    contenders = tuple(dict.fromkeys(contender for contender, _ in cells))
    samples = tuple(dict.fromkeys(sample for _, sample in cells))
    said = [text for cell in cells.values() for text in (cell.answer, cell.gold)]
    choices = tuple(dict.fromkeys([*offered, *(cell.answer for cell in cells.values()), *filter(None, said)]))
    label = {choice: position for position, choice in enumerate(choices)}
    who = {name: row for row, name in enumerate(contenders)}
    what = {name: column for column, name in enumerate(samples)}
    shape = (len(contenders), len(samples))
    labels, correct = np.full(shape, HOLE, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    probabilities: Floats | None = np.full((*shape, len(choices)), np.nan) if offered else None
    groups, gold = [""] * len(samples), np.full(len(samples), HOLE, dtype=np.int64)
    for (contender, sample), cell in cells.items():
        place = (who[contender], what[sample])
        labels[place], correct[place] = label[cell.answer], cell.correct
        _agree(groups, gold, place[1], cell, label, sample)
        if probabilities is not None:
            probabilities[place] = (*cell.probabilities, *(0.0,) * (len(choices) - len(offered)))
    kept = tuple(groups) if any(groups) else ()
    return AnswerTable(contenders, samples, choices, labels, correct, gold, _complete(probabilities, labels), kept)


def _agree(
    groups: list[str],
    gold: Integers,
    column: int,
    cell: Cell,
    label: dict[str, int],
    name: str,
) -> None:
    """Note the sample's group and right answer. Raises BadTable when rows contradict each other."""
    groups[column] = groups[column] or cell.group
    if cell.group != groups[column]:
        raise BadTable(f"Sample {name} is in two groups: {groups[column]} and {cell.group}.", field="group")
    right = cell.gold or (cell.answer if cell.correct else "")
    if right and gold[column] == HOLE:
        gold[column] = label[right]
    elif cell.gold and gold[column] != label[cell.gold]:
        raise BadTable(f"Sample {name} has two right answers.", field="gold")


def _complete(probabilities: Floats | None, labels: Integers) -> Floats | None:
    """Probabilities, if every answer has them: a report by half of them would mislead."""
    if probabilities is not None and bool(np.isnan(probabilities[labels != HOLE]).any()):
        raise BadTable("Some answers have probabilities and some have none.", field="probabilities")
    return probabilities


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
