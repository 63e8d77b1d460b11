"""What the costs say in words: who reaches the best accuracy for less, and what a reader must know beside it."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from evaluation.costs import Cells, CostTable
from evaluation.tables import Floats
from evaluation.uncertainty import paired_difference, two_sided

NAMED = 3  # contenders that a warning lists by name
GUESSES = "cannot be told from guessing, so that its low cost may be worth nothing"


def verdict(names: Sequence[str], found: Cells, *, margin: float, level: float) -> str:
    """The cheapest contender that reaches the accuracy of the best, on the samples where both are defined.

    Of equally accurate ones the dearest is "the best", for it has most to lose. Accuracy is compared in pairs with
    Student's interval, at a level shared out over all comparisons (Bonferroni).
    """
    known = ~np.isnan(found.value)
    rows: list[int] = np.flatnonzero(known.any(axis=1)).tolist()
    if len(rows) < 2:
        return "There is nobody to compare: costs and passes of two contenders are needed."
    mean = {row: (_mean(found.rate[row], known[row]), _mean(found.cost[row], known[row]), names[row]) for row in rows}
    best = max(rows, key=mean.__getitem__)
    shared_level = 1 - (1 - level) / (len(rows) - 1)
    equal, untold = [], []
    for row in rows:
        both = known[row] & known[best]
        if row == best or both.sum() < 2:
            continue
        cheaper = 1 - _ratio(found.cost[row][both].mean(), found.cost[best][both].mean())
        behind = paired_difference(found.rate[best][both], found.rate[row][both], shared_level)
        if cheaper > 0 and (behind.interval.high <= margin and behind.n > 1):
            equal.append((cheaper, names[row]))
        elif cheaper > 0 and behind.interval.low <= 0:
            untold.append((cheaper, names[row], behind.n))
    return _sentence(names[best], max(equal, default=None), max(untold, default=None), margin)


def _sentence(best: str, equal: tuple[float, str] | None, untold: tuple[float, str, int] | None, margin: float) -> str:
    if equal is not None:
        return f"{equal[1]} reaches {best}'s quality, {percent(equal[0])} cheaper (accuracy within {percent(margin)})."
    if untold is not None:
        cheaper, name, samples = untold
        return f"{samples:,} samples cannot tell {name} from {best} in accuracy; {name} is {percent(cheaper)} cheaper."
    return f"{best} is the most accurate, and nobody cheaper reaches its accuracy."


def hole_warnings(table: CostTable, found: Cells) -> list[str]:
    """Contenders that leave the minimum of some samples."""
    holes = np.isnan(found.value).sum(axis=1)
    rows = np.flatnonzero(holes).tolist()
    size = found.value.shape[1]
    said = [
        f"{table.contenders[row]} lacks a cost or a correctness on {holes[row]:,} of {size:,} samples and leaves "
        "their minimum."
        for row in rows[:NAMED]
    ]
    if len(rows) > NAMED:
        more = int(holes[rows[NAMED:]].sum())
        said.append(f"{len(rows) - NAMED} more contenders lack {more:,} samples and leave their minima.")
    return said


def attempt_warnings(table: CostTable, found: Cells) -> list[str]:
    """Pass rates of one attempt are 0 or 1, and a minimum over noisy contenders is too low."""
    most = found.attempts.max(axis=1)
    rows = np.flatnonzero(most == 1).tolist()
    if not rows:
        return []
    who = "Every contender" if len(rows) == most.size and len(rows) > 1 else _some([table.contenders[r] for r in rows])
    verb = "has" if len(rows) == 1 or who == "Every contender" else "have"
    return [f"{who} {verb} one attempt per sample (n = 1): pass rates are 0 or 1, and the frontier is optimistic."]


def guess_warnings(table: CostTable, found: Cells, chance: Floats, level: float) -> list[str]:
    """Contenders whose accuracy on a benchmark lies within the interval of guessing (score test, per sample)."""
    said = []
    for number, guess in enumerate(chance.tolist()):
        rates = found.rate[:, table.benchmark_of == number]
        judged = (~np.isnan(rates)).sum(axis=1)
        if not guess > 0 or not judged.any():
            continue
        for row in np.flatnonzero(judged).tolist():
            reach = two_sided(level) * sqrt(guess * (1 - guess) / judged[row])
            accuracy = float(np.nanmean(rates[row]))
            if accuracy <= guess + reach:
                where = f"{table.contenders[row]} on {table.benchmarks[number]}"
                said.append(f"{where}: accuracy {accuracy:.3f}, chance {guess:.3f}; it {GUESSES}.")
    return said


def expert_warnings(table: CostTable, frontier: Floats, expert: Floats) -> list[str]:
    """What the expert hides, or cannot."""
    said = []
    missing = dict.fromkeys(table.samples[column][0] for column in np.flatnonzero(np.isinf(expert)).tolist())
    if missing:
        said.append(
            f"There is no expert cost of {_some(list(missing))}: an unsolved sample there makes the value infinite."
        )
        return said
    total = np.minimum(frontier, expert).sum()
    share = float(expert[frontier > expert].sum() / total) if total > 0 else 0.0
    if share > 0.5:
        unsolved = percent(float(np.isinf(frontier).mean()), 1)
        said.append(f"{percent(share)} of the value is the expert's: nobody passes {unsolved} of the samples.")
    return said


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _mean(values: Floats, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return float(values[known].mean())


def _ratio(cost: float, reference: float) -> float:
    return cost / reference if reference > 0 else 1.0
