"""Tables of answers from finished runs: what each contender chose, how probable it found it, and what is right.

Samples meet by what was asked: the sample itself inside one version of a benchmark, and between versions the hashes of
document, prompt and target together with the choices. An index alone joins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from evaluation.answers import HOLE, AnswerTable, probabilities_of
from evaluation.errors import BadTable, NotEnoughData
from webapp.catalog.models import BenchmarkVersion, Sample
from webapp.jobs.models import Run
from webapp.results.selectors import contender_labels, distinct

RIGHT = np.iinfo(np.int64).min  # the code of every right answer that was written
MOST_VALUES = 100_000_000  # contenders x samples x choices: 0.8 GB of probabilities
# How the answers were asked for and read: versions that differ in one of these are not joined unless asked.
ASKED_BY = ("num_fewshot", "extract", "stop", "max_tokens")
RUN = (
    "pk", "contender", "contender__name", "contender__version__entry__team__name", "version",
    "version__benchmark", "version__benchmark__name", "version__benchmark__team__name",
)  # fmt: skip
# One row per run, whatever its size: numbers in network order, a written answer as half of its MD5, log-likelihoods
# as PostgreSQL sends arrays.
COLUMNS = """
    SELECT run_id,
        string_agg(int4send("index"), ''::bytea ORDER BY "index"),
        string_agg(int2send(coalesce(choice, -1::smallint)), ''::bytea ORDER BY "index"),
        string_agg(float8send(score), ''::bytea ORDER BY "index"),
        string_agg(substring(decode(md5(btrim(answer)), 'hex') FROM 1 FOR 8), ''::bytea ORDER BY "index"),
        string_agg(int4send(cardinality(log_likelihoods)), ''::bytea ORDER BY "index"),
        string_agg(array_send(log_likelihoods), ''::bytea ORDER BY "index")
    FROM results_score WHERE run_id = ANY(%s) AND attempt = 0 GROUP BY run_id
"""
HEAD, EMPTY, ITEM = 20, 12, 12  # bytes before the numbers of such an array, of an empty one, of a number and its length


@dataclass(frozen=True)
class Answers:
    """What one run answered, by sample. choice: -1 where the answer was written. code: names a written answer.

    log_likelihoods: (sample, choice), -inf for a choice that is not there, NaN where there are none.
    """

    index: NDArray[np.int64]
    choice: NDArray[np.int64]
    right: NDArray[np.bool_]
    code: NDArray[np.int64]
    log_likelihoods: NDArray[np.float64]


@dataclass(frozen=True)
class Questions:
    """The columns of the table. place: version -> position of each index, -1 for none."""

    names: list[str]
    groups: list[str]
    gold: list[int]
    sizes: list[int]
    place: Mapping[int, NDArray[np.int64]]


def answer_table(run_ids: Sequence[int], *, any_prompt: bool = False) -> AnswerTable:
    """Contenders x samples of finished runs; a sample that a contender was not asked is a hole.

    Rows and benchmarks keep the order of first appearance; a contender that ran a benchmark again has a second row,
    called “... again”. any_prompt: join versions of a benchmark although their prompts, few-shot examples or filters
    differ. Raises NotEnoughData and BadTable.
    """
    runs = runs_with_names(run_ids)
    questions = _questions(runs, any_prompt)
    rows = row_names(runs)
    names = list(dict.fromkeys(rows.values()))
    shape = (len(names), len(questions.names))
    answers = answers_of(list(rows))
    width = max(one.log_likelihoods.shape[1] for one in answers.values())
    if shape[0] * shape[1] * max(width, 1) > MOST_VALUES:
        raise BadTable(f"{shape[0]} contenders on {shape[1]} samples are too many for one table.", field="runs")
    choice, code = np.full(shape, HOLE), np.full(shape, RIGHT)
    asked, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    likely = np.full((*shape, width), np.nan)
    for run in runs:
        found, row = answers[run["pk"]], names.index(rows[run["pk"]])
        at = questions.place[run["version"]][found.index]
        met, at = at >= 0, at[at >= 0]
        choice[row, at], code[row, at], right[row, at] = found.choice[met], found.code[met], found.right[met]
        likely[row, at, : found.log_likelihoods.shape[1]] = found.log_likelihoods[met]
        likely[row, at, found.log_likelihoods.shape[1] :] = -np.inf
        asked[row, at] = True
    written = (choice == HOLE) & asked
    labels = np.where(asked, np.where(written, numbered(np.where(right, RIGHT, code)), choice), HOLE)
    size = max(*questions.sizes, width, int(labels.max()) + 1)
    gold = np.where(written.any(axis=0), 0, questions.gold)
    return AnswerTable(
        contenders=tuple(names),
        samples=tuple(questions.names),
        choices=tuple(map(str, range(size))),
        labels=labels,
        correct=right,
        gold=gold,
        probabilities=_probabilities(likely, asked, size),
        groups=tuple(questions.groups),
        sizes=np.where(written.any(axis=0), 0, questions.sizes),
    )


def numbered(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """(contender, sample) answers as small numbers, anew on each sample: 0 is right, wrong ones that differ differ."""
    with_right = np.vstack([np.full(codes.shape[1], RIGHT), codes])
    order = np.argsort(with_right, axis=0, kind="stable")
    ordered = np.take_along_axis(with_right, order, axis=0)
    steps = np.vstack([np.zeros(codes.shape[1], dtype=bool), ordered[1:] != ordered[:-1]])
    found = np.empty_like(with_right)
    np.put_along_axis(found, order, steps.cumsum(axis=0), axis=0)
    return found[1:]


def row_names(runs: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Run -> the name of its row: two teams' equal names bear the team's, a second run of a cell is “... again”."""
    contenders = {run["contender"]: contender_labels(run) for run in runs}
    name = dict(zip(contenders, distinct(contenders.values()), strict=True))
    seen: dict[tuple[int, int], count[int]] = {}
    rows = {}
    for run in runs:
        turn = next(seen.setdefault((run["contender"], run["version"]), count(1)))
        rows[run["pk"]] = again_name(name[run["contender"]], turn) if turn > 1 else name[run["contender"]]
    return rows


def again_name(name: str, turn: int = 2) -> str:
    """What the second, third ... run of a contender is called."""
    return f"{name} again" if turn == 2 else f"{name} again {turn}"


def benchmark_names(runs: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Benchmark -> what its samples are called after."""
    labels = {
        run["version__benchmark"]: (
            run["version__benchmark__name"],
            f"{run['version__benchmark__team__name']}/{run['version__benchmark__name']}",
        )
        for run in runs
    }
    return dict(zip(labels, distinct(labels.values()), strict=True))


def runs_with_names(run_ids: Sequence[int]) -> list[dict[str, Any]]:
    """The columns RUN of finished runs, in this order. Raises NotEnoughData for one that is gone."""
    found = {run["pk"]: run for run in Run.objects.filter(pk__in=run_ids, state=Run.State.DONE).values(*RUN)}
    gone = [pk for pk in run_ids if pk not in found]
    if gone or not found:
        raise NotEnoughData(f"Run {gone[0]} has no result." if gone else "There is no finished run.", field="runs")
    return [found[pk] for pk in dict.fromkeys(run_ids)]


def sample_of(run_ids: Sequence[int], name: str) -> tuple[int, int]:
    """(benchmark version, index) of a sample by its name in the table of these runs. Raises NotEnoughData."""
    runs = runs_with_names(run_ids)
    benchmark, _, index = name.rpartition(":")
    versions = {
        called: run["version"]
        for run in reversed(runs)
        for called in [benchmark_names(runs)[run["version__benchmark"]]]
    }
    if benchmark not in versions or not index.isdecimal():
        raise NotEnoughData(f"There is no sample “{name}” in these runs.", field="sample")
    return versions[benchmark], int(index)


def _questions(runs: Sequence[Mapping[str, Any]], any_prompt: bool) -> Questions:
    benchmark_of = {run["version"]: run["version__benchmark"] for run in runs}
    names = benchmark_names(runs)
    several = {one for one in names if list(benchmark_of.values()).count(one) > 1}
    if several and not any_prompt:
        _check_alike([version for version, benchmark in benchmark_of.items() if benchmark in several])
    columns: dict[Any, int] = {}
    found, place = Questions([], [], [], [], {}), {}
    for version, benchmark in benchmark_of.items():
        rows = list(Sample.objects.filter(version=version).order_by("index").values_list(*QUESTION))
        if not rows:
            raise NotEnoughData(f"The questions of {names[benchmark]} are not stored.", field="runs")
        at = np.full(rows[-1][0] + 1, -1)
        met: dict[Any, count[int]] = {}
        for row in rows:
            key = _key(version, benchmark, row, benchmark in several, any_prompt)
            key = (key, next(met.setdefault(key, count())))  # the same question may stand twice in a benchmark
            if key not in columns:
                columns[key] = len(columns)
                found.names.append(f"{names[benchmark]}:{row[0]}")
                found.groups.append(_group(names, benchmark, row[6]))
                found.gold.append(row[4].index(row[5]) if row[5] in row[4] else -1)
                found.sizes.append(len(row[4]))
            at[row[0]] = columns[key]
        place[version] = at
    return Questions(found.names, found.groups, found.gold, found.sizes, place)


QUESTION = ("index", "document_hash", "prompt_hash", "target_hash", "choices", "target", "subject")


def _key(version: int, benchmark: int, row: Sequence[Any], several: bool, any_prompt: bool) -> Any:
    index, document, prompt, target, choices = row[:5]
    return (benchmark, document, "" if any_prompt else prompt, target, tuple(choices)) if several else (version, index)


def _group(names: Mapping[int, str], benchmark: int, subject: str) -> str:
    """The subject where there is one, else the benchmark; both where there are several benchmarks."""
    return f"{names[benchmark]}: {subject}" if subject and len(names) > 1 else subject or names[benchmark]


def _check_alike(versions: Sequence[int]) -> None:
    """Refuse to join versions of a benchmark that ask or read the same documents in different ways."""
    remedy = "Take runs of one version, or ask for different prompts to be joined."
    asked: dict[int, tuple[BenchmarkVersion, dict[str, Any]]] = {}
    for version in BenchmarkVersion.objects.filter(pk__in=versions).select_related("benchmark").order_by("number"):
        how = {name: version.definition.get(name) for name in ASKED_BY}
        first, before = asked.setdefault(version.benchmark_id, (version, how))
        differ = [name for name in ASKED_BY if how[name] != before[name]]
        if differ:
            raise BadTable(f"{first} and {version} differ in {', '.join(differ)}.", field="runs", remedy=remedy)
        mine = Sample.objects.filter(version=version)
        prompts = dict(Sample.objects.filter(version=first).values_list("document_hash", "prompt_hash"))
        if any(
            prompts.get(document, prompt) != prompt
            for document, prompt in mine.values_list("document_hash", "prompt_hash")
        ):
            raise BadTable(f"{first} and {version} ask by different prompts.", field="runs", remedy=remedy)


def answers_of(run_ids: Sequence[int]) -> dict[int, Answers]:
    """What each run answered: one query for all. Raises NotEnoughData."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, [list(run_ids)])
        found = {row[0]: _unpacked(*map(bytes, row[1:])) for row in cursor.fetchall()}
    missing = [pk for pk in run_ids if pk not in found]
    if missing:
        raise NotEnoughData(f"Run {missing[0]} has no scores.", field="runs")
    return found


def _unpacked(index: bytes, choice: bytes, score: bytes, code: bytes, sizes: bytes, arrays: bytes) -> Answers:
    return Answers(
        index=np.frombuffer(index, ">i4").astype(np.int64),
        choice=np.frombuffer(choice, ">i2").astype(np.int64),
        right=np.frombuffer(score, ">f8") >= 1.0,
        code=np.frombuffer(code, ">i8").astype(np.int64),
        log_likelihoods=_numbers(np.frombuffer(sizes, ">i4").astype(np.int64), np.frombuffer(arrays, "u1")),
    )


def _numbers(sizes: NDArray[np.int64], sent: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(sample, choice) from arrays as PostgreSQL sends them, one behind the other; an empty one has a short head."""
    lengths = np.where(sizes > 0, HEAD + ITEM * sizes, EMPTY)
    start = np.cumsum(lengths) - lengths
    found = np.full((len(sizes), int(sizes.max())), -np.inf)
    found[sizes == 0] = np.nan
    for size in np.unique(sizes[sizes > 0]).tolist():
        rows = np.flatnonzero(sizes == size)
        at = start[rows][:, None, None] + HEAD + 4 + ITEM * np.arange(size)[:, None] + np.arange(8)
        found[rows, :size] = sent[at].view(">f8")[:, :, 0]
    return found


def _probabilities(likely: NDArray[np.float64], asked: NDArray[np.bool_], size: int) -> NDArray[np.float64] | None:
    """None where a contender lacks them on some sample that it was asked."""
    if likely.shape[2] == 0:
        return None
    found = probabilities_of(likely)
    if bool(np.isnan(found[asked]).any()):
        return None
    return np.pad(found, ((0, 0), (0, 0), (0, size - likely.shape[2])))
