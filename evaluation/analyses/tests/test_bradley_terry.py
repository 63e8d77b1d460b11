"""Bradley-Terry: worked examples, an independent implementation, and intervals that hold what they promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation.analyses.bradley_terry import BradleyTerryParams, comparisons, compute, fit
from evaluation.errors import NotEnoughData
from evaluation.tables import BenchmarkTable, Floats

NAN = float("nan")
SURE = BradleyTerryParams(ridge=1e-9)


def table(mean: Floats) -> BenchmarkTable:
    names = tuple(f"m{number}" for number in range(mean.shape[0]))
    return BenchmarkTable(names, tuple(f"b{number}" for number in range(mean.shape[1])), mean)


def noisy(contenders: int, benchmarks: int, seed: int, spread: float = 0.5) -> tuple[Floats, BenchmarkTable]:
    """Scores whose comparisons follow the Bradley-Terry law: strength plus Gumbel noise; and the strengths."""
    rng = np.random.default_rng(seed)
    strengths = np.linspace(-spread, spread, contenders)
    return strengths, table(strengths[:, None] + rng.gumbel(size=(contenders, benchmarks)))


def test_two_contenders_are_the_log_odds_of_their_wins() -> None:
    result = compute(table(np.array([[1.0, 1, 1, 0], [0, 0, 0, 1]])), SURE)
    assert result.value == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-8)


def test_a_tie_is_half_a_win_each() -> None:
    result = compute(table(np.array([[1.0, 1, 1, 1], [0, 0, 1, 1]])), SURE)
    assert result.value[0] - result.value[1] == pytest.approx(np.log(3), abs=1e-8)


def test_directions_are_respected() -> None:
    _, source = noisy(6, 20, seed=1)
    signs = np.where(np.arange(20) % 2, -1.0, 1.0)
    flipped = replace(source, mean=source.mean * signs, higher_is_better=tuple((signs > 0).tolist()))
    assert np.array_equal(compute(flipped, SURE).value, compute(source, SURE).value)


def test_an_unbeaten_contender_stays_finite() -> None:
    result = compute(table(np.array([[3.0, 3, 3], [2, 1, 2], [1, 2, 1]])), BradleyTerryParams())
    assert np.isfinite(result.value).all()
    assert result.value.argmax() == 0


@pytest.mark.oracle
@pytest.mark.parametrize("digits", [1, 6])
def test_equals_evalica(digits: int) -> None:
    import evalica

    _, source = noisy(15, 30, seed=2)
    source = replace(source, mean=np.round(source.mean, digits))
    first, second, winners = [], [], []
    for benchmark in range(30):
        for a in range(15):
            for b in range(a):
                gap = source.mean[a, benchmark] - source.mean[b, benchmark]
                first.append(source.contenders[a])
                second.append(source.contenders[b])
                winners.append(evalica.Winner.X if gap > 0 else evalica.Winner.Y if gap < 0 else evalica.Winner.Draw)
    fitted = evalica.bradley_terry(first, second, winners, tie_weight=0.5, tolerance=1e-12, limit=100_000)
    logs = np.log([fitted.scores[name] for name in source.contenders])
    assert compute(source, SURE).value == pytest.approx(logs - logs.mean(), abs=1e-6)


def test_the_gradient_vanishes_at_the_answer() -> None:
    _, source = noisy(8, 12, seed=3)
    wins = comparisons(source.mean).sum(axis=0).astype(np.float64)
    strengths = fit(wins, 0.01)
    chances = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    gradient = (wins - (wins + wins.T) * chances).sum(axis=1) - 0.01 * strengths
    assert np.abs(gradient).max() < 1e-7


def test_missing_scores_are_refused_or_skipped() -> None:
    holed = table(np.array([[1.0, 1, 1, 0, NAN], [0, 0, 0, 1, 5]]))
    with pytest.raises(NotEnoughData, match="m0 on b4"):
        compute(holed, SURE)
    result = compute(holed, replace(SURE, missing="available"))
    assert result.value == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-8)
    assert result.benchmarks_used.tolist() == [4, 5]


def test_one_benchmark_has_no_standard_error() -> None:
    result = compute(table(np.array([[1.0], [2.0], [2.0]])), BradleyTerryParams())
    assert (result.standard_error, result.low, result.high) == (None, None, None)
    assert (result.rank_low.tolist(), result.rank_high.tolist()) == ([3, 1, 1], [3, 2, 2])


@pytest.mark.parametrize("interval", ["sandwich", "bootstrap"])
def test_intervals_hold_the_truth_about_as_often_as_promised(interval: str) -> None:
    params = BradleyTerryParams(interval=interval, ridge=1e-6, redraws=200)
    held = []
    for seed in range(60):
        truth, source = noisy(6, 60, seed=seed)
        result = compute(source, params)
        assert result.low is not None
        assert result.high is not None
        held += ((result.low <= truth) & (truth <= result.high)).tolist()
    assert 0.88 < np.mean(held) < 0.99  # 60 benchmarks are few for either


def test_sandwich_and_bootstrap_agree() -> None:
    _, source = noisy(10, 80, seed=5)
    sandwich, bootstrap = (
        compute(source, BradleyTerryParams(interval=interval, redraws=400)) for interval in ("sandwich", "bootstrap")
    )
    assert np.array_equal(sandwich.value, bootstrap.value)
    assert sandwich.standard_error == pytest.approx(bootstrap.standard_error, rel=0.2)


def test_clear_differences_give_clear_ranks() -> None:
    _, source = noisy(5, 200, seed=6, spread=4)
    result = compute(source, BradleyTerryParams())
    assert result.rank_low.tolist() == result.rank_high.tolist() == [5, 4, 3, 2, 1]
