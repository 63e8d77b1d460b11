"""How fast a table of costs loads: 50 contenders x 12,000 samples, beside plain reading of the same rows.

    python -m bench.cost_table [--runs 50] [--samples 12000] [--attempts 1]

Uses throw-away servers. Prints wall and CPU seconds of results.cost_table.cost_table, and of fetching the same columns
row by row.
"""

from __future__ import annotations

import argparse

from bench.score_table import timed
from bench.world import finished_runs, ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--samples", type=int, default=12_000)
    parser.add_argument("--attempts", type=int, default=1)
    options = parser.parse_args()
    ready()
    measure(options.runs, options.samples, options.attempts)


def measure(size: int, samples: int, attempts: int) -> None:
    from django.db import connection

    from webapp.jobs.models import Run
    from webapp.results.cost_table import cost_table

    runs = [run.pk for run in finished_runs(size, samples)]
    Run.objects.update(settings={"attempts": attempts})
    with connection.cursor() as cursor:
        cursor.execute(FILL, [samples, attempts])
        cursor.execute("ANALYZE results_score")
    table, wall, cpu = timed(lambda: cost_table(runs))
    print(f"cost_table, {table.correct.shape}: {wall:.2f} s wall, {cpu:.2f} s CPU")  # type: ignore[attr-defined]
    _, wall, cpu = timed(_plain)
    print(f"the same rows one by one: {wall:.2f} s wall, {cpu:.2f} s CPU")


def _plain() -> int:
    from webapp.results.models import Score

    return len(list(Score.objects.values_list("run", "index", "attempt", "score", "cost_usd", "answer")))


FILL = """
    INSERT INTO results_score (run_id, "index", attempt, score, answer, output, log_likelihoods, cost_usd)
    SELECT run.id, sample, turn, (random() < 0.7)::int, md5(random()::text), '', '{}', random() / 100
    FROM jobs_run run, generate_series(0, %s - 1) sample, generate_series(0, %s - 1) turn
"""

if __name__ == "__main__":
    main()
