"""Several attempts at a sample: pass@k, pass^k, majority voting, Best-of-Majority; all from attempts that are stored.

Arrays have samples first and attempts last; anything may stand between. An attempt that was not made is NaN in
`correct` and -1 in `answers`. A sample with too few attempts for a statistic is NaN: a hole, not a failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from evaluation.errors import BadParameter
from evaluation.tables import Floats, Integers


@dataclass(frozen=True, eq=False)
class Technique:
    """What a way to use attempts gives per sample. rate: chance to be right; cost: USD it takes; NaN where unknown."""

    rate: Floats
    cost: Floats

    @property
    def value(self) -> Floats:
        """Cost-of-pass in USD: cost / rate, inf where it is never right, NaN where one of them is unknown."""
        known = ~np.isnan(self.rate) & ~np.isnan(self.cost)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(known & (self.rate == 0), np.inf, self.cost / self.rate))


def pass_at_k(passes: ArrayLike, attempts: ArrayLike, k: int) -> Floats:
    """Chance that at least one of k attempts passes, unbiased: 1 - C(n - c, k) / C(n, k).

    passes: c, attempts: n; they broadcast. NaN where n < k. Source: Evaluating Large Language Models Trained on Code,
    arXiv 2107.03374.
    """
    n, c = _counts(passes, attempts, k)
    return np.where(n < k, np.nan, 1 - _all_from(n - c, n, k))


def pass_hat_k(passes: ArrayLike, attempts: ArrayLike, k: int) -> Floats:
    """Chance that all of k attempts pass, unbiased: C(c, k) / C(n, k); NaN where n < k.

    Source: tau-bench, arXiv 2406.12045.
    """
    n, c = _counts(passes, attempts, k)
    return np.where(n < k, np.nan, _all_from(c, n, k))


def majority_vote(answers: Integers, correct: Floats, cost_usd: Floats, k: int) -> Technique:
    """The most frequent of k answers, drawn with replacement from the stored ones; ties go to the one seen first.

    Exact: which of the tied answers came first is equally likely for each of them, so a tie among j gives each 1 / j.
    The cost is that of k attempts. An answer that is not stored (-1), or a correctness or cost that is missing, makes
    the sample undefined.
    """
    _check_k(k)
    made = ~(np.isnan(correct) & np.isnan(cost_usd) & (answers < 0))
    whole = (~made | (~np.isnan(correct) & ~np.isnan(cost_usd) & (answers >= 0))).all(axis=-1) & made.any(axis=-1)
    same = (answers[..., :, None] == answers[..., None, :]) & made[..., :, None] & made[..., None, :]
    counts = same.sum(axis=-1)
    flat = counts.reshape(-1, counts.shape[-1])
    patterns, which = np.unique(np.sort(flat, axis=1), axis=0, return_inverse=True)
    chance = np.zeros((len(patterns), counts.shape[-1] + 1))
    for number, pattern in enumerate(patterns):
        sizes = tuple(size for size in range(1, pattern.size + 1) for _ in range((pattern == size).sum() // size))
        for size, wins in zip(sizes, win_chances(sizes, k), strict=True):
            chance[number, size] = wins / size  # shared by the attempts that gave this answer
    share = chance[which.ravel()[:, None], flat].reshape(counts.shape)
    right = np.where(made & ~np.isnan(correct), correct, 0.0)
    total = np.where(np.isnan(cost_usd), 0.0, cost_usd).sum(axis=-1)
    with np.errstate(invalid="ignore"):
        cost = k * total / made.sum(axis=-1)
    return Technique(np.where(whole, (share * right).sum(axis=-1), np.nan), np.where(whole, cost, np.nan))


@lru_cache(maxsize=4096)
def win_chances(counts: tuple[int, ...], k: int) -> tuple[float, ...]:
    """Chance of each answer to win a vote of k draws, when answer i was given counts[i] times; they sum to 1.

    Exact, by exponential generating functions: with t votes for one answer, all others have at most t, and j of them
    exactly t; it then wins with 1 / (j + 1).
    """
    total = sum(counts)
    shares = [count / total for count in counts]
    found: dict[float, float] = {}
    for own, share in enumerate(shares):
        if share not in found:
            rest = shares[:own] + shares[own + 1 :]
            found[share] = sum(
                share**votes / factorial(votes) * _others(rest, votes, k - votes) for votes in range(1, k + 1)
            ) * float(factorial(k))
    return tuple(found[share] for share in shares)


def best_of_majority(
    answers: Integers, correct: Floats, cost_usd: Floats, reward: Floats, *, frequency: float = 0.25, k: int = 1
) -> Technique:
    """Keep the answers that at least this share of the attempts gave, then hand in the k of them with the best reward.

    It is right if one of those is. An answer's reward is the mean over its attempts; equal rewards go to the answer
    seen first; where no answer is frequent enough the most frequent ones stay. The cost is that of all attempts.
    Source: Best-of-Majority: Minimax-Optimal Strategy for Pass@k Inference Scaling, arXiv 2510.03199.
    """
    _check_k(k)
    if not 0 <= frequency <= 1:
        raise BadParameter("A frequency lies between 0 and 1.", field="frequency")
    shape, width = answers.shape[:-1], answers.shape[-1]
    flat = [array.reshape(-1, width) for array in (answers, correct, cost_usd, reward)]
    rates = np.full(len(flat[0]), np.nan)
    costs = rates.copy()
    for place, (said, right, price, worth) in enumerate(zip(*flat, strict=True)):
        made = ~(np.isnan(right) & np.isnan(price) & (said < 0))
        known = ~np.isnan(right) & ~np.isnan(price) & ~np.isnan(worth) & (said >= 0)
        if made.any() and bool(known[made].all()):
            rates[place] = _best_rate(said[made], right[made], worth[made], frequency, k)
            costs[place] = price[made].sum()
    return Technique(rates.reshape(shape), costs.reshape(shape))


def _best_rate(said: Integers, right: Floats, worth: Floats, frequency: float, k: int) -> float:
    """Chance that one of the chosen answers is right; an answer judged both ways counts as its share."""
    _, first, which, counts = np.unique(said, return_index=True, return_inverse=True, return_counts=True)
    reward = np.bincount(which, weights=worth) / counts
    accuracy = np.bincount(which, weights=right) / counts
    kept = counts >= min(frequency * said.size, counts.max())
    order = np.lexsort((first, -reward, ~kept))[: min(k, int(kept.sum()))]
    return float(1 - np.prod(1 - accuracy[order]))


def _others(shares: list[float], most: int, draws: int) -> float:
    """Sum over all ways in which the others share the draws, none above `most`, of their weights, each divided by one
    plus the number of answers that have exactly `most`."""
    if draws < 0:
        return 0.0
    ways = np.zeros((draws + 1, len(shares) + 1))  # by draws used and answers at the top
    ways[0, 0] = 1.0
    for share in shares:
        grown = np.zeros_like(ways)
        for votes in range(min(most, draws) + 1):
            weight, tied = share**votes / factorial(votes), int(votes == most)
            grown[votes:, tied:] += weight * ways[: draws + 1 - votes, : ways.shape[1] - tied]
        ways = grown
    return float(ways[draws] @ (1 / np.arange(1, ways.shape[1] + 1)))


def _counts(passes: ArrayLike, attempts: ArrayLike, k: int) -> tuple[Floats, Floats]:
    _check_k(k)
    c, n = np.asarray(passes, dtype=np.float64), np.asarray(attempts, dtype=np.float64)
    if bool((c < 0).any() or (c > n).any()):
        raise BadParameter("Passes lie between 0 and the number of attempts.", field="passes")
    return n, c


def _all_from(part: Floats, n: Floats, k: int) -> Floats:
    """C(part, k) / C(n, k) as a product, which overflows for no n."""
    chance = np.ones(np.broadcast(part, n).shape)
    for drawn in range(k):
        chance = chance * np.maximum(part - drawn, 0) / np.maximum(n - drawn, 1)
    return chance


def _check_k(k: int) -> None:
    if not 1 <= k <= 150:  # larger factorials are no doubles
        raise BadParameter(f"k lies between 1 and 150, not {k}.", field="k")
