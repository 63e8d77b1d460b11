"""How fast the Swiss tournament is: `python -m bench.swiss`. Single-thread CPU seconds, all measured in this run.

The naive loop plays fewer tournaments and its time is scaled up; the table says so. The other two play all of them.
Memory is the peak of what Python and numpy allocate during a whole analysis, above the imports.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.analyses.swiss import SwissParams, compute
from evaluation.analyses.tournament.plan import seat_plan
from evaluation.analyses.tournament.rounds import Places
from evaluation.analyses.tournament.simulation import simulate
from evaluation.tables import BenchmarkTable

ITERATIONS = 100_000
NAIVE_ITERATIONS = 1_000
MEMORY_ITERATIONS = 20_000  # more than one block, so as much as any number needs at once
REPEATS = 3
SIZES = ((29, 12), (30, 40))
LARGE = (1_000, 25)


def main() -> None:
    """Print the comparison, then times and memory of whole analyses."""
    print(f"CPU seconds, N = {ITERATIONS:,}, T = 0 (naive loop: {NAIVE_ITERATIONS:,} tournaments, scaled)\n")
    print(
        f"{'M':>5} {'K':>3}  {'naive loop':>10}  {'sort by key':>11}  {'seat plan':>9}  {'x naive':>8}  {'x sort':>6}"
    )
    for contenders, rounds in SIZES:
        print(compared(contenders, rounds))
    print()
    table = random_table(29, 12)
    params = SwissParams(iterations=ITERATIONS)
    print(f"whole analysis, M=29 K=12, T = 0, 1 and 2, with crosstable: {cpu(lambda: compute(table, params)):.2f} s")
    large = random_table(*LARGE)
    once = SwissParams(iterations=ITERATIONS // 10, eliminate="0", crosstable=False)
    seconds = cpu(lambda: compute(large, once), repeats=1)
    print(f"whole analysis, M={LARGE[0]:,} K={LARGE[1]}, T = 0, N = {ITERATIONS // 10:,}: {seconds:.2f} s")
    for size in ((29, 12), LARGE):
        print(f"peak memory, M={size[0]:,} K={size[1]}: {memory(*size):.0f} MB")


def compared(contenders: int, rounds: int) -> str:
    """One line: three ways to play the same tournament."""
    places = np.argsort(np.random.default_rng(1).random((rounds, contenders)), axis=1).astype(np.uint8)
    plan, strengths = seat_plan(contenders, [0] * rounds), [Places(row, tied=False) for row in places]
    seats = cpu(lambda: simulate(plan, strengths, ITERATIONS, 1))
    by_key = cpu(lambda: sort_by_key(places, ITERATIONS, np.random.default_rng(1)))
    naive = cpu(lambda: naive_loop(places.tolist(), NAIVE_ITERATIONS, Random(1))) * ITERATIONS / NAIVE_ITERATIONS
    ratios = f"{naive / seats:8.0f}  {by_key / seats:6.1f}"
    return f"{contenders:5} {rounds:3}  {naive:10.1f}  {by_key:11.2f}  {seats:9.2f}  {ratios}"


def naive_loop(places: list[list[int]], iterations: int, rng: Random) -> list[int]:
    """Pure Python with precomputed scores: shuffle each points group, play neighbours. Returns total points."""
    contenders = len(places[0])
    total = [0] * contenders
    for _ in range(iterations):
        points = [0] * contenders
        for strength in places:
            groups: dict[int, list[int]] = {}
            for contender in range(contenders):
                groups.setdefault(points[contender], []).append(contender)
            for group in groups.values():
                rng.shuffle(group)
                for index in range(0, len(group) - 1, 2):
                    first, second = group[index], group[index + 1]
                    points[first if strength[first] > strength[second] else second] += 1
        for contender, earned in enumerate(points):
            total[contender] += earned
    return total


def sort_by_key(
    places: NDArray[Any], iterations: int, rng: np.random.Generator, chunk: int = 16_384
) -> NDArray[np.int64]:
    """Numpy: order every row by (points, noise) in one sort and pair equal neighbours. Returns total points."""
    contenders = places.shape[1]
    total = np.zeros(contenders, dtype=np.int64)
    for start in range(0, iterations, chunk):
        simulations = min(chunk, iterations - start)
        points = np.zeros((simulations, contenders), dtype=np.int64)
        for strength in places:
            order = np.argsort(points + rng.random(points.shape), axis=1)
            ordered = np.take_along_axis(points, order, axis=1)
            index = np.arange(contenders)
            begins = np.where(np.diff(ordered, axis=1, prepend=-1) != 0, index, 0)
            even = (index - np.maximum.accumulate(begins, axis=1)) % 2 == 0
            paired = even[:, :-1] & (ordered[:, :-1] == ordered[:, 1:])
            lane, left = np.nonzero(paired)
            first, second = order[lane, left], order[lane, left + 1]
            points[lane, np.where(strength[first] > strength[second], first, second)] += 1
        total += points.sum(axis=0)
    return total


def cpu(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Least CPU seconds of a few runs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def memory(contenders: int, rounds: int) -> float:
    """Peak megabytes of a whole analysis."""
    table = random_table(contenders, rounds)
    tracemalloc.start()
    compute(table, SwissParams(iterations=MEMORY_ITERATIONS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def random_table(contenders: int, rounds: int) -> BenchmarkTable:
    """A complete table without ties."""
    names = tuple(f"contender {number}" for number in range(contenders))
    benchmarks = tuple(f"benchmark {number}" for number in range(rounds))
    return BenchmarkTable(names, benchmarks, np.random.default_rng(1).random((contenders, rounds)))


if __name__ == "__main__":
    main()
