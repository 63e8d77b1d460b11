"""What results hold, in one pass and in little memory: which runs on which benchmarks, whole, and nothing twice."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmarks import document_hash, prompt_hash, target_hash
from evaluation.importing.limits import Limits
from evaluation.importing.rows import NAMES, QUESTION, BadRow, Row
from evaluation.importing.sources import Source

ATTEMPT_BITS, LINE_BITS = 16, 40
MEASURED = slice(NAMES.index("attempt"), NAMES.index("cost_usd") + 1)
ASKED = slice(NAMES.index("prompt"), NAMES.index("target_hash") + 1)
NOTHING = Row("", "", 0, 0.0)[ASKED]
SUMS = ("tokens_in", "tokens_out", "seconds", "cost_usd")
WORST = 10  # how many times as long as its rows a run's packed array may be, holes included, beyond
SPARSE = 1_000_000
MOST_CELLS = 200_000_000  # of all packed arrays together
EVERY = 5000  # rows between two words on progress


class BenchmarkKey(NamedTuple):
    """Which benchmark a row is about. hash: of its content, "" where it is not stated."""

    name: str
    version: int | None
    hash: str


class RunKey(NamedTuple):
    """Which run a row belongs to."""

    entry: str
    version: int | None
    scheme: str
    benchmark: BenchmarkKey
    run: str


@dataclass
class FoundBenchmark:
    """number: in the order of first appearance. questions: sample -> 128-bit fingerprint of its three hashes; only
    samples about which a row says something."""

    number: int
    key: BenchmarkKey
    metric: str
    higher_is_better: bool
    questions: dict[int, int] = field(default_factory=dict)


@dataclass
class FoundRun:
    """A run as its rows tell it; number: in the order of first appearance.

    at: sample << 16 | attempt; place: file << 40 | line; both and `score` row by row. digest: a sum over its rows of
    hashes, the same for any order of rows. sums: None while a row lacks the number.
    """

    key: RunKey
    settings: str
    source: int
    number: int
    at: array[int] = field(default_factory=lambda: array("Q"))
    score: array[float] = field(default_factory=lambda: array("d"))
    place: array[int] = field(default_factory=lambda: array("Q"))
    digest: int = 0
    sums: list[float | None] = field(default_factory=lambda: [0] * len(SUMS))

    @property
    def content_hash(self) -> str:
        """The same for the same scores, whatever the order of rows and the format of the file."""
        told = repr((self.key[:3], self.key.benchmark, self.key.run, self.settings, len(self.at), self.digest))
        return hashlib.sha256(told.encode()).hexdigest()

    def values(self) -> NDArray[np.float64]:
        """(sample, attempt) scores, NaN where there is none."""
        at = np.frombuffer(self.at, dtype=np.uint64)
        sample, attempt = (at >> ATTEMPT_BITS).astype(np.int64), (at & (2**ATTEMPT_BITS - 1)).astype(np.int64)
        found = np.full((int(sample.max()) + 1, int(attempt.max()) + 1), np.nan)
        found[sample, attempt] = np.frombuffer(self.score)
        return found

    @property
    def totals(self) -> dict[str, float | None]:
        return dict(zip(SUMS, self.sums, strict=True))


@dataclass
class Survey:
    """runs and benchmarks in the order of first appearance; sources: name and facts of each file."""

    runs: dict[RunKey, FoundRun] = field(default_factory=dict)
    benchmarks: dict[BenchmarkKey, FoundBenchmark] = field(default_factory=dict)
    sources: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    rows: int = 0


class Keeper(Protocol):
    """Who wants the rows as well: they are read once."""

    def score(self, run: int, row: Row) -> None:
        """A row of the run with this number."""

    def question(self, benchmark: int, row: Row) -> None:
        """The first row that says something about a sample of the benchmark with this number."""


def survey(
    sources: Iterator[Source],
    limits: Limits,
    *,
    every: Callable[[int], None] | None = None,
    keeper: Keeper | None = None,
) -> Survey:
    """Read everything once. every: called with the number of rows now and then; what it raises ends the reading.

    Raises BadRow for a bad line, a question that changes, and an attempt that is scored twice.
    """
    found = Survey()
    for number, source in enumerate(sources):
        found.sources.append((source.name, source.facts))
        for line, row in source.rows:
            run, is_asked = _take(found, row, number, line, source.name)
            if keeper is not None:
                keeper.score(run.number, row)
                if is_asked:
                    keeper.question(found.benchmarks[run.key.benchmark].number, row)
            if found.rows % EVERY == 0 and every is not None:
                every(found.rows)
            if found.rows > limits.rows:
                raise BadRow(f"there are more than {limits.rows:,} rows", file=source.name, line=line)
    _check_whole(found)
    return found


def _check_whole(found: Survey) -> None:
    if not found.rows:
        raise BadRow("there is no score", file=found.sources[0][0] if found.sources else "")
    cells = 0
    for run in found.runs.values():
        _check_once(found, run)
        cells = _check_dense(found, run, cells)


def benchmark_key(row: Row) -> BenchmarkKey:
    return BenchmarkKey(row.benchmark, row.benchmark_version, row.benchmark_hash)


def run_key(row: Row) -> RunKey:
    return RunKey(row.entry, row.version, row.scheme, benchmark_key(row), row.run)


def _take(found: Survey, row: Row, number: int, line: int, file: str) -> tuple[FoundRun, bool]:
    """The run of the row, and whether the row is the first one that tells its question."""
    key = run_key(row)
    run = found.runs.get(key)
    if run is None:
        run = found.runs[key] = FoundRun(key, row.settings, number, len(found.runs))
        _meet_benchmark(found, key.benchmark, row, file, line)
    elif row.settings != run.settings:
        raise BadRow("another row of this run has other settings", file=file, line=line, field="settings")
    run.at.append(row.sample << ATTEMPT_BITS | row.attempt)
    run.score.append(row.score)
    run.place.append(number << LINE_BITS | line)
    run.digest = (run.digest + _hash(row.sample, row.score, row[MEASURED])) & (2**128 - 1)
    for at, value in enumerate((row.tokens_in, row.tokens_out, row.seconds, row.cost_usd)):
        before = run.sums[at]
        run.sums[at] = None if before is None or value is None else before + value
    found.rows += 1
    return run, row[ASKED] != NOTHING and _meet_question(found.benchmarks[key.benchmark], row, file, line)


def _hash(*parts: Any) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=16).digest())


def _meet_benchmark(found: Survey, key: BenchmarkKey, row: Row, file: str, line: int) -> None:
    higher = row.higher_is_better is not False
    known = found.benchmarks.setdefault(key, FoundBenchmark(len(found.benchmarks), key, row.metric, higher))
    for name, before, now in (
        ("metric", known.metric, row.metric),
        ("higher_is_better", known.higher_is_better, higher),
    ):
        if before != now:
            raise BadRow(
                f"another run on {key.name} has “{before}”, this one “{now}”", file=file, line=line, field=name
            )


def hashes(row: Row) -> tuple[str, str, str]:
    """Of document, prompt and target; what the row does not state is computed, by the formulas of lm-eval."""
    document = row.document_hash or _document_hash(row.document)
    return document, row.prompt_hash or prompt_hash(row.prompt), row.target_hash or target_hash(row.target)


def _document_hash(text: str) -> str:
    return document_hash(json.loads(text)) if text else ""


def fingerprint(document: str, prompt: str, target: str) -> int:
    """128 bits of a question's three hashes."""
    return _hash(document, prompt, target)


def _meet_question(benchmark: FoundBenchmark, row: Row, file: str, line: int) -> bool:
    mark = fingerprint(*hashes(row))
    known = benchmark.questions.setdefault(row.sample, mark)
    if known is mark:
        return True
    if known != mark:
        raise BadRow(
            f"sample {row.sample} of {benchmark.key.name} has another question in an earlier row",
            file=file,
            line=line,
            field=next((name for name in reversed(QUESTION) if getattr(row, name)), "prompt"),
            remedy="Give benchmarks that differ different names, or different benchmark_hash.",
        )
    return False


def _check_once(found: Survey, run: FoundRun) -> None:
    at = np.frombuffer(run.at, dtype=np.uint64)
    order = np.argsort(at, kind="stable")
    twice = np.flatnonzero(at[order][1:] == at[order][:-1])
    if not len(twice):
        return
    places = [run.place[int(order[twice[0] + step])] for step in (0, 1)]
    (first, line), (second, again) = ((place >> LINE_BITS, place & (2**LINE_BITS - 1)) for place in places)
    sample, attempt = run.at[int(order[twice[0]])] >> ATTEMPT_BITS, run.at[int(order[twice[0]])] & (2**ATTEMPT_BITS - 1)
    where = f"line {line}" if first == second else f"{found.sources[first][0]}, line {line}"
    raise BadRow(
        f"attempt {attempt} of {run.key.entry} at sample {sample} of {run.key.benchmark.name} has a score in {where}",
        file=found.sources[second][0],
        line=again,
        field="sample",
        remedy="Keep one of the rows, or tell the runs apart in the column “run”.",
    )


def _check_dense(found: Survey, run: FoundRun, taken: int) -> int:
    """Packed scores are arrays by sample and attempt: an index of two thousand million would be one of as many bytes.

    taken: cells of the runs before; returns them with this run's.
    """
    at = np.frombuffer(run.at, dtype=np.uint64)
    attempts = at & np.uint64(2**ATTEMPT_BITS - 1)
    last, last_attempt = int(at.max()) >> ATTEMPT_BITS, int(attempts.max())
    most, cells = max(SPARSE, WORST * len(at)), (last + 1) * (last_attempt + 1)
    if cells <= most and taken + cells <= MOST_CELLS:
        return taken + cells
    by_sample = last >= most or not last_attempt
    place = run.place[int(np.argmax(at if by_sample else attempts))]
    raise BadRow(
        f"{f'index {last}' if by_sample else f'attempt {last_attempt}'} is far beyond the {len(at):,} rows of its run",
        file=found.sources[place >> LINE_BITS][0],
        line=place & (2**LINE_BITS - 1),
        field="sample" if by_sample else "attempt",
        remedy="Number the samples of a benchmark, and the attempts at each, from 0.",
    )
