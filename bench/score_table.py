"""How fast a table of contenders x samples loads: 1,000 runs x 12,000 samples, beside plain numpy.

    python -m bench.score_table [--runs 1000] [--samples 12000]

Uses throw-away servers. Prints wall and CPU seconds of results.selectors.score_table, of its reading part, and of
building the same matrix with numpy alone from bytes in memory: the floor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from bench.world import finished_runs, ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=12_000)
    options = parser.parse_args()
    ready()
    measure(options.runs, options.samples)


def measure(size: int, samples: int) -> None:
    from webapp.results.selectors import packed_scores, score_table

    runs = finished_runs(size, samples)
    _, wall, cpu = timed(lambda: score_table(runs))
    print(f"score_table, {size} runs x {samples} samples: {wall:.2f} s wall, {cpu:.2f} s CPU")
    packed, wall, cpu = timed(lambda: packed_scores(runs))
    print(f"  of it reading the packed rows: {wall:.2f} s wall, {cpu:.2f} s CPU")
    raw = [values.tobytes() for values in packed.values()]
    _, plain, _ = timed(lambda: np.stack([np.frombuffer(data) for data in raw]))
    print(f"numpy alone, the same numbers from memory: {plain:.2f} s wall")


def timed(action: Callable[[], object]) -> tuple[object, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
