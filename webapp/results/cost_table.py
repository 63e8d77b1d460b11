"""Tables of costs from finished runs: what every attempt cost, whether it passed, and what an expert would ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from evaluation.costs import UNKNOWN, CostTable
from evaluation.errors import BadTable, NotEnoughData
from evaluation.schemes import REFERENCE, SCHEMES
from evaluation.tables import Floats, Integers
from webapp.jobs.estimates import attempts_of
from webapp.jobs.models import Run
from webapp.results.answers import row_names
from webapp.results.selectors import benchmark_labels, distinct

MOST_ATTEMPTS = 50_000_000  # contenders x samples x attempts: two arrays of 0.4 GB
RUN = (
    "pk", "contender", "contender__name", "contender__scheme", "contender__version__entry__team__name",
    "contender__version__entry__tags", "contender__version__entry__released_on", "version", "version__number",
    "version__benchmark__name", "version__benchmark__team__name", "version__benchmark__expert_cost_usd",
    "version__chance", "version__higher_is_better", "settings",
)  # fmt: skip
# PostgreSQL's binary copy, in which all rows have one size because nothing in them is NULL: a cost that is not known
# travels as NaN, an answer as half of its MD5, and only where several attempts may agree on one.
COLUMNS = """
    COPY (
        SELECT run_id::bigint, "index"::integer, attempt::smallint, score, coalesce(cost_usd, 'NaN'),
            CASE WHEN %s THEN ('x' || left(md5(btrim(answer)), 16))::bit(64)::bigint ELSE 0 END
        FROM results_score WHERE run_id = ANY(%s)
    ) TO STDOUT (FORMAT BINARY)
"""
HEAD, TAIL = 19, 2  # bytes around the rows
ROW = np.dtype(
    [("columns", ">i2")]
    + [
        field
        for name, kind in (
            ("run", ">i8"), ("index", ">i4"), ("attempt", ">i2"), ("score", ">f8"), ("cost", ">f8"), ("answer", ">i8"),
        )
        for field in ((f"size of {name}", ">i4"), (name, kind))
    ]
)  # fmt: skip
LABELS = 2**63 - 1  # an answer's label is not negative


@dataclass(frozen=True)
class Attempts:
    """One entry per attempt of all runs. run: position of its run in the order asked; label: of its answer."""

    run: Integers
    index: Integers
    attempt: Integers
    score: Floats
    cost: Floats
    label: Integers


def cost_table(run_ids: Sequence[int]) -> CostTable:
    """Contenders x samples x attempts of finished runs, in two queries; what was not asked is a hole.

    An attempt passes with the full score, 1. Rows and benchmarks keep the order of first appearance; a second run of a
    cell is a row of its own, called “... again”. Families are the tags of the entries. Raises NotEnoughData for a run
    that is gone, BadTable for a benchmark whose scores are better when lower, or for too much at once.
    """
    runs = _runs(run_ids)
    rows = row_names(runs)
    versions = {run["version"]: run for run in runs}
    names = dict(zip(versions, distinct(map(benchmark_labels, versions.values())), strict=True))
    depth = max(attempts_of(run["settings"]) for run in runs)
    found = _attempts([run["pk"] for run in runs], answers=depth > 1)
    size = _sizes(runs, found)
    correct, cost, answers = _arrays(runs, rows, found, size, depth)
    return CostTable(
        contenders=tuple(dict.fromkeys(rows.values())),
        benchmarks=tuple(names.values()),
        samples=tuple((names[pk], str(index)) for pk in versions for index in range(size[pk])),
        correct=correct,
        cost_usd=cost,
        expert_cost_usd=_known([run["version__benchmark__expert_cost_usd"] for run in versions.values()]),
        families=_families(runs, rows),
        released=_released(runs, rows),
        chance=_known([run["version__chance"] for run in versions.values()]),
        answers=answers if depth > 1 else None,
    )


def _sizes(runs: Sequence[Mapping[str, Any]], found: Attempts) -> dict[int, int]:
    """Version -> its number of samples, which is one more than the last index that a run of it has."""
    last = np.full(len(runs), -1)
    np.maximum.at(last, found.run, found.index)
    if (last < 0).any():
        raise NotEnoughData(f"The attempts of run {runs[int(last.argmin())]['pk']} are not stored.", field="runs")
    sizes: dict[int, int] = {}
    for run, index in zip(runs, last.tolist(), strict=True):
        sizes[run["version"]] = max(sizes.get(run["version"], 0), index + 1)
    return sizes


def _arrays(
    runs: Sequence[Mapping[str, Any]], rows: Mapping[int, str], found: Attempts, size: Mapping[int, int], depth: int
) -> tuple[Floats, Floats, Integers]:
    """correct, cost and answers, all (contender, sample, attempt). size: samples of each version, in their order."""
    row = {name: at for at, name in enumerate(dict.fromkeys(rows.values()))}
    shape = (len(row), sum(size.values()), depth)
    if np.prod(shape) > MOST_ATTEMPTS:
        raise BadTable(f"{shape[0]} contenders x {shape[1]} samples are too many for one table.", field="runs")
    start = dict(zip(size, np.cumsum([0, *size.values()]).tolist(), strict=False))
    row_of = np.array([row[rows[run["pk"]]] for run in runs])
    start_of = np.array([start[run["version"]] for run in runs])
    at = row_of[found.run], start_of[found.run] + found.index, found.attempt
    correct, cost = np.full(shape, np.nan), np.full(shape, np.nan)
    answers = np.full(shape, UNKNOWN, dtype=np.int64)
    correct[at], cost[at], answers[at] = found.score >= 1.0, found.cost, found.label
    return correct, cost, answers


def _runs(run_ids: Sequence[int]) -> list[dict[str, Any]]:
    found = {run["pk"]: run for run in Run.objects.filter(pk__in=run_ids, state=Run.State.DONE).values(*RUN)}
    gone = [pk for pk in run_ids if pk not in found]
    if gone or not found:
        raise NotEnoughData(f"Run {gone[0]} has no result." if gone else "There is no finished run.", field="runs")
    turned = next((run for run in found.values() if not run["version__higher_is_better"]), None)
    if turned is not None:
        raise BadTable(
            f"On {turned['version__benchmark__name']} a lower score is better, so no score is a pass.",
            field="runs",
            remedy="Leave the benchmark out.",
        )
    return [found[pk] for pk in dict.fromkeys(run_ids)]


def _attempts(run_ids: Sequence[int], *, answers: bool) -> Attempts:
    # The cursor inside: the wrapper that counts queries takes no parameters here.
    with connection.cursor() as cursor, cursor.cursor.copy(COLUMNS, [answers, list(run_ids)]) as copy:
        data = b"".join(map(bytes, copy))
    rows = np.frombuffer(data[HEAD:-TAIL], ROW)
    order = np.argsort(run_ids)
    return Attempts(
        run=order[np.searchsorted(np.asarray(run_ids)[order], rows["run"])],
        index=rows["index"].astype(np.int64),
        attempt=rows["attempt"].astype(np.int64),
        score=rows["score"].astype(np.float64),
        cost=rows["cost"].astype(np.float64),
        label=rows["answer"].astype(np.int64) & LABELS,
    )


def _known(values: Sequence[Any]) -> Floats:
    return np.array([np.nan if value is None else float(value) for value in values])


def _families(runs: Sequence[Mapping[str, Any]], rows: Mapping[int, str]) -> dict[str, tuple[str, ...]]:
    """Tag -> the rows whose entry bears it; also "quantised" and "reference" weights, where there are both."""
    families: dict[str, dict[str, None]] = {}
    kinds = {run["pk"]: _kind(run["contender__scheme"]) for run in runs}
    several = len(set(filter(None, kinds.values()))) > 1
    for run in runs:
        kind = [kinds[run["pk"]]] if several and kinds[run["pk"]] else []
        for tag in (*run["contender__version__entry__tags"], *kind):
            families.setdefault(tag, {})[rows[run["pk"]]] = None
    return {tag: tuple(members) for tag, members in sorted(families.items())}


def _kind(scheme: str) -> str:
    """Of its weights; empty where nobody knows, as of what an endpoint serves."""
    info = SCHEMES.get(scheme)
    return "" if info is None else REFERENCE if info.family == REFERENCE else "quantised"


def _released(runs: Sequence[Mapping[str, Any]], rows: Mapping[int, str]) -> tuple[str, ...]:
    """ISO date per row, "" where nobody has said when the entry came out."""
    days = {rows[run["pk"]]: run["contender__version__entry__released_on"] for run in runs}
    return tuple("" if day is None else day.isoformat() for day in days.values())
