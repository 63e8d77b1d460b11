"""How fast a page of samples answers anywhere in a table of 100,000, 1,000,000 and 10,000,000 scores.

    python -m bench.samples [--data /tmp/crosstable-seed] [--requests 60] [--rows 100000 1000000 10000000]

Seeds what is not there yet (bench.seed; minutes for the largest), so that the table grows from one measurement to the
next. Without --data it is a platform that is thrown away, by default only the smallest. Runs at both ends and in the
middle of the table, and one of 20,000 samples; requests go through the whole stack of middleware in this process.
Beside it: a plain Django page that makes one query, every time as a ratio to it, and processor time, which says more
than the clock where others are at work. What misses its bar is marked.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from bench.seed import Size, keep, seeded
from bench.timing import as_in_production, cpu_ms, get, over, p95, plain_page, queries, times
from bench.world import ready

if TYPE_CHECKING:
    from webapp.jobs.models import Run
    from webapp.leaderboards.models import Leaderboard

SIZES = {100_000: (50, 10), 1_000_000: (200, 25), 10_000_000: (500, 100)}  # rows -> contenders, benchmarks
LONG = Size(contenders=5, benchmarks=1, rows=100_000)
BAR_MS = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder of bench.seed")
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--rows", type=int, nargs="+", choices=SIZES)
    options = parser.parse_args()
    if options.data:
        keep(options.data)
    ready()
    as_in_production()
    floor = plain_page(options.requests)
    print(f"plain page, one query: p50 {floor:.1f} ms")
    long = _runs(seeded(LONG))[0]
    for rows in options.rows or _sizes(options.data):
        board = seeded(Size(*SIZES[rows], rows))
        used = cpu_ms(lambda: get("/plain/"), options.requests)
        print(f"--- {_table():,} rows; the plain page takes {used:.1f} ms of processor")
        for name, address in _addresses(_runs(board), long).items():
            _measure(name, address, options.requests, floor)


def _sizes(data: Path | None) -> list[int]:
    if data:
        return list(SIZES)
    smallest = min(SIZES)
    print(f"a throw-away platform of {smallest:,} scores; --data FOLDER keeps one, and measures larger ones, too")
    return [smallest]


def _runs(board: Leaderboard) -> list[Run]:
    """Of the first, the middle and the last rows of its part of the table."""
    from webapp.jobs.models import Run

    keys = list(Run.objects.filter(team=board.team).order_by("pk").values_list("pk", flat=True))
    found = Run.objects.in_bulk([keys[0], keys[len(keys) // 2], keys[-1]])
    return [found[pk] for pk in sorted(found)]


def _table() -> int:
    from webapp.results.models import Score

    return Score.objects.count()


def _addresses(runs: list[Run], long: Run) -> dict[str, str]:
    first, middle, last = (f"/runs/{run.pk}/samples/" for run in runs)
    end, far = runs[-1].done, f"/runs/{long.pk}/samples/"
    return {
        "first page": first,
        "middle page": f"{middle}?after={end // 2}",
        "last page": f"{last}?after={end - 50}",
        "wrong ones": f"{last}?outcome=wrong&after={end // 2}",
        "one sample": f"{last}{end // 2}/",
        "20,000: first page": far,
        "20,000: last page": f"{far}?after={long.done - 50}",
        "20,000: wrong, deep": f"{far}?outcome=wrong&after={long.done - 500}",
        "20,000: found, deep": f"{far}?q=Question+19&after={long.done - 900}",
        "20,000: found, rare": f"{far}?q=Question+19777",
        "20,000: one sample": f"{far}{long.done - 5}/",
    }


def _measure(name: str, address: str, requests: int, floor: float) -> None:
    get(address)
    taken, used = times(lambda: get(address), requests), cpu_ms(lambda: get(address), requests)
    print(
        f"{name:<20} p50 {statistics.median(taken):5.1f} ms, p95 {p95(taken):5.1f} ms, "
        f"{statistics.median(taken) / floor:4.1f} x the plain page; {used:5.1f} ms of processor, "
        f"{queries(address)} queries{over(p95(taken), BAR_MS)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
