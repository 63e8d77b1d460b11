"""How fast a table of scores is imported, and in how much memory: 1,000,000 rows, beside COPY of the same values alone.

    python -m bench.importing [--rows 1000000] [--entries 10]

Uses throw-away servers, and reads in a process of its own, whose highest memory is that of the import alone. The
baseline copies rows that are ready in a file, with nothing read, checked, packed or known about them: the floor.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.world import ready
from evaluation.importing.cells import cells
from evaluation.importing.rows import NAMES, Row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--entries", type=int, default=10)
    parser.add_argument("--read", type=int, help="the import to read, in the process that is measured")
    options = parser.parse_args()
    if options.read:
        read(options.read)
        return
    ready()
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        write(Path(file.name), options.rows, options.entries)
        measure(Path(file.name), options.rows)
    floor()


def rows(size: int, entries: int) -> Iterator[Row]:
    """Multiple choice with likelihoods, an answer in words, tokens, times and cost; each prompt is written once."""
    chance, samples = random.Random(1), size // entries
    for at in range(size):
        entry, sample = divmod(at, samples)
        yield Row(
            entry=f"entry-{entry}",
            benchmark="sums",
            sample=sample,
            score=float(chance.random() < 0.6),
            version=1,
            scheme="bf16",
            metric="acc",
            answer="B",
            output="The answer is B, as both sides are even.",
            choice=1,
            log_likelihoods=tuple(-9 * chance.random() for _ in range(4)),
            tokens_in=90,
            tokens_out=12,
            seconds=chance.random(),
            latency=chance.random(),
            cost_usd=chance.random() / 1000,
            prompt="" if entry else f"Question {sample}: which of these is it, and why is it not one of the others?",
            target="" if entry else "B",
        )


def write(path: Path, size: int, entries: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows(map(cells, rows(size, entries)))


def measure(path: Path, size: int) -> None:
    from webapp.accounts.models import User
    from webapp.accounts.services import create_team
    from webapp.imports import services
    from webapp.imports.models import Import
    from webapp.imports.services import ImportRequest
    from webapp.results.models import Score

    actor = User.objects.create(username="bench", email="bench@example.org")
    team = create_team(actor=actor, name="bench", title="Bench")
    request = ImportRequest(name=path.name, size=path.stat().st_size)
    began = time.perf_counter()
    job, _ = services.begin_import(actor=actor, team=team, request=request)
    with path.open("rb") as file:
        while data := file.read(4 * 2**20):
            job = services.append_chunk(actor=actor, job=job, offset=job.received, data=data)
    services.finish_upload(actor=actor, job=job)
    print(f"upload of {request.size / 1e6:.0f} MB in pieces: {time.perf_counter() - began:.1f} s wall")
    subprocess.run([sys.executable, "-m", "bench.importing", "--read", str(job.pk)], check=True)
    job = Import.objects.get(pk=job.pk)
    assert job.state == "done", job.reason
    assert Score.objects.count() == size


def read(pk: int) -> None:
    import django

    django.setup()
    from webapp.imports import work

    wall, cpu = time.perf_counter(), time.process_time()
    work.work_on(import_id=pk)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"import: {wall:.1f} s wall, {cpu:.1f} s of this process, {peak:.0f} MB at most")


def floor() -> None:
    """COPY of the same scores from and to PostgreSQL, into a table with the same keys."""
    from django.db import connection, transaction

    with tempfile.TemporaryFile() as file, connection.cursor() as cursor:
        with cursor.copy("COPY results_score TO STDOUT") as copy:
            for data in copy:
                file.write(data)
        size = file.tell()
        file.seek(0)
        with transaction.atomic():
            cursor.execute("DELETE FROM results_score")
        began = time.perf_counter()
        with transaction.atomic(), cursor.copy("COPY results_score FROM STDIN") as copy:
            while data := file.read(2**20):
                copy.write(data)
        print(f"COPY alone of the same {size / 1e6:.0f} MB: {time.perf_counter() - began:.1f} s wall")


if __name__ == "__main__":
    main()
