"""How fast and how heavy contenders were when they ran: times, tokens, memory and energy of finished runs.

What was not measured is a hole. Times mean something on one kind of device only, so that ranks by time or memory are
taken among the contenders of the commonest one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import QuerySet

from evaluation.efficiency import FEWEST, Energy, Latency, RankAgreement, Speed, energy, latency, rank_agreement, speed
from evaluation.tables import Floats
from webapp.catalog.models import Source
from webapp.jobs.models import Run, Worker
from webapp.results.selectors import contender_labels, distinct

MOST = 3_000_000  # attempts that a page may read
FIELDS = ("latency", "seconds_to_first", "tokens_in", "tokens_out", "cost_usd", "seconds")
# One row per run, whatever its size, with numbers in network order; what is not known travels as NaN.
COLUMNS = """
    SELECT run_id,
        string_agg(float8send(coalesce(latency, 'NaN')), ''::bytea ORDER BY "index", attempt),
        string_agg(float8send(coalesce(seconds_to_first, 'NaN')), ''::bytea ORDER BY "index", attempt),
        string_agg(float8send(coalesce(tokens_in::float8, 'NaN')), ''::bytea ORDER BY "index", attempt),
        string_agg(float8send(coalesce(tokens_out::float8, 'NaN')), ''::bytea ORDER BY "index", attempt),
        string_agg(float8send(coalesce(cost_usd, 'NaN')), ''::bytea ORDER BY "index", attempt),
        string_agg(float8send(coalesce(seconds, 'NaN')), ''::bytea ORDER BY "index", attempt)
    FROM results_score WHERE run_id = ANY(%s) GROUP BY run_id
"""
RUN = (
    "pk", "contender", "contender__name", "contender__version__entry__team__name", "contender__version__parameters",
    "contender__version__source", "worker", "done", "provenance", "settings",
)  # fmt: skip
ENDPOINT, UNKNOWN = "an endpoint", "an unknown device"
PARTS = {"peak_memory": "peak_memory_bytes", "weights": "bytes_in_memory"}  # of a run's provenance


@dataclass(frozen=True)
class ContenderEfficiency:
    """Over all attempts of its runs. tokens, cost_usd: mean of an attempt, all samples counting the same however often
    they were tried; NaN where one is not known.

    latency, to_first: seconds to the whole answer and to its first token. speed: the slope of latency over tokens, from
    runs whose requests were answered one by one, for in a batch all wait for the longest. throughput: tokens written
    per second in which the device was busy. peak_memory, weights: bytes, the most of its runs. devices: what it ran on,
    as its workers said. alike: it ran on the commonest kind alone.
    """

    name: str
    devices: tuple[str, ...]
    alike: bool
    attempts: int
    latency: Latency
    to_first: Latency
    speed: Speed
    throughput: float
    tokens: float
    cost_usd: float
    parameters: float
    weights: float
    peak_memory: float
    energy: Energy


@dataclass(frozen=True)
class Efficiency:
    """contenders: in the order of first appearance. device: the commonest kind; devices: how many kinds there are.

    agreement: rank correlations of indicators of cost; those of time and memory among contenders on `device` alone.
    """

    contenders: tuple[ContenderEfficiency, ...]
    agreement: RankAgreement
    device: str
    devices: int


def efficiency(runs: QuerySet[Run]) -> Efficiency | None:
    """Of these finished runs, in three queries; None where there are none, or more attempts than a page may read."""
    rows = list(runs.filter(state=Run.State.DONE).order_by("pk").values(*RUN))
    if not rows or sum(row["done"] for row in rows) > MOST:
        return None
    devices = _devices(rows)
    numbers = _numbers([row["pk"] for row in rows])
    mine: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        mine.setdefault(row["contender"], []).append(row)
    usual = Counter(devices.values()).most_common(1)[0][0]
    names = distinct(contender_labels(own[0]) for own in mine.values())
    found = tuple(
        _contender(name, own, numbers, [devices[row["pk"]] for row in own], usual)
        for name, own in zip(names, mine.values(), strict=True)
    )
    return Efficiency(found, _agreement(found), usual, len(set(devices.values())))


def _devices(rows: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Run -> the name of what computed it. Where an endpoint answered, its machine is not known."""
    known = dict(Worker.objects.filter(name__in={row["worker"] for row in rows}).values_list("name", "device"))
    return {
        row["pk"]: ENDPOINT
        if row["contender__version__source"] == Source.ENDPOINT
        else row["provenance"].get("environment", {}).get("gpu") or known.get(row["worker"], UNKNOWN)
        for row in rows
    }


def _numbers(run_ids: Sequence[int]) -> dict[int, dict[str, Floats]]:
    """Run -> an array per field, one number per attempt."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [list(run_ids)])
        return {
            pk: {
                name: np.frombuffer(bytes(sent), ">f8").astype(np.float64)
                for name, sent in zip(FIELDS, columns, strict=True)
            }
            for pk, *columns in cursor
        }


@dataclass(frozen=True)
class Numbers:
    """Of all attempts of a contender, and of those whose requests were answered one by one. A field -> its numbers."""

    all: Mapping[str, Floats]
    alone: Mapping[str, Floats]


def contender_numbers(run_ids: Sequence[int]) -> dict[int, Numbers]:
    """By contender, in the order of `efficiency`; two queries."""
    rows = list(Run.objects.filter(pk__in=run_ids, state=Run.State.DONE).order_by("pk").values(*RUN))
    numbers = _numbers([row["pk"] for row in rows])
    mine: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        mine.setdefault(row["contender"], []).append(row)
    return {
        pk: Numbers(_together(own, numbers), _together([row for row in own if _one_by_one(row)], numbers))
        for pk, own in mine.items()
    }


def _together(runs: Sequence[Mapping[str, Any]], numbers: Mapping[int, Mapping[str, Floats]]) -> dict[str, Floats]:
    stored = [numbers[run["pk"]] for run in runs if run["pk"] in numbers]
    return {field: np.concatenate([each[field] for each in stored] or [np.empty(0)]) for field in FIELDS}


def _one_by_one(run: Mapping[str, Any]) -> bool:
    """In a batch all wait for the longest."""
    return bool(run["contender__version__source"] == Source.ENDPOINT or run["settings"].get("batch_size") == 1)


def _contender(
    name: str,
    runs: Sequence[Mapping[str, Any]],
    numbers: Mapping[int, Mapping[str, Floats]],
    devices: Sequence[str],
    usual: str,
) -> ContenderEfficiency:
    whole = _together(runs, numbers)
    most = {
        part: max((_number(run["provenance"].get(key)) for run in runs), default=nan) for part, key in PARTS.items()
    }
    joules = [_number(run["provenance"].get("joules")) / max(run["done"], 1) for run in runs]
    return ContenderEfficiency(
        name=name,
        devices=tuple(dict.fromkeys(devices)),
        alike=set(devices) == {usual},
        attempts=whole["latency"].size,
        latency=latency(whole["latency"]),
        to_first=latency(whole["seconds_to_first"]),
        speed=_speed(runs, numbers),
        throughput=_throughput(whole["tokens_out"], whole["seconds"]),
        tokens=_mean(runs, numbers, "tokens_in", "tokens_out"),
        cost_usd=_mean(runs, numbers, "cost_usd"),
        parameters=_number(runs[0]["contender__version__parameters"]),
        energy=energy(np.repeat(joules, [run["done"] for run in runs])),
        **most,
    )


def _speed(runs: Sequence[Mapping[str, Any]], numbers: Mapping[int, Mapping[str, Floats]]) -> Speed:
    alone = _together([run for run in runs if _one_by_one(run)], numbers)
    return speed(alone["tokens_out"], alone["latency"])


def _throughput(tokens: Floats, busy: Floats) -> float:
    """Of attempts that wrote something; NaN where a count or a time is missing."""
    wrote = ~(tokens == 0)
    total = float(busy[wrote].sum())
    return float(tokens[wrote].sum()) / total if total > 0 else nan


def _agreement(found: Sequence[ContenderEfficiency]) -> RankAgreement:
    here = np.array([one.alike for one in found])
    indicators = {
        "cost": _column(one.cost_usd for one in found),
        "tokens": _column(one.tokens for one in found),
        "latency": np.where(here, _column(one.latency.p50 for one in found), nan),
        "parameters": _column(one.parameters for one in found),
        "weights in memory": _column(one.weights for one in found),
        "peak memory": np.where(here, _column(one.peak_memory for one in found), nan),
        "energy": np.where(here, _column(one.energy.kilojoules for one in found), nan),
    }
    enough = {name: values for name, values in indicators.items() if np.isfinite(values).sum() >= FEWEST}
    return rank_agreement(enough)


def _column(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)


def _mean(runs: Sequence[Mapping[str, Any]], numbers: Mapping[int, Mapping[str, Floats]], *fields: str) -> float:
    """Of the sum of these fields. A mean of the known ones alone would be that of other samples."""
    found = [(run["done"], numbers[run["pk"]]) for run in runs if run["pk"] in numbers]
    sums = [done * float(np.sum([each[name] for name in fields], axis=0).mean()) for done, each in found]
    size = sum(done for done, _ in found)
    return sum(sums) / size if size else nan


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else nan
