"""A cell of the board: one contender on one benchmark, in a form small enough for 50,000 of them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
from django.db.models.fields.json import KT

from webapp.jobs.models import Run

# Which of several runs of a cell is shown: a finished one, else the one that is furthest.
PRECEDENCE = {"cancelled": 0, "failed": 1, "queued": 2, "running": 3, "done": 4}


class Cell(NamedTuple):
    """state: a run's state, or "none" where nothing was asked for. mean: final when done, "so far" when running.

    other: the result was made by another version of the harness or of the task than most of its column.
    """

    state: str
    run: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    done: int = 0
    total: int | None = None
    other: bool = False

    @property
    def complete(self) -> bool:
        return self.state == Run.State.DONE

    @property
    def share(self) -> float:
        """Progress from 0 to 1."""
        return self.done / self.total if self.total else 0.0


# Places in a stored cell, for readers of all cells of a board at once.
STATE, RUN, MEAN, OTHER = (Cell._fields.index(name) for name in ("state", "run", "mean", "other"))
# A large board is 4 MB of JSON: read four times as fast as by `json`. Earlier versions wrote cells with fewer parts.
STORED = msgspec.json.Decoder(list[Cell])
NOT_RUN = Cell("none")
DONE = Run.State.DONE.value  # a plain text, which is compared faster, 50,000 times
FIELDS = ("pk", "contender", "version", "state", "mean", "low", "high", "done", "total", "score_sum")
# What a result of the same questions may still depend on: a suite pins the versions of its benchmarks.
MADE_BY = {"harness": KT("provenance__environment__lm_eval"), "task": KT("provenance__task_version")}


def cell_of(run: Mapping[str, Any]) -> Cell:
    """From the run's columns named in FIELDS."""
    mean = run["mean"]
    if run["state"] == Run.State.RUNNING:
        mean = run["score_sum"] / run["done"] if run["done"] else None
    elif run["state"] != Run.State.DONE:
        mean = None
    return Cell(run["state"], run["pk"], mean, run["low"], run["high"], run["done"], run["total"])


def grid(runs: Iterable[Mapping[str, Any]], versions: list[int]) -> dict[int, list[Cell]]:
    """Contender id -> a cell per benchmark version, in order. `runs` oldest first: of equals the newest stays."""
    column = {version: i for i, version in enumerate(versions)}
    rows: dict[int, list[Cell]] = {}
    makers: dict[int, tuple[str | None, str | None]] = {}
    for run in runs:
        cells = rows.setdefault(run["contender"], [NOT_RUN] * len(versions))
        at = column[run["version"]]
        if PRECEDENCE.get(run["state"], 0) >= PRECEDENCE.get(cells[at].state, -1):
            cells[at] = cell_of(run)
            makers[run["pk"]] = (run.get("harness"), run.get("task"))
    for at in range(len(versions)):
        _mark_others(rows, at, makers)
    return rows


def _mark_others(rows: Mapping[int, list[Cell]], at: int, makers: Mapping[int, tuple[str | None, str | None]]) -> None:
    """In one column. What is not known of a run's making is not known to be different."""
    made = {
        cells[at].run: maker
        for cells in rows.values()
        if cells[at].complete and None not in (maker := makers[cells[at].run or 0])
    }
    if len(set(made.values())) < 2:
        return
    newest = {maker: run or 0 for run, maker in made.items()}
    usual = max(Counter(made.values()).items(), key=lambda item: (item[1], newest[item[0]]))[0]
    for cells in rows.values():
        if made.get(cells[at].run, usual) != usual:
            cells[at] = cells[at]._replace(other=True)


class Line:
    """The cells of one contender, and what follows from them alone: kept for as long as they stay."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        parts = list(zip(*cells, strict=True)) or [()] * len(Cell._fields)
        self.states: Sequence[str] = parts[STATE]
        self.runs: Sequence[int | None] = parts[RUN]
        self.comparable = True not in parts[OTHER]
        self.done = self.states.count(DONE)
        means: Sequence[float | None] = parts[MEAN]
        # Of benchmarks that are done; a mean so far is no result.
        self.results = means if self.is_complete else [
            mean if state == DONE else None for state, mean in zip(self.states, means, strict=True)
        ]  # fmt: skip

    @property
    def is_complete(self) -> bool:
        """Whether there is a result on every benchmark."""
        return 0 < self.done == len(self.states)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.cells)


def fingerprint(cells: Sequence[Sequence[Any]]) -> str:
    """sha256 of what stored cells show: equal exactly while the runs and their means are."""
    shown = json.dumps([[cell[RUN], cell[MEAN]] for cell in cells])
    return hashlib.sha256(shown.encode()).hexdigest()
