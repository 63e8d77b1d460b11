"""Tables of scores: who answered what, and how well. A hole stays a hole; nothing here fills one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import BadTable, NotEnoughData

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Row = tuple[str, str, int, int, float]
Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True, eq=False)
class BenchmarkTable:
    """One mean score per contender and benchmark.

    mean: (contender, benchmark), in the benchmark's own unit, NaN where there is no score.
    standard_error: same shape, sampling error of each mean, NaN where unknown; None when none is known.
    n: same shape, number of samples behind each mean; None when unknown.
    higher_is_better: one flag per benchmark; left out, higher is better everywhere.
    Raises BadTable. The arrays are made read-only.
    """

    contenders: tuple[str, ...]
    benchmarks: tuple[str, ...]
    mean: Floats
    standard_error: Floats | None = None
    n: Integers | None = None
    higher_is_better: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        _set(self, contenders=_names(self.contenders, "contender"), benchmarks=_names(self.benchmarks, "benchmark"))
        _set(self, higher_is_better=_directions(self.higher_is_better, self.benchmarks))
        shape = (len(self.contenders), len(self.benchmarks))
        _set(self, mean=_frozen_floats(self.mean, shape, "mean"))
        if self.standard_error is not None:
            errors = _frozen_floats(self.standard_error, shape, "standard_error")
            if bool((errors < 0).any()):
                raise BadTable("A standard error is negative.", field="standard_error")
            _set(self, standard_error=errors)
        if self.n is not None:
            _set(self, n=_frozen(np.array(self.n, dtype=np.int64), shape, "n"))

    @property
    def holes(self) -> tuple[tuple[str, str], ...]:
        """(contender, benchmark) of every missing score, in the table's order."""
        return tuple((self.contenders[m], self.benchmarks[b]) for m, b in np.argwhere(np.isnan(self.mean)).tolist())

    @property
    def benchmarks_used(self) -> Integers:
        """(contender,) number of benchmarks with a score."""
        return np.asarray((~np.isnan(self.mean)).sum(axis=1, dtype=np.int64))

    @property
    def turned(self) -> Floats:
        """(contender, benchmark) scores with the sign changed where lower is better, so that higher is better."""
        return self.mean * np.where(self.higher_is_better, 1.0, -1.0)

    def select(
        self, contenders: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> BenchmarkTable:
        """The named rows and columns, in the order asked for. Raises BadTable for an unknown name."""
        rows = _positions(self.contenders if contenders is None else contenders, self.contenders, "contender")
        columns = _positions(self.benchmarks if benchmarks is None else benchmarks, self.benchmarks, "benchmark")
        cut = np.ix_(rows, columns)
        return BenchmarkTable(
            contenders=tuple(self.contenders[row] for row in rows),
            benchmarks=tuple(self.benchmarks[column] for column in columns),
            mean=self.mean[cut],
            standard_error=None if self.standard_error is None else self.standard_error[cut],
            n=None if self.n is None else self.n[cut],
            higher_is_better=tuple(self.higher_is_better[column] for column in columns),
        )

    def refuse_holes(self, missing: str) -> None:
        """Raises NotEnoughData for a hole when `missing` is "strict", and for a contender without any score always."""
        empty = np.flatnonzero(self.benchmarks_used == 0).tolist()
        if empty:
            raise NotEnoughData(f"There is not a single score of {self.contenders[empty[0]]}.", field="missing")
        if missing == "strict" and self.holes:
            (contender, benchmark), others = self.holes[0], len(self.holes) - 1
            more = f" ({others} more missing)" if others else ""
            remedy = "Run it, leave the contender out, or skip missing scores."
            raise NotEnoughData(
                f"There is no score of {contender} on {benchmark}{more}.", field="missing", remedy=remedy
            )

    def complete(self) -> BenchmarkTable:
        """Only the contenders without a hole. Raises NotEnoughData when there is none."""
        whole = np.flatnonzero(np.isfinite(self.mean).all(axis=1)).tolist()
        if not whole:
            raise NotEnoughData("No contender has a score on every benchmark yet.")
        return self.select(contenders=[self.contenders[row] for row in whole])


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """One score per contender, sample and attempt.

    samples: (benchmark, index inside the benchmark) of each sample; a benchmark's samples are neighbours.
    values: (contender, sample, attempt), NaN where the attempt was not made.
    benchmark_of: (sample,) position of each sample's benchmark in `benchmarks`; derived.
    higher_is_better: one flag per benchmark; left out, higher is better everywhere.
    Raises BadTable. The arrays are made read-only.
    """

    contenders: tuple[str, ...]
    benchmarks: tuple[str, ...]
    samples: tuple[tuple[str, int], ...]
    values: Floats
    higher_is_better: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        _set(self, contenders=_names(self.contenders, "contender"), benchmarks=_names(self.benchmarks, "benchmark"))
        _set(self, higher_is_better=_directions(self.higher_is_better, self.benchmarks), samples=tuple(self.samples))
        if self.values.ndim != 3:
            raise BadTable("Scores need three axes: contender, sample, attempt.", field="values")
        shape = (len(self.contenders), len(self.samples), self.values.shape[2])
        _set(self, values=_frozen_floats(self.values, shape, "values"))
        if len(set(self.samples)) != len(self.samples):
            raise BadTable("A sample is listed twice.", field="samples")
        if bool((np.diff(self.benchmark_of) < 0).any()):
            raise BadTable("The samples of a benchmark must be neighbours, in the benchmarks' order.", field="samples")

    @property
    def benchmark_of(self) -> Integers:
        """(sample,) position of each sample's benchmark."""
        place = {name: position for position, name in enumerate(self.benchmarks)}
        unknown = next((name for name, _ in self.samples if name not in place), None)
        if unknown is not None:
            raise BadTable(f"A sample names the unknown benchmark “{unknown}”.", field="samples")
        return np.array([place[name] for name, _ in self.samples], dtype=np.int64)

    @classmethod
    def from_rows(cls, rows: Iterable[Row], *, lower_is_better: Sequence[str] = ()) -> ScoreTable:
        """Long rows (contender, benchmark, sample, attempt, score); an absent row is a hole.

        Contenders and benchmarks keep their order of first appearance; samples are sorted inside a benchmark.
        Raises BadTable for an empty list, a score that is not finite, or a row that comes twice.
        """
        listed = list(rows)
        if not listed:
            raise BadTable("There is not a single score.")
        contenders = tuple(dict.fromkeys(row[0] for row in listed))
        benchmarks = tuple(dict.fromkeys(row[1] for row in listed))
        who = {name: position for position, name in enumerate(contenders)}
        what = {name: position for position, name in enumerate(benchmarks)}
        samples = tuple(sorted({(row[1], row[2]) for row in listed}, key=lambda pair: (what[pair[0]], pair[1])))
        where = {sample: position for position, sample in enumerate(samples)}
        values = np.full((len(contenders), len(samples), 1 + max(row[3] for row in listed)), np.nan)
        for contender, benchmark, sample, attempt, score in listed:
            cell = (who[contender], where[benchmark, sample], attempt)
            if not (np.isfinite(score) and attempt >= 0 and np.isnan(values[cell])):
                reason = "comes twice" if np.isfinite(score) and attempt >= 0 else "is not a finite number"
                raise BadTable(
                    f"The score of {contender} on {benchmark}, sample {sample}, attempt {attempt}, {reason}."
                )
            values[cell] = score
        directions = tuple(name not in lower_is_better for name in benchmarks)
        return cls(contenders, benchmarks, samples, values, directions)

    @property
    def per_sample(self) -> Floats:
        """(contender, sample) mean over the attempts that were made, NaN where there was none."""
        made = ~np.isnan(self.values)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(made, self.values, 0.0).sum(axis=2) / made.sum(axis=2))

    def complete_per_sample(self) -> Floats:
        """The same where there is no hole. Raises NotEnoughData, which names the first one."""
        scores = self.per_sample
        holes = np.argwhere(np.isnan(scores))
        if holes.size:
            row, column = holes[0].tolist()
            benchmark, index = self.samples[column]
            problem = f"There is no score of {self.contenders[row]} on {benchmark}, sample {index}."
            raise NotEnoughData(problem, field="scores", remedy="A replay needs complete scores.")
        return scores

    def by_benchmark(self, *, partial: bool = False) -> BenchmarkTable:
        """Mean over samples of the mean over attempts, with its standard error and number of samples.

        A cell in which a sample is unanswered is a hole; with `partial` it is the mean of what is there.
        One sample has no standard error: NaN, never 0.
        """
        per_sample = self.per_sample
        answered = ~np.isnan(per_sample)
        shape = (len(self.contenders), len(self.benchmarks))
        mean, error, n = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
        for column, span in enumerate(_spans(self.benchmark_of, len(self.benchmarks))):
            n[:, column] = answered[:, span].sum(axis=1)
            for row in np.flatnonzero(answered[:, span].any(axis=1) if partial else answered[:, span].all(axis=1)):
                kept = per_sample[row, span][answered[row, span]]
                if kept.size:
                    mean[row, column] = kept.mean()
                if kept.size > 1:
                    error[row, column] = kept.std(ddof=1) / np.sqrt(kept.size)
        return BenchmarkTable(self.contenders, self.benchmarks, mean, error, n, self.higher_is_better)


def _set(table: object, **fields: object) -> None:
    """Store normalised fields of a frozen dataclass while it is being made."""
    for name, value in fields.items():
        object.__setattr__(table, name, value)


def _names(names: Sequence[str], kind: str) -> tuple[str, ...]:
    if not names:
        raise BadTable(f"A table needs at least one {kind}.", field=f"{kind}s")
    for position, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise BadTable(f"The name of {kind} {position + 1} is empty or not text.", field=f"{kind}s")
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise BadTable(f"The {kind} “{twice}” is listed twice.", field=f"{kind}s")
    return tuple(names)


def _directions(flags: Sequence[bool], benchmarks: tuple[str, ...]) -> tuple[bool, ...]:
    if flags and len(flags) != len(benchmarks):
        raise BadTable("Give one direction per benchmark.", field="higher_is_better")
    return tuple(bool(flag) for flag in flags) or (True,) * len(benchmarks)


def _frozen_floats(array: Floats, shape: tuple[int, ...], name: str) -> Floats:
    values = _frozen(np.array(array, dtype=np.float64), shape, name)
    if bool(np.isinf(values).any()):
        raise BadTable(f"An infinite number stands in `{name}`.", field=name)
    return values


def _frozen(array: NDArray[Number], shape: tuple[int, ...], name: str) -> NDArray[Number]:
    if array.shape != shape:
        raise BadTable(f"`{name}` has the shape {array.shape}; the names ask for {shape}.", field=name)
    array.setflags(write=False)
    return array


def _positions(names: Sequence[str], known: tuple[str, ...], kind: str) -> list[int]:
    place = {name: position for position, name in enumerate(known)}
    for name in names:
        if name not in place:
            raise BadTable(f"There is no {kind} “{name}”.", field=f"{kind}s", remedy=f"Known: {', '.join(known)}.")
    return [place[name] for name in names]


def _spans(benchmark_of: Integers, count: int) -> list[slice]:
    """The slice of samples of each benchmark."""
    edges = np.searchsorted(benchmark_of, np.arange(count + 1)).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]
