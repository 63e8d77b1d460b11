"""Scores sample by sample from long CSV and Parquet files: one row per contender and sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import BadTable
from evaluation.reading import read_rows
from evaluation.routes import RouteTable
from evaluation.tables import Floats, ScoreTable

TRUTHS = {"true": 1.0, "false": 0.0}
Key = tuple[str, str]  # contender, sample
SCORES = ("correct", "score")  # either name will do


@dataclass(frozen=True)
class Long:
    """A long file as grids: contenders and samples in the order of first appearance, one grid per column.

    numbers: (contender, sample), NaN where the row or the cell is absent. texts: one per sample.
    """

    contenders: tuple[str, ...]
    samples: tuple[str, ...]
    numbers: Mapping[str, Floats]
    texts: Mapping[str, tuple[str, ...]]


def read_scores(path: Path) -> ScoreTable:
    """`contender,sample,correct[,benchmark]`; correct (or score) is a number, true or false. Raises BadTable."""
    found = read_long(path, [_score_column(path)], [])
    names, values = found.samples, next(iter(found.numbers.values()))
    places = tuple(("samples", at) for at in range(len(names)))
    return ScoreTable(found.contenders, ("samples",), places, values[:, :, None])


def read_routes(path: Path, *, category: str = "", confidence: str = "", prompt: str = "") -> RouteTable:
    """`contender,sample,correct,cost_usd`, and by name the columns of a category, a confidence and a prompt."""
    score = _score_column(path)
    numbers = [score, "cost_usd", *filter(None, [confidence])]
    found = read_long(path, numbers, [name for name in (category, prompt) if name])
    return RouteTable(
        contenders=found.contenders,
        samples=found.samples,
        score=found.numbers[score],
        cost_usd=found.numbers["cost_usd"],
        categories=found.texts[category] if category else (),
        prompts=found.texts[prompt] if prompt else (),
        confidence=found.numbers[confidence] if confidence else None,
    )


def read_long(path: Path, numbers: Sequence[str], texts: Sequence[str]) -> Long:
    """The named columns beside `contender` and `sample`; with a column `benchmark` a sample is the pair of both.

    An empty cell is a hole; a text belongs to the sample, so its rows must agree. Raises BadTable with row and column.
    """
    header, rows = read_rows(path)
    names = [str(name).strip() for name in header]
    columns = {name: _column(path, names, name) for name in ("contender", "sample", *numbers, *texts)}
    benchmark = names.index("benchmark") if "benchmark" in names else None
    cells: dict[Key, list[float]] = {}
    said: dict[str, list[str]] = {}
    for number, row in rows:
        where = f"{path.name}, row {number}"
        if len(row) != len(names):
            raise BadTable(f"{where} has {len(row)} cells, the header {len(names)}.")
        key = _key(row, columns, benchmark, where)
        if key in cells:
            raise BadTable(f"{where}: {key[0]} has a score on sample {key[1]} already.", field="sample")
        cells[key] = [_number(row[columns[name]], name, where) for name in numbers]
        text = [_text(row[columns[name]]) for name in texts]
        if said.setdefault(key[1], text) != text:
            raise BadTable(f"{where}: sample {key[1]} has another text in an earlier row.", field=texts[0])
    if not cells:
        raise BadTable(f"{path.name} has a header but no score.", field="path")
    return _grids(cells, said, numbers, texts)


def _grids(
    cells: Mapping[Key, list[float]],
    said: Mapping[str, list[str]],
    numbers: Sequence[str],
    texts: Sequence[str],
) -> Long:
    contenders, samples = tuple(dict.fromkeys(who for who, _ in cells)), tuple(said)
    row_of = {name: at for at, name in enumerate(contenders)}
    column_of = {name: at for at, name in enumerate(samples)}
    where = tuple(np.array([(row_of[who], column_of[what]) for who, what in cells]).T)
    values = np.array(list(cells.values()), dtype=np.float64)
    grids = {}
    for at, name in enumerate(numbers):
        grids[name] = np.full((len(contenders), len(samples)), np.nan)
        grids[name][where] = values[:, at]
    return Long(
        contenders, samples, grids, {name: tuple(text[at] for text in said.values()) for at, name in enumerate(texts)}
    )


def _score_column(path: Path) -> str:
    header, _ = read_rows(path)
    names = [str(name).strip() for name in header]
    found = next((name for name in SCORES if name in names), None)
    if found is None:
        needed = "It needs contender, sample and correct."
        raise BadTable(f"{path.name} has no column “correct”.", field="correct", remedy=needed)
    return found


def _column(path: Path, names: Sequence[str], name: str) -> int:
    if names.count(name) != 1:
        problem = f"{path.name} has no column “{name}”." if name not in names else f"The column “{name}” comes twice."
        raise BadTable(problem, field=name, remedy=f"Its columns are {', '.join(names)}.")
    return names.index(name)


def _key(row: Sequence[Any], columns: Mapping[str, int], benchmark: int | None, where: str) -> tuple[str, str]:
    contender, sample = _text(row[columns["contender"]]), _text(row[columns["sample"]])
    if not contender or not sample:
        raise BadTable(f"{where}: the contender or the sample has no name.", field="contender")
    return contender, sample if benchmark is None else f"{_text(row[benchmark])}:{sample}"


def _number(cell: Any, name: str, where: str) -> float:
    """A finite number, or NaN for an empty cell."""
    text = _text(cell).lower()
    if not text:
        return nan
    try:
        number = TRUTHS[text] if text in TRUTHS else float(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise BadTable(f"{where}, column “{name}”: “{cell}” is not a number.", field=name)
    return number


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
