"""Tables of costs: what every attempt cost and whether it passed. Money is in US dollars; a hole stays a hole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

import numpy as np

from evaluation.errors import BadTable
from evaluation.tables import Floats, Integers

UNKNOWN = -1  # an attempt's answer that was not stored


def _nothing() -> Floats:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class CostTable:
    """Costs and passes per contender, sample and attempt.

    samples: (benchmark, name) of each. correct: (contender, sample, attempt) 0 or 1; cost_usd: same shape, at least 0;
    NaN is a hole: in both the attempt was not made, in one of them it is incomplete (see `cells`).
    expert_cost_usd: (benchmark,) what an expert asks per sample; chance: (benchmark,) accuracy of a guess; NaN where
    unknown, left out: unknown everywhere. families: name -> contenders in it. released: ISO date per contender, ""
    where unknown; left out: unknown. answers: same shape as correct, labels that count within a sample, -1 where not
    stored; reward: same shape, NaN where not stored.
    Raises BadTable, which names the field. The arrays are copied and made read-only.
    """

    contenders: tuple[str, ...]
    benchmarks: tuple[str, ...]
    samples: tuple[tuple[str, str], ...]
    correct: Floats
    cost_usd: Floats
    expert_cost_usd: Floats = field(default_factory=_nothing)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    released: tuple[str, ...] = ()
    chance: Floats = field(default_factory=_nothing)
    answers: Integers | None = None
    reward: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("contenders", "benchmarks", "samples"):
            _check_distinct(getattr(self, name), name)
        _check_texts(self.contenders, "contenders")
        stray = next((name for name, _ in self.samples if name not in self.benchmarks), None)
        if stray is not None:
            raise BadTable(f"A sample names the unknown benchmark “{stray}”.", field="samples")
        shape = self._shape()
        for name in ("correct", "cost_usd"):
            _store(self, name, np.array(getattr(self, name), dtype=np.float64), shape)
        for name in ("expert_cost_usd", "chance"):
            given = np.array(getattr(self, name), dtype=np.float64)
            _store(self, name, given if given.size else np.full(len(self.benchmarks), np.nan), (len(self.benchmarks),))
        if self.answers is not None:
            _store(self, "answers", np.array(self.answers, dtype=np.int64), shape)
        if self.reward is not None:
            _store(self, "reward", np.array(self.reward, dtype=np.float64), shape)
        self._check_numbers()
        object.__setattr__(self, "released", tuple(self.released) or ("",) * len(self.contenders))
        _check_dates(self.released, self.contenders)
        families = {name: tuple(members) for name, members in self.families.items()}
        _check_families(families, self.contenders)
        object.__setattr__(self, "families", MappingProxyType(families))

    def _shape(self) -> tuple[int, ...]:
        if np.ndim(self.correct) != 3 or np.shape(self.correct)[2] < 1:
            raise BadTable("`correct` needs three axes: contender, sample, attempt.", field="correct")
        return (len(self.contenders), len(self.samples), np.shape(self.correct)[2])

    def _check_numbers(self) -> None:
        correct = self.correct
        if not bool(((correct == 0) | (correct == 1) | np.isnan(correct)).all()):
            raise BadTable("An attempt passes or not: `correct` is 0, 1 or a hole.", field="correct")
        for name, highest in (("cost_usd", np.inf), ("expert_cost_usd", np.inf), ("chance", 1.0)):
            values = getattr(self, name)
            if bool((values < 0).any() or (values > highest).any() or np.isinf(values).any()):
                limit = "finite and not negative" if highest > 1 else "between 0 and 1"
                raise BadTable(f"`{name}` must be {limit}, or a hole.", field=name)

    @property
    def benchmark_of(self) -> Integers:
        """(sample,) position of each sample's benchmark."""
        place = {name: position for position, name in enumerate(self.benchmarks)}
        return np.array([place[name] for name, _ in self.samples], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Cells:
    """One number per contender and sample, over its attempts.

    value: cost-of-pass in USD, mean cost / mean correct: inf where it never passed, NaN where a cost or a correctness
    is missing or nothing was tried. rate: share of attempts that passed, NaN where a correctness is missing.
    passes, spent: sums over attempts; cost: mean over attempts; NaN where value is. attempts: how many were made.
    """

    value: Floats
    rate: Floats
    passes: Floats
    spent: Floats
    cost: Floats
    attempts: Integers


def cells(correct: Floats, cost_usd: Floats) -> Cells:
    """Attempts put together. One attempt with only one of the two numbers leaves its cell undefined: never free.

    correct, cost_usd: (contender, sample, attempt) as in a CostTable.
    """
    shape = correct.shape[:2]
    value, rate, passes, spent, cost = (np.empty(shape) for _ in range(5))
    attempts = np.empty(shape, dtype=np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        for row in range(shape[0]):  # row by row: what is at hand fits the processor's cache
            right, price = correct[row].T, cost_usd[row].T
            has_right, has_price = ~np.isnan(right), ~np.isnan(price)
            made = (has_right | has_price).sum(axis=0)
            judged = has_right.sum(axis=0) == made
            whole = judged & (has_price.sum(axis=0) == made) & (made > 0)
            passed = np.where(has_right, right, 0.0).sum(axis=0)
            attempts[row] = made
            rate[row] = np.where(judged, passed / made, np.nan)
            passes[row] = np.where(whole, passed, np.nan)
            spent[row] = np.where(whole, np.where(has_price, price, 0.0).sum(axis=0), np.nan)
            cost[row] = spent[row] / made
            value[row] = np.where(passes[row] == 0, np.inf, spent[row] / passes[row])
    return Cells(value, rate, passes, spent, cost, attempts)


def _store(table: CostTable, name: str, array: Floats | Integers, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise BadTable(f"`{name}` has the shape {array.shape}; the names ask for {shape}.", field=name)
    array.setflags(write=False)
    object.__setattr__(table, name, array)


def _check_distinct(names: Sequence[object], kind: str) -> None:
    if not names:
        raise BadTable(f"A table of costs needs {kind}.", field=kind)
    if len(set(names)) != len(names):
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        shown = " ".join(twice) if isinstance(twice, tuple) else twice
        raise BadTable(f"“{shown}” is listed twice.", field=kind)


def _check_texts(names: Sequence[str], kind: str) -> None:
    if not all(isinstance(name, str) and name for name in names):
        raise BadTable("A name is empty or not text.", field=kind)


def _check_dates(released: Sequence[str], contenders: Sequence[str]) -> None:
    if len(released) != len(contenders):
        raise BadTable("Give one release date per contender, or none.", field="released")
    for contender, day in zip(contenders, released, strict=True):
        if day and not is_date(day):
            problem = f"“{day}” is not a date, the release of {contender}."
            raise BadTable(problem, field="released", remedy="Write it as 2025-01-31.")


def is_date(text: str) -> bool:
    """Whether the text is a day of the calendar in the form 2025-01-31."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_families(families: Mapping[str, tuple[str, ...]], contenders: Sequence[str]) -> None:
    known = set(contenders)
    for name, members in families.items():
        if not name or not members:
            raise BadTable(f"The family “{name}” needs a name and a contender.", field="families")
        stranger = next((one for one in members if one not in known), None)
        if stranger is not None:
            raise BadTable(f"The family “{name}” names the unknown contender “{stranger}”.", field="families")
