"""What a comparison says, in sentences: who is better, who is equal, and who cannot be told apart by these samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isfinite

from evaluation.side_by_side import Pair, SideBySide


def verdict(found: SideBySide, names: Sequence[str]) -> str:
    """The first sentence of a page: of one pair, of all against a baseline, or of a whole family."""
    if len(names) == 2:
        return of_pair(found, found.pairs[0], names)
    if found.baseline is not None:
        return _against_baseline(found, names, found.baseline)
    return _of_family(found, names)


def flips(found: SideBySide, names: Sequence[str]) -> str:
    """How many answers change although the means are close: the pair in which most is hidden."""
    pair = max(found.pairs, key=lambda pair: pair.answers_changed / found.n - abs(pair.difference))
    share, low, high = (
        _share(value) for value in (pair.answers_changed / found.n, pair.changed_low, pair.changed_high)
    )
    first, second = names[pair.first], names[pair.second]
    said = f"{first} and {second} differ by {_points(abs(pair.difference))} in the mean"
    if not pair.answers_changed:
        return f"{said} and give the same answer to every sample."
    return (
        f"{said}, and in their answers on {pair.answers_changed:,} of {found.n:,} samples ({share}, {low} to {high})."
    )


def of_pair(found: SideBySide, pair: Pair, names: Sequence[str]) -> str:
    """One pair of the family in words, by its adjusted p."""
    first, second = names[pair.first], names[pair.second]
    low, high = pair.low, pair.high
    ends = f"{found.level * 100:g} % interval"
    if _is_different(found, pair):
        better = first
        if pair.difference < 0:
            better, low, high = second, -high, -low
        return f"{better} is better by {_points(abs(pair.difference))}, {ends} {_number(low)} to {_number(high)}."
    if _is_equal(found, pair):
        p = f"p = {pair.equivalence_adjusted:.2g}"
        return f"{first} and {second} are equal within {_points(found.margin)} (two one-sided tests, {p})."
    return f"No difference that {found.n:,} samples could show{_would(found, [pair])}."


def _of_family(found: SideBySide, names: Sequence[str]) -> str:
    order = sorted(range(len(names)), key=lambda row: -found.mean[row])
    leader, others = order[0], order[1:]
    by_other = {
        (pair.first if pair.second == leader else pair.second): pair
        for pair in found.pairs
        if leader in (pair.first, pair.second)
    }
    behind = [row for row in others if _is_different(found, by_other[row])]
    beside = [row for row in others if row not in behind]
    family = f"over {len(found.pairs)} comparisons"
    if not beside:
        return f"{names[leader]} is best: better than each of the others, by Holm’s test {family}."
    group = listed([names[row] for row in (leader, *beside)])
    open_pairs = [by_other[row] for row in beside]
    if not behind:
        return f"No difference that {found.n:,} samples could show between {group}{_would(found, open_pairs)}."
    worse = listed([names[row] for row in behind])
    told = f"{group} lead and cannot be told apart by {found.n:,} samples{_would(found, open_pairs)}"
    return f"{told}; {names[leader]} is better than {worse}, by Holm’s test {family}."


def _against_baseline(found: SideBySide, names: Sequence[str], baseline: int) -> str:
    parts: dict[str, list[str]] = {"better": [], "worse": [], "equal within the margin": [], "not told apart": []}
    for pair in found.pairs:
        difference = f"{names[pair.first]} ({_signed(pair.difference)})"
        if _is_different(found, pair):
            parts["better" if pair.difference > 0 else "worse"].append(difference)
        else:
            parts["equal within the margin" if _is_equal(found, pair) else "not told apart"].append(difference)
    said = "; ".join(f"{key}: {listed(rows)}" for key, rows in parts.items() if rows)
    return f"Against {names[baseline]}, in points: {said}."


def _is_different(found: SideBySide, pair: Pair) -> bool:
    return pair.p_adjusted <= 1 - found.level


def _is_equal(found: SideBySide, pair: Pair) -> bool:
    return pair.equivalence_adjusted <= 1 - found.level


def _would(found: SideBySide, pairs: Sequence[Pair]) -> str:
    """How many samples would show what is open, if what is seen is real; nothing where nothing is seen."""
    needed = max(pair.samples_needed for pair in pairs)
    if not isfinite(needed):
        return "" if len(pairs) > 1 else ": the means are equal"
    if needed <= found.n:
        return f", as one of {len(found.pairs)} comparisons"
    return f"; about {rounded(needed):,} would, if the difference seen is real"


def rounded(samples: float) -> int:
    """To two digits, upwards: a planned number is no more exact than its guess."""
    size: int = 10 ** max(0, len(str(ceil(samples))) - 2)
    return ceil(samples / size) * size


def listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _number(value: float) -> str:
    return f"{100 * value:.1f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def _points(value: float) -> str:
    written = _number(value) if value >= 0.0005 else f"{100 * value:.2g}"
    return f"{written} point" if written == "1.0" else f"{written} points"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
