"""How fast the compare page opens: 6 contenders x 12,000 samples, every score a row of its own.

    python -m bench.compare [--contenders 6] [--samples 12000]

Uses throw-away servers. Prints the seconds (median and slowest of ten), queries and bytes of the page, of a filter deep
in the list, of a search, of one sample and of the REST answer.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from bench.world import finished_runs, ready

if TYPE_CHECKING:
    from django.http import HttpResponse

    from webapp.jobs.models import Run

TIMES = 10
COLUMNS = "run_id, index, attempt, score, answer, output, choice, log_likelihoods, tokens_in, tokens_out, seconds"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contenders", type=int, default=6)
    parser.add_argument("--samples", type=int, default=12_000)
    options = parser.parse_args()
    ready()
    runs = finished_runs(options.contenders, options.samples)
    fill(runs, options.samples)
    measure(runs, options.samples)


def fill(runs: list[Run], samples: int) -> None:
    """Questions of 57 subjects, and a row for each packed score: wrong answers differ among each other."""
    from django.db import connection

    from webapp.catalog.models import Sample
    from webapp.results.selectors import packed_scores

    version, packed = runs[0].version_id, packed_scores(runs)
    hashes = {"document_hash": "", "prompt_hash": "", "target_hash": ""}
    questions = (
        Sample(
            version_id=version, index=i, document={}, prompt=f"Question {i}: " + "some words " * 30 + f"\nAnswer {i}:",
            choices=list("abcd"), target="a", subject=f"subject-{i % 57}", **hashes,
        )
        for i in range(samples)
    )  # fmt: skip
    Sample.objects.bulk_create(questions, batch_size=5_000)
    rng = np.random.default_rng(2)
    likelihoods = [-1.0, -2.0, -3.0, -4.0]
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY results_score ({COLUMNS}) FROM STDIN") as copy:
            for run in runs:
                for i, score in enumerate(packed[run.pk].ravel().tolist()):
                    choice = 0 if score else int(rng.integers(1, 4))
                    copy.write_row((run.pk, i, 0, score, "abcd"[choice], "so it is ", choice, likelihoods, 90, 3, 0.01))
        cursor.execute("ANALYZE")


def measure(runs: list[Run], samples: int) -> None:
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from webapp.accounts.models import User

    call_command("collectstatic", interactive=False, verbosity=0)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="bench"))
    version = runs[0].version_id
    query = f"benchmark={version}&contenders=" + ",".join(str(run.contender_id) for run in runs)
    addresses = {
        "page": f"/compare/?{query}",
        "filter, deep": f"/compare/?{query}&filter=disagree&after={version}-{samples * 9 // 10}",
        "search": f"/compare/?{query}&q=Answer+9",
        "sample": f"/compare/samples/{version}/{samples // 2}/?{query}&filter=disagree",
        "REST": f"/api/v1/compare/?{query}",
    }
    print(f"{len(runs)} contenders x {samples:,} samples")
    for name, address in addresses.items():
        spent = []
        for _ in range(TIMES):
            with CaptureQueriesContext(connection) as queries:
                start = time.perf_counter()
                answer = client.get(address)
                spent.append(time.perf_counter() - start)
            assert answer.status_code == 200, (name, answer.status_code)
        middle, slowest = 1e3 * np.median(spent), 1e3 * max(spent)
        print(f"{name:13} {middle:6.0f} ms, slowest {slowest:6.0f} ms, {len(queries)} queries, {_size(answer)}")


def _size(answer: HttpResponse) -> str:
    return f"{len(answer.content) / 1e3:.0f} kB"


if __name__ == "__main__":
    main()
