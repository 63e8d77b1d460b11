"""What every analysis is: a pure function with a name, described parameters, a version and a source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from evaluation.analyses.codec import from_json, to_json
from evaluation.analyses.parameters import Parameter, described, parameter, parse_params
from evaluation.tables import Floats, Integers

__all__ = [
    "Analysis",
    "Frozen",
    "Parameter",
    "Ranking",
    "described",
    "from_json",
    "parameter",
    "parse_params",
    "to_json",
]

T = TypeVar("T")
P = TypeVar("P")
R = TypeVar("R")


class Frozen:
    """Base of results: the arrays of a frozen dataclass are read-only, too."""

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


@dataclass(frozen=True, eq=False)
class Ranking(Frozen):
    """An order of contenders that admits ties; every array has one number per contender, in `contenders`' order.

    value: the statistic. standard_error, low, high: its error and 95 % interval, None where they are not known.
    rank_low, rank_high: best and worst rank that the data allow. benchmarks_used: how many count for the value.
    """

    contenders: tuple[str, ...]
    value: Floats
    standard_error: Floats | None
    low: Floats | None
    high: Floats | None
    rank_low: Integers
    rank_high: Integers
    benchmarks_used: Integers
    higher_is_better: bool = True


@dataclass(frozen=True)
class Analysis(Generic[T, P, R]):
    """One analysis. Registered in `evaluation.analyses.ANALYSES`; everything that lists analyses reads it there.

    Params: frozen dataclass of `parameter` fields. compute: (table, params) -> frozen result, pure.
    version: raised when the same input gives other numbers. source: the paper or definition it follows.
    needs: "means" for a BenchmarkTable, "samples" for a ScoreTable, "answers" for an AnswerTable, "costs" for a
    CostTable, "features" for a FeatureTable, "routes" for a RouteTable.
    ranking: how a board orders contenders by this result; None where it gives no order.
    seconds: (contenders, benchmarks, params) -> about how long compute keeps one core busy; None where it is quick.
    """

    title: str
    Params: type[P]
    compute: Callable[[T, P], R]
    version: int
    source: str
    needs: Literal["means", "samples", "answers", "costs", "features", "routes"]
    ranking: Callable[[R], Ranking] | None = None
    seconds: Callable[[int, int, P], float] | None = None
