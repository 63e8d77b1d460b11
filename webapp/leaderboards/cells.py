"""A cell of the board: one contender on one benchmark, in a form small enough for 50,000 of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from webapp.jobs.models import Run

# Which of several runs of a cell is shown: a finished one, else the one that is furthest.
PRECEDENCE = {"cancelled": 0, "failed": 1, "queued": 2, "running": 3, "done": 4}


class Cell(NamedTuple):
    """state: a run's state, or "none" where nothing was asked for. mean: final when done, "so far" when running."""

    state: str
    run: int | None = None
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    done: int = 0
    total: int | None = None

    @property
    def complete(self) -> bool:
        return self.state == Run.State.DONE

    @property
    def share(self) -> float:
        """Progress from 0 to 1."""
        return self.done / self.total if self.total else 0.0


NOT_RUN = Cell("none")
FIELDS = ("pk", "contender", "version", "state", "mean", "low", "high", "done", "total", "score_sum")


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
    for run in runs:
        cells = rows.setdefault(run["contender"], [NOT_RUN] * len(versions))
        at = column[run["version"]]
        if PRECEDENCE.get(run["state"], 0) >= PRECEDENCE.get(cells[at].state, -1):
            cells[at] = cell_of(run)
    return rows
