"""A platform of real size: 500 contenders x 100 benchmarks, and 10,000,000 scored samples, each a row of its own.

    python -m bench.seed --data /tmp/crosstable-seed [--contenders 500] [--benchmarks 100] [--rows 10000000] [--seed 1]

Keeps a PostgreSQL below the folder, which later calls and `bench.samples` open again; what is there already is left as
it is. Everything is written by COPY, in one transaction. Answers follow a model of abilities and difficulties (Rasch,
1960), so that means, ties and disagreements look like measured ones; the same seed gives the same rows. At the end the
standings are made from the runs by the refresh that a worker does, and the time and the size on disk are printed.
"""

from __future__ import annotations

import argparse
import atexit
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from bench.world import ready
from deploy.local.servers import EmbeddedPostgres

if TYPE_CHECKING:
    from django.db.models import Model

    from webapp.accounts.models import Team, User
    from webapp.catalog.models import BenchmarkVersion, Contender, Suite
    from webapp.jobs.models import Run
    from webapp.leaderboards.models import Leaderboard

M = TypeVar("M", bound="Model")
SCHEMES = ("bf16", "int8", "nf4", "fp8")
LOSS = np.array([0.0, 0.03, 0.15, 0.05])  # of ability, by quantising
LETTERS = "ABCD"
KINDS = 64  # of log-likelihoods and times that are drawn once and used again
SCORE = (
    "run_id, index, attempt, score, answer, output, choice, log_likelihoods, tokens_in, tokens_out, seconds, latency, "
    "cost_usd"
)


@dataclass(frozen=True)
class Size:
    contenders: int
    benchmarks: int
    rows: int
    seed: int = 1
    with_rows: bool = True  # else the runs have their packed scores alone, which boards and analyses read

    @property
    def samples(self) -> int:
        """Of each benchmark."""
        return max(2, self.rows // (self.contenders * self.benchmarks))

    @property
    def name(self) -> str:
        return f"seed-{self.seed}-{self.contenders}x{self.benchmarks}x{self.samples}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that keeps the database")
    parser.add_argument("--contenders", type=int, default=500)
    parser.add_argument("--benchmarks", type=int, default=100)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    keep(options.data)
    ready()
    seeded(Size(options.contenders, options.benchmarks, options.rows, options.seed))


def keep(folder: Path) -> None:
    """The database of this process lives below the folder, and ends with the process."""
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    server = EmbeddedPostgres(folder / "postgres", durable=False).start()
    atexit.register(server.stop)
    os.environ["TEST_DATABASE_URL"] = server.url()


def seeded(size: Size) -> Leaderboard:
    """The board over everything of this size, which is made unless it is there."""
    from django.db import transaction

    from webapp.leaderboards.models import Leaderboard

    found = Leaderboard.objects.select_related("team", "suite").filter(team__name=size.name).first()
    if found is None:
        began = time.perf_counter()
        with transaction.atomic():
            found = _make(size)
        _settle()
        print(f"{size.name}: {time.perf_counter() - began:.0f} s, {_report()}", flush=True)
    return found


def _make(size: Size) -> Leaderboard:
    from webapp.leaderboards.models import Leaderboard

    rng = np.random.default_rng(size.seed)
    user, team = _people(size)
    contenders, suite, versions = _catalog(size, user, team)
    right = _answers(size, rng)
    runs = _runs(contenders, versions, right, user, team)
    _jobs(runs, contenders, suite)
    if size.with_rows:
        _scores(runs, right, rng)
    owned = {"team": team, "created_by": user, "visibility": "public"}
    return Leaderboard.objects.create(
        name="board", title="Seeded board", suite=suite, stale_since=datetime.now(UTC), **owned
    )


def _settle() -> None:
    """What a worker and the database's own housekeeping do after so many runs."""
    from django.db import connection

    from webapp.leaderboards.models import Leaderboard
    from webapp.leaderboards.services import refresh

    for pk in Leaderboard.objects.exclude(stale_since=None).values_list("pk", flat=True):
        refresh(board_id=pk)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _report() -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_database_size(current_database()), pg_relation_size('results_score'),"
            " pg_indexes_size('results_score'), reltuples FROM pg_class WHERE relname = 'results_score'"
        )
        whole, table, keys, rows = cursor.fetchone()
    sizes = f"{whole / 1e6:,.0f} MB on disk (scores {table / 1e6:,.0f} MB, their key {keys / 1e6:,.0f} MB)"
    return f"{rows:,.0f} sample rows, {sizes}"


def _people(size: Size) -> tuple[User, Team]:
    from webapp.accounts.models import User
    from webapp.accounts.services import create_team

    user, _ = User.objects.get_or_create(username="bench", email="bench@example.org")
    return user, create_team(actor=user, name=size.name, title="Bench")


def _catalog(size: Size, user: User, team: Team) -> tuple[list[Contender], Suite, list[BenchmarkVersion]]:
    from webapp.catalog.models import Benchmark, BenchmarkVersion, Contender, EntryVersion, ModelEntry, Suite, SuiteItem

    owned = {"team": team, "created_by": user, "visibility": "public"}
    entries = copied(
        ModelEntry(name=f"entry-{at}", title=f"Entry number {at}", tags=["open", f"size-{at % 5}"], **owned)
        for at in range(-(-size.contenders // len(SCHEMES)))
    )
    made = {"source": "directory", "location": "/models", "parameters": 7 * 10**9, "created_by": user}
    states = copied(EntryVersion(entry=one, number=1, fingerprint=one.name, **made) for one in entries)
    everyone = [
        Contender(version=one, scheme=scheme, name=f"{one.entry.name}@{scheme}") for one in states for scheme in SCHEMES
    ]
    contenders = copied(everyone[: size.contenders])
    benchmarks = copied(Benchmark(name=f"benchmark-{at}", **owned) for at in range(size.benchmarks))
    kind = {"kind": "multiple_choice", "metric": "acc", "samples": size.samples, "chance": 0.25, "created_by": user}
    versions = copied(BenchmarkVersion(benchmark=one, number=1, content_hash=one.name, **kind) for one in benchmarks)
    suite = Suite.objects.create(name="suite", **owned)
    copied(SuiteItem(suite=suite, position=at, version=one) for at, one in enumerate(versions))
    _questions(versions, size.samples)
    return contenders, suite, versions


def _questions(versions: Sequence[BenchmarkVersion], samples: int) -> None:
    from webapp.catalog.models import Sample

    words = "which of these is it, and why is it not one of the others? " * 3
    copied(
        Sample(
            version=one, index=at, document={"at": at}, prompt=f"Question {at}: {words}\nAnswer:",
            choices=list(LETTERS), target=LETTERS[at % 4], subject=f"subject-{at % 57}",
            document_hash=f"{at}", prompt_hash=f"{at}", target_hash=LETTERS[at % 4],
        )
        for one in versions
        for at in range(samples)
    )  # fmt: skip


def _answers(size: Size, rng: np.random.Generator) -> np.ndarray:
    """(contender, benchmark, sample): whether it is right, by skill, hardness and a guess of one in four."""
    families = np.repeat(rng.normal(0.6, 0.9, -(-size.contenders // len(SCHEMES))), len(SCHEMES))[: size.contenders]
    ability = families - LOSS[np.arange(size.contenders) % len(SCHEMES)]
    skill = ability[:, None] + rng.normal(0, 0.3, (size.contenders, size.benchmarks))
    hardness = rng.normal(0, 0.8, size.benchmarks)[:, None] + rng.normal(0, 1.2, (size.benchmarks, size.samples))
    right = np.empty((size.contenders, size.benchmarks, size.samples), dtype=bool)
    for at in range(size.contenders):
        known = 1 / (1 + np.exp(hardness - skill[at][:, None]))
        right[at] = rng.random(known.shape) < 0.25 + 0.75 * known
    return right


@cache
def _measured(right: int, samples: int) -> dict[str, Any]:
    """Fields of a run with so many right answers, as `finish_run` sets them."""
    from evaluation.uncertainty import mean_with_error
    from webapp.results.services import interval

    values = np.arange(samples) < right
    estimate = mean_with_error(values.astype(float))
    low, high = interval(values.astype(float), estimate)
    return {
        "mean": estimate.value, "standard_error": estimate.standard_error, "low": low, "high": high,
        "total": samples, "done": samples, "score_sum": float(right), "tokens_in": 90 * samples, "tokens_out": samples,
        "cost_usd": 2e-5 * samples,
    }  # fmt: skip


def _runs(
    contenders: Sequence[Contender], versions: Sequence[BenchmarkVersion], right: np.ndarray, user: User, team: Team
) -> list[Run]:
    from webapp.jobs.models import Run
    from webapp.results.models import PackedScores
    from webapp.results.packing import pack

    counts, samples = right.sum(axis=2), right.shape[2]
    ended = datetime(2026, 1, 1, tzinfo=UTC)
    made = {
        "team": team, "created_by": user, "visibility": "public", "max_seconds": 3600, "state": Run.State.DONE,
        "reason": f"All {samples} samples are scored.", "attempt": 1, "started_at": ended - timedelta(minutes=1),
        "finished_at": ended, "seconds": 0.05 * samples, "worker": "gpu-0@host",
        "provenance": {"environment": {"lm_eval": "0.4.13", "torch": "2.13.0"}, "seed": 1234, "task_version": "1"},
    }  # fmt: skip
    runs = copied(
        Run(contender=c, version=v, scheme=c.scheme, identity=f"{c.pk}-{v.pk}", **made, **_measured(int(n), samples))
        for c, row in zip(contenders, counts, strict=True)
        for v, n in zip(versions, row, strict=True)
    )
    packed = (pack(scores.astype(float)) for scores in right.reshape(len(runs), samples))
    copied(PackedScores(run=run, dtype=kind, values=data) for run, (kind, data) in zip(runs, packed, strict=True))
    return runs


def _jobs(runs: Sequence[Run], contenders: Sequence[Contender], suite: Suite) -> None:
    """A job for each contender, and two lines in the diary of each run."""
    from webapp.jobs.models import Job, JobRun, RunEvent

    made = {"suite": suite, "team": suite.team, "created_by": suite.created_by, "visibility": "public", "state": "done"}
    jobs = copied(Job(title=f"{one.name} on suite", reason="All runs are done.", **made) for one in contenders)
    of = {contender.pk: job for contender, job in zip(contenders, jobs, strict=True)}
    copied(JobRun(job=of[run.contender_id], run=run) for run in runs)
    lines = (("running", "Claimed by gpu-0@host."), ("done", "All samples are scored."))
    copied(RunEvent(run=run, attempt=1, state=state, text=text) for run in runs for state, text in lines)


def _scores(runs: Sequence[Run], right: np.ndarray, rng: np.random.Generator) -> None:
    from django.db import connection

    answers, samples = right.reshape(len(runs), -1), right.shape[2]
    middles, tails, gold = [f"\t{at}\t0\t" for at in range(samples)], _tails(rng), np.arange(samples) % 4
    with connection.cursor() as cursor, cursor.copy(f"COPY results_score ({SCORE}) FROM STDIN") as copy:
        for run, row in zip(runs, answers, strict=True):
            chosen = (gold + np.where(row, 0, rng.integers(1, 4, samples))) % 4
            kinds = ((row * 4 + chosen) * KINDS + rng.integers(0, KINDS, samples)).tolist()
            start = str(run.pk)
            copy.write("".join([f"{start}{middle}{tails[kind]}" for middle, kind in zip(middles, kinds, strict=True)]))


def _tails(rng: np.random.Generator) -> list[str]:
    """What follows run, index and attempt in a line, by (right, choice, kind)."""
    lines = []
    for right in (0, 1):
        for choice in range(4):
            for likely in rng.uniform(-9, -1.5, (KINDS, 4)).round(4):
                likely[choice] = -1.25
                shown = "{" + ",".join(map(str, likely.tolist())) + "}"
                seconds = 0.03 + 0.04 * rng.random()
                lines.append(
                    f"{right}.0\t{LETTERS[choice]}\t {LETTERS[choice]}\t{choice}\t{shown}\t90\t1\t{seconds:.4f}\t"
                    f"{8 * seconds:.4f}\t{seconds / 3600:.7f}\n"
                )
    return lines


def copied(rows: Iterable[M]) -> list[M]:
    """Rows of one model written by COPY, with keys as the database would give them."""
    from django.db import connection

    made = list(rows)
    model = type(made[0])
    fields, key = model._meta.concrete_fields, model._meta.pk
    names = ", ".join(f'"{field.column}"' for field in fields)
    with connection.cursor() as cursor:
        if key.get_internal_type() == "BigAutoField":
            for one, number in zip(made, _keys(cursor, model, len(made)), strict=True):
                one.pk = number
        with cursor.copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy:
            prepared: list[Callable[[M], Any]] = [_prepared(field, connection) for field in fields]
            for one in made:
                copy.write_row([value(one) for value in prepared])
    return made


def _prepared(field: Any, connection: Any) -> Callable[[Any], Any]:
    return lambda one: field.get_db_prep_save(field.pre_save(one, add=True), connection)


def _keys(cursor: Any, model: type[Model], count: int) -> Iterator[int]:
    key = model._meta.pk.column
    sequence = "nextval(pg_get_serial_sequence(%s, %s))"
    cursor.execute(f"SELECT {sequence} FROM generate_series(1, %s)", [model._meta.db_table, key, count])  # noqa: S608
    return iter([row[0] for row in cursor.fetchall()])


if __name__ == "__main__":
    main()
