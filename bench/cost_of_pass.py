"""How fast costs are put together: `python -m bench.cost_of_pass`. CPU seconds, naive ways measured in the same run.

1,000 contenders x 12,000 samples x 1 attempt: frontier, drop-one for every contender, essentialness of 20 families.
50 x 12,000: 10,000 bootstrap resamples. The naive ways recompute everything each time; they do a part of the work and
their time is scaled up, which the table says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from evaluation.analyses.cost_of_pass import CostOfPassParams, compute
from evaluation.analyses.economics.bootstrap import intervals
from evaluation.analyses.economics.frontier import benchmark_value, frontier, least, values_without
from evaluation.costs import CostTable, cells

CONTENDERS, SAMPLES, FAMILIES = 1_000, 12_000, 20
FEW, RESAMPLES = 50, 10_000
DROPPED, REDRAWN = 10, 50  # what the naive ways do of the work
EXPERT = np.full(SAMPLES, 20.0)


def main() -> None:
    """Print the table."""
    print(f"CPU seconds (naive: {DROPPED} of {CONTENDERS:,} drops, {REDRAWN} of {RESAMPLES:,} resamples, scaled)\n")
    print(f"{'':60}  {'ours':>8}  {'naive':>8}  {'x':>6}")
    large = random_table(CONTENDERS, 1)
    found, seconds = cpu(lambda: cells(large.correct, large.cost_usd), repeats=3)
    line(f"cost-of-pass of {CONTENDERS:,} x {SAMPLES:,}", seconds)
    without, fast = cpu(lambda: leave_one_out(found.value), repeats=3)
    some, slow = cpu(lambda: naive_leave_one_out(found.value))
    assert np.allclose(without[:DROPPED], some)
    line("frontier, and drop-one for every contender", fast, slow * CONTENDERS / DROPPED)
    line(f"essentialness of {FAMILIES} families", cpu(lambda: leave_families_out(large, found.value), repeats=3)[1])
    once = CostOfPassParams(bootstrap=0)
    line("the whole analysis without intervals", cpu(lambda: compute(large, once))[1])
    for attempts in (1, 4):
        bootstrap(attempts)


def bootstrap(attempts: int) -> None:
    """Intervals of V and of every contender's value, accuracy and mean cost."""
    table = random_table(FEW, attempts)
    drawn, fast = cpu(lambda: intervals(table, EXPERT, resamples=RESAMPLES, level=0.95, seed=1))
    slow = cpu(lambda: naive_bootstrap(table))[1] * RESAMPLES / REDRAWN
    line(f"{RESAMPLES:,} resamples, {FEW} x {SAMPLES:,} x {attempts}", fast, slow)
    print(f"  V with expert: 95 % {drawn.frontier[0]:.4f} to {drawn.frontier[1]:.4f}")


def leave_one_out(value: Any) -> np.ndarray[Any, Any]:
    return values_without(frontier(value), EXPERT, len(value))


def naive_leave_one_out(value: Any) -> list[float]:
    kept = np.arange(len(value))
    return [np.minimum(value[kept != row].min(axis=0), EXPERT).mean() for row in range(DROPPED)]


def leave_families_out(table: CostTable, value: Any) -> list[float]:
    rows = dict(zip(table.contenders, value, strict=True))
    return [
        benchmark_value(least((own for name, own in rows.items() if name not in set(gone)), SAMPLES), EXPERT)
        for gone in table.families.values()
    ]


def naive_bootstrap(table: CostTable) -> list[float]:
    """Draw samples, then attempts inside each, and compute the value of what was drawn."""
    rng = np.random.default_rng(1)
    contenders, samples, attempts = table.correct.shape
    found = []
    for _ in range(REDRAWN):
        columns = rng.integers(0, samples, size=samples)
        right, price = table.correct[:, columns], table.cost_usd[:, columns]
        pick = rng.integers(0, attempts, size=(contenders, samples, attempts))
        right, price = np.take_along_axis(right, pick, axis=2), np.take_along_axis(price, pick, axis=2)
        with np.errstate(divide="ignore"):
            found.append(np.minimum((price.mean(axis=2) / right.mean(axis=2)).min(axis=0), EXPERT).mean())
    return found


def random_table(contenders: int, attempts: int) -> CostTable:
    """Contenders of all skills and prices."""
    rng = np.random.default_rng(1)
    shape = (contenders, SAMPLES, attempts)
    skill, price = rng.uniform(0.05, 0.6, (contenders, 1, 1)), rng.lognormal(-4, 2, (contenders, 1, 1))
    difficulty = rng.uniform(0, 1, (1, SAMPLES, 1))
    names = tuple(f"contender {number}" for number in range(contenders))
    return CostTable(
        contenders=names,
        benchmarks=("all",),
        samples=tuple(("all", str(number)) for number in range(SAMPLES)),
        correct=(rng.random(shape) < skill * difficulty).astype(np.float64),
        cost_usd=price * rng.lognormal(0, 0.5, shape),
        expert_cost_usd=np.array([20.0]),
        families={f"family {number}": names[number::FAMILIES] for number in range(FAMILIES)},
    )


def cpu(work: Callable[[], Any], repeats: int = 1) -> tuple[Any, float]:
    """What it returns, and the least CPU seconds of a few runs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def line(what: str, fast: float, slow: float | None = None) -> None:
    beside = "" if slow is None else f"  {slow:8.1f}  {slow / fast:6.0f}"
    print(f"{what:60}  {fast:8.3f}{beside}", flush=True)


if __name__ == "__main__":
    main()
