"""When the leader may be called the best, however often one looks.

All contenders see their samples in one order, so any two have a common prefix: pairs are compared on it.
"""

from __future__ import annotations

from math import log

import numpy as np

from evaluation.errors import BadParameter
from evaluation.tables import Floats, Integers

LARGEST_BET = 0.5


def lower_confidence(differences: Floats, error: float) -> Floats:
    """(pair, t) lower ends of a confidence sequence for the mean of paired differences in -1..1.

    Predictable plug-in empirical Bernstein (Waudby-Smith and Ramdas, arXiv 2010.09686, theorem 2), one-sided: with
    probability 1 - error the mean is above every one of them at once, so one may look after each sample and stop.
    Sampling without replacement only makes it safer. Raises BadParameter for an error outside 0..1.
    """
    if not 0 < error < 1:
        raise BadParameter(f"An error rate lies between 0 and 1, not {error}.", field="error")
    x = (differences + 1) / 2
    t = np.arange(1, x.shape[1] + 1)
    running = (0.5 + np.cumsum(x, axis=1)) / (t + 1)
    before = np.concatenate([np.full((len(x), 1), 0.5), running[:, :-1]], axis=1)
    variance = (0.25 + np.cumsum((x - running) ** 2, axis=1)) / (t + 1)
    past = np.concatenate([np.full((len(x), 1), 0.25), variance[:, :-1]], axis=1)
    bet = np.minimum(np.sqrt(2 * log(1 / error) / (past * t * np.log1p(t))), LARGEST_BET)
    surprise = 4 * (x - before) ** 2 * (-np.log1p(-bet) - bet) / 4
    stakes = np.cumsum(bet, axis=1)
    end = (np.cumsum(bet * x, axis=1) - log(1 / error) - np.cumsum(surprise, axis=1)) / stakes
    return np.asarray(np.maximum.accumulate(2 * end - 1, axis=1))


def surely_best(scores: Floats, counts: Integers, leader: int, error: float) -> bool:
    """Whether the leader is above every other contender with this error rate in all.

    scores: (contender, N) in 0..1, in the order of asking; counts: how many of each are known. The error is shared
    out over all ordered pairs, because who leads is itself chosen by the data.
    """
    others = np.delete(np.arange(len(scores)), leader)
    if not others.size:
        return True
    share = error / (len(scores) * others.size)
    common = np.minimum(counts[others], counts[leader])
    longest = int(common.max())
    if int(common.min()) == 0:
        return False
    ends = lower_confidence(scores[leader, :longest] - scores[others, :longest], share)
    return bool((ends[np.arange(others.size), common - 1] > 0).all())


def chance_of_another(scores: Floats, counts: Integers, leader: int, *, draws: int = 1000, seed: int = 1) -> float:
    """About how probable it is that another contender is better than the leader; 0 where all is known.

    The true means are taken as draws from one normal population whose centre and spread the data give (empirical
    Bayes; Morris, 1983): without it, among many contenders with few samples one would always seem to be ahead. Pairing
    is left out, which errs on the side of doubt.
    """
    size = scores.shape[1]
    if bool((counts == size).all()):
        return 0.0
    centre, deviation = _beliefs(scores, counts)
    drawn = centre + deviation * np.random.default_rng(seed).standard_normal((draws, len(scores)))
    others = np.delete(drawn, leader, axis=1)
    return float((others.max(axis=1) > drawn[:, leader]).mean()) if others.size else 0.0


def _beliefs(scores: Floats, counts: Integers) -> tuple[Floats, Floats]:
    """(contender,) centre and deviation of what its true mean may be: its own mean, drawn towards the population's.

    One imagined score half away from the mean keeps the spread of few equal scores above 0; the share of samples that
    is known is no longer uncertain.
    """
    asked, n = counts > 0, np.maximum(counts, 1)
    known = np.arange(scores.shape[1]) < counts[:, None]
    mean = (scores * known).sum(axis=1) / n
    spread = (((scores - mean[:, None]) ** 2 * known).sum(axis=1) + 0.5) / (counts + 2)
    variance = spread / n * (1 - counts / scores.shape[1])
    between = max(float(mean[asked].var() - variance[asked].mean()), 1e-6)
    weight = 1 / (variance[asked] + between)
    population = float((weight * mean[asked]).sum() / weight.sum())
    trust = np.where(asked, between / (between + variance), 0.0)
    centre = population + trust * (mean - population)
    return centre, np.sqrt(np.where(asked, trust * variance, between))
