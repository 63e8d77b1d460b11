"""A search that is under way: what is known of each contender by now, and who is asked next.

Scores stand in the one order in which all contenders are asked, NaN where nobody has asked yet. What counts for a
contender is how far it is known without a gap, so that any two can be compared on a common beginning: what happens to
be known further on costs nothing once the search arrives there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.analyses.searching.bounds import Spending, leaders, upper_bounds
from evaluation.analyses.searching.stopping import chance_of_another, surely_best
from evaluation.errors import BadTable
from evaluation.tables import Floats, Integers
from evaluation.uncertainty import mean_with_error, two_sided, wilson_interval


@dataclass(frozen=True)
class Ask:
    """Ask a contender the samples at positions start..stop - 1 of the order; fresh: how many of them are not known.

    bound: what could have been its mean when it was chosen, infinite before its first sample.
    """

    contender: int
    start: int
    stop: int
    fresh: int
    bound: float


@dataclass(frozen=True)
class Place:
    """What is known of a contender after `count` samples; None where they do not tell. low, high: 95 % interval of its
    mean by these samples alone. bound: UCB-E's, infinite before the first and minus infinity after the last sample."""

    count: int
    mean: float | None
    low: float | None
    high: float | None
    bound: float


@dataclass(frozen=True)
class Picture:
    """places: (contender,). leader: highest mean, None before the first sample. chance_wrong: about how probable it is
    that another one is better. sure: whether the stopping rule has fired."""

    places: tuple[Place, ...]
    leader: int | None
    chance_wrong: float | None
    sure: bool


def shared_order(size: int, seed: int, number: int = 0) -> Integers:
    """(N,) the samples in the order in which all contenders are asked; that of a replay with the same seed."""
    return np.asarray(np.random.default_rng([seed, number]).permutation(size))


def known_so_far(scores: Floats) -> Integers:
    """(contender,) how many of the first samples are known without a gap. scores: (contender, N), NaN = not known."""
    gaps = np.isnan(scores)
    return np.asarray(np.where(gaps.any(axis=1), gaps.argmax(axis=1), scores.shape[1]))


def next_asks(scores: Floats, spending: Spending, left: int) -> list[Ask]:
    """UCB-E's next decision, with at most `left` samples to pay; empty where nothing is left to ask or to pay with.

    It is one ask, but for the beginning: while a contender has no sample its bound is infinite whatever the others
    answer, so all first batches are one decision. Among equals the first contender is taken.
    """
    counts = known_so_far(scores)
    sums = np.array([row[:count].sum() for row, count in zip(scores, counts, strict=True)])
    bounds = upper_bounds(sums[None], counts[None], scores.shape[1], spending.exploration)[0]
    new = np.flatnonzero(np.isposinf(bounds))
    chosen = new if new.size else np.array([bounds.argmax()])
    asks: list[Ask] = []
    for row in chosen.tolist():
        ask = ask_of(scores[row], row, int(counts[row]), spending.batch, left, float(bounds[row]))
        if ask is not None:
            asks.append(ask)
            left -= ask.fresh
    return asks


def ask_of(scores: Floats, row: int, start: int, batch: int, left: int, bound: float) -> Ask | None:
    """The next `batch` samples of one contender from `start` on, fewer where they or the budget end; None: none.

    scores: (N,) its own.
    """
    stop = min(start + batch, scores.size)
    fresh = np.flatnonzero(np.isnan(scores[start:stop]))
    if fresh.size > left:
        stop = start + int(fresh[left])
        fresh = fresh[:left]
    return Ask(row, start, stop, int(fresh.size), bound) if fresh.size else None


def picture(scores: Floats, exploration: float, stop_error: float) -> Picture:
    """Where the search stands. Raises BadTable for a score outside 0..1, to which the bounds do not apply."""
    known = scores[~np.isnan(scores)]
    if bool(((known < 0) | (known > 1)).any()):
        raise BadTable("A search needs scores from 0 to 1, of which more is better.", field="scores")
    counts = known_so_far(scores)
    seen = [row[:count] for row, count in zip(scores, counts, strict=True)]
    sums = np.array([row.sum() for row in seen])
    bounds = upper_bounds(sums[None], counts[None], scores.shape[1], exploration)[0]
    places = tuple(_place(row, float(bound), scores.shape[1]) for row, bound in zip(seen, bounds, strict=True))
    if not counts.any():
        return Picture(places, None, None, False)
    leader = int(leaders(sums[None], counts[None])[0])
    filled = np.nan_to_num(scores)
    sure = bool(stop_error) and surely_best(filled, counts, leader, stop_error)
    return Picture(places, leader, chance_of_another(filled, counts, leader), sure)


def _place(seen: Floats, bound: float, size: int) -> Place:
    if not seen.size:
        return Place(0, None, None, None, bound)
    mean = float(seen.mean())
    if seen.size == size:
        return Place(size, mean, mean, mean, bound)
    if np.isin(seen, (0.0, 1.0)).all():
        share = wilson_interval(int(seen.sum()), seen.size)
        return Place(seen.size, mean, share.low, share.high, bound)
    error = mean_with_error(seen).standard_error
    half = None if error is None else two_sided(0.95) * error
    low, high = (None, None) if half is None else (max(0.0, mean - half), min(1.0, mean + half))
    return Place(seen.size, mean, low, high, bound)
