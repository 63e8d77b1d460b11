"""What adaptive evaluation costs and finds: `python -m bench.adaptive`. CPU seconds, one thread, made-up tables.

Beside each search stands uniform spending of the same budget; beside each estimate the plain mean of as many samples.
"""

from __future__ import annotations

import time

import numpy as np

from evaluation.analyses.adaptive import AdaptiveParams
from evaluation.analyses.adaptive import compute as search
from evaluation.analyses.estimation import EstimationParams
from evaluation.analyses.estimation import compute as estimate
from evaluation.analyses.routing import RoutingParams
from evaluation.analyses.routing import compute as route
from evaluation.routes import RouteTable
from evaluation.tables import Floats, ScoreTable

SEEDS = 100
LEADS = (0.8, 0.77)  # the leader's skill over 20 runners-up of 0.74


def main() -> None:
    """Print searches, estimates and one routing report."""
    print(
        f"{'table':>14}  {'lead':>5}  {'UCB-E':>6}  {'uniform':>7}  {'CPU s':>6}   best found with 15 %, {SEEDS} seeds"
    )
    for lead in LEADS:
        print(searched(lead))
    print(f"\n{'method':>8}  {'error':>7}  {'random':>7}  {'coverage':>8}  {'CPU s':>6}   50 of 1,000, {SEEDS} seeds")
    scores = drawn(np.linspace(0.3, 0.85, 80), 1000)
    for method in ("lure", "aipw"):
        print(estimated(scores, method))
    print(f"\nrouting, 26 contenders x 12,000 samples: {routed():.2f} CPU s")


def searched(lead: float) -> str:
    table = scored(drawn(np.r_[lead, np.full(20, 0.74), np.linspace(0.3, 0.7, 59)], 1000))
    ordered = np.sort(table.values.mean(axis=(1, 2)))
    result, seconds = timed(lambda: search(table, AdaptiveParams(seeds=SEEDS)))
    gap = ordered[-1] - ordered[-2]
    found, even = result.found_best, result.uniform_found_best
    return f"{'80 x 1,000':>14}  {gap:5.3f}  {found:6.2f}  {even:7.2f}  {seconds:6.2f}"


def estimated(scores: Floats, method: str) -> str:
    params = EstimationParams(contender="model 60", samples=50, method=method, seeds=SEEDS)
    result, seconds = timed(lambda: estimate(scored(scores), params))
    numbers = f"{result.mean_error:7.4f}  {result.random_error:7.4f}  {result.coverage:8.3f}"
    return f"{method:>8}  {numbers}  {seconds:6.2f}"


def routed() -> float:
    rng = np.random.default_rng(2)
    score = drawn(np.linspace(0.3, 0.8, 26), 12_000)
    names, samples = tuple(f"m{row}" for row in range(26)), tuple(map(str, range(12_000)))
    cost = np.linspace(0.1, 5, 26)[:, None] * rng.lognormal(0, 0.5, score.shape)
    categories = tuple(f"subject {at % 14}" for at in range(12_000))
    table = RouteTable(names, samples, score, cost, categories, confidence=score + rng.random(score.shape))
    return timed(lambda: route(table, RoutingParams()))[1]


def drawn(skills: Floats, size: int) -> Floats:
    """(contender, sample) right and wrong answers with shared difficulty."""
    rng = np.random.default_rng(1)
    logit = np.log(skills / (1 - skills))[:, None]
    return (rng.random((skills.size, size)) < 1 / (1 + np.exp(rng.normal(0, 1, size) - 1.2 * logit))).astype(float)


def scored(scores: Floats) -> ScoreTable:
    names = tuple(f"model {row}" for row in range(len(scores)))
    return ScoreTable(names, ("b",), tuple(("b", at) for at in range(scores.shape[1])), scores[:, :, None])


def timed(work):
    began = time.process_time()
    result = work()
    return result, time.process_time() - began


if __name__ == "__main__":
    main()
