"""How fast contenders are compared: `python -m bench.multiplicity`. CPU seconds, naive numpy measured in the same run.

1,000 contenders x 100,000 samples. The naive ways loop over contenders with plain arrays; over pairs and samples they
do a part of the work and their time is scaled up, which the table says. Memory is the peak above the input.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.analyses.competing.agreement import rarefied
from evaluation.analyses.competing.capacity import binary_capacity, capacities
from evaluation.bits import counts, differing, pair_counts, planes
from evaluation.uncertainty import holm, mcnemar_exact

CONTENDERS, SAMPLES = 1_000, 100_000
PAIRS = CONTENDERS * (CONTENDERS - 1) // 2
LOOPED = 30  # contenders whose pairs the naive loop compares
PROBABLE = (100, 14_000, 4)  # contenders, samples, choices of the capacity


def main() -> None:
    """Print the table."""
    print(f"{CONTENDERS:,} contenders x {SAMPLES:,} samples, CPU seconds (naive pairs: {LOOPED} contenders, scaled)\n")
    print(f"{'':44}  {'packed':>8}  {'naive':>8}  {'x':>6}")
    for choices in (2, 4):
        answers(choices)
    paired()
    capacity()


def answers(choices: int) -> None:
    """Ambiguity and discrepancy of one baseline, then all pairs."""
    labels = opinions(choices)
    words, packing = cpu(lambda: planes(labels))
    print(f"{f'packing the answers, K={choices}':44}  {packing:8.3f}")
    found, fast = cpu(lambda: baseline_report(words), repeats=3)
    expected, slow = cpu(lambda: naive_baseline(labels))
    assert found == expected
    line(f"ambiguity and discrepancy, K={choices}", fast, slow)
    apart, fast = cpu(lambda: pair_counts(words))
    some, slow = cpu(lambda: naive_pairs(labels[:LOOPED]))
    assert (apart[:LOOPED, :LOOPED] == some).all()
    line(f"disagreement of all {PAIRS:,} pairs, K={choices}", fast, slow * PAIRS / (LOOPED * (LOOPED - 1) / 2))
    if choices == 2:
        print(f"{'  peak memory of it':44}  {memory(lambda: pair_counts(words)):5.0f} MB")
        dissenters = (labels[1:] != labels[0]).sum(axis=0)
        line("rarefaction to every size", cpu(lambda: rarefied(dissenters, CONTENDERS - 1), repeats=3)[1])


def paired() -> None:
    """Exact McNemar of all pairs, from right and wrong to adjusted p."""
    right = opinions(2) == 1
    line(f"exact McNemar of all {PAIRS:,} pairs, Holm", cpu(lambda: all_tests(right))[1])


def capacity() -> None:
    """Two choices in closed form, four by Newton's method, beside the plain iteration for as long as it takes."""
    rng = np.random.default_rng(1)
    two = rng.random(PROBABLE[:2])
    line(f"capacity, K=2, {PROBABLE[0]} x {PROBABLE[1]:,}", cpu(lambda: binary_capacity(two), repeats=3)[1])
    size, samples, choices = PROBABLE
    common = rng.normal(size=(samples, choices)) * 2
    rows = np.exp(common + 0.8 * rng.normal(size=(size, samples, choices)))
    rows /= rows.sum(axis=2, keepdims=True)
    (_, gap), fast = cpu(lambda: capacities(rows))
    every = samples // 20
    _, slow = cpu(lambda: [blahut_arimoto(rows[:, sample]) for sample in range(0, samples, every)])
    line(f"capacity, K={choices}, {size} x {samples:,} (naive: 20, scaled)", fast, slow * every)
    print(f"  largest certified error {gap.max():.1e} bits; the naive way stops at 1e-4 or after 2,000 steps")


def opinions(choices: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(contender, sample) answers that follow one opinion seven times in ten."""
    rng = np.random.default_rng(1)
    opinion = rng.integers(0, choices, size=SAMPLES, dtype=np.uint8)
    labels = np.empty((CONTENDERS, SAMPLES), dtype=np.uint8)
    for row in labels:
        row[:] = np.where(rng.random(SAMPLES) < 0.7, opinion, rng.integers(0, choices, size=SAMPLES, dtype=np.uint8))
    return labels


def baseline_report(words: Any) -> tuple[int, int]:
    changed = differing(words, 0)
    return int(counts(np.bitwise_or.reduce(changed, axis=0))), int(counts(changed).max())


def naive_baseline(labels: Any) -> tuple[int, int]:
    changed = labels != labels[0]
    return int(changed.any(axis=0).sum()), int(changed.sum(axis=1).max())


def naive_pairs(labels: Any) -> np.ndarray[Any, Any]:
    found = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for first in range(len(labels)):
        for second in range(first + 1, len(labels)):
            found[first, second] = found[second, first] = (labels[first] != labels[second]).sum()
    return found


def all_tests(right: Any) -> np.ndarray[Any, Any]:
    correct = right.sum(axis=1)
    wins = (pair_counts(planes(right)) + correct[:, None] - correct[None, :]) // 2
    pairs = np.triu_indices(len(right), 1)
    return holm(mcnemar_exact(wins[pairs], wins.T[pairs]))


def blahut_arimoto(rows: Any) -> float:
    """The textbook iteration for one sample; bits."""
    weights = np.full(len(rows), 1 / len(rows))
    for _ in range(2_000):
        divergence = (rows * np.log2(rows / (weights @ rows))).sum(axis=1)
        if divergence.max() - weights @ divergence < 1e-4:
            break
        weights = weights * np.exp2(divergence - divergence.max())
        weights /= weights.sum()
    return float(weights @ divergence)


def cpu(work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """What it returns, and the least CPU seconds of a few runs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def memory(work: Callable[[], Any]) -> float:
    """Peak megabytes that Python and numpy allocate."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def line(what: str, fast: float, slow: float | None = None) -> None:
    beside = "" if slow is None else f"  {slow:8.2f}  {slow / fast:6.0f}"
    print(f"{what:44}  {fast:8.3f}{beside}", flush=True)


if __name__ == "__main__":
    main()
