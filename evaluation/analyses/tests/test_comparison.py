"""Paired comparison: by hand, against statsmodels, and what the board reads from it."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from evaluation.analyses.comparison import ComparisonParams, compare, compute, ranking
from evaluation.errors import BadParameter, BadTable, NotEnoughData
from evaluation.tables import ScoreTable
from evaluation.tests.answers import random_answers


def scored(right: np.ndarray, benchmarks: int = 1) -> ScoreTable:
    """right: (contender, sample) scores, split evenly over the benchmarks."""
    names = tuple(f"b{number}" for number in range(benchmarks))
    samples = tuple((names[i * benchmarks // right.shape[1]], i) for i in range(right.shape[1]))
    values = right.astype(np.float64)[:, :, None]
    return ScoreTable(tuple(f"c{number}" for number in range(len(right))), names, samples, values)


def drawn(seed: int, accuracies: tuple[float, ...], n: int) -> np.ndarray:
    return np.random.default_rng(seed).random((len(accuracies), n)) < np.array(accuracies)[:, None]


@pytest.mark.parametrize("n", [1, 63, 200])
def test_wins_and_differences_equal_a_double_loop(n: int) -> None:
    right = drawn(n, (0.5, 0.6, 0.7, 0.7), n)
    result = compute(scored(right), ComparisonParams())
    assert result.method == "mcnemar"
    for row in range(4):
        for column in range(4):
            assert result.wins[row, column] == (right[row] & ~right[column]).sum()
            assert result.difference[row, column] == pytest.approx(right[row].mean() - right[column].mean())


@pytest.mark.oracle
def test_p_values_equal_statsmodels() -> None:
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    right = drawn(1, (0.5, 0.6, 0.65, 0.8), 150)
    result = compute(scored(right), ComparisonParams())
    pairs = np.triu_indices(4, 1)
    tables = [
        [[0, (right[a] & ~right[b]).sum()], [(right[b] & ~right[a]).sum(), 0]] for a, b in zip(*pairs, strict=True)
    ]
    expected = [mcnemar(table, exact=True).pvalue for table in tables]
    assert result.p[pairs] == pytest.approx(expected, abs=1e-12)
    assert result.p_adjusted[pairs] == pytest.approx(multipletests(expected, method="holm")[1], abs=1e-12)
    assert (result.p_adjusted == result.p_adjusted.T).all()


def test_ranks_come_from_the_pairs_that_differ() -> None:
    result = compute(scored(drawn(2, (0.9, 0.9, 0.3), 400)), ComparisonParams())
    assert result.rank_low.tolist() == [1, 1, 3]
    assert result.rank_high.tolist() == [2, 2, 3]
    assert set(result.top) == {"c0", "c1"}
    assert "cannot separate" in result.verdict
    assert result.samples_to_separate > 400
    clear = compute(scored(drawn(2, (0.9, 0.6, 0.3), 400)), ComparisonParams())
    assert (clear.top, clear.samples_to_separate) == (("c0",), 0)
    assert clear.verdict.startswith("c0 leads")


def test_pairs_tell_apart_what_independent_intervals_cannot() -> None:
    """Two contenders that err together: 12 against 0 discordant samples in 1,000."""
    right = np.zeros((2, 1_000), dtype=bool)
    right[:, :500], right[0, 500:512] = True, True
    ranks = ranking(compute(scored(right), ComparisonParams()))
    assert ranks.low is not None
    assert ranks.high is not None
    assert ranks.low[0] < ranks.high[1]
    assert ranks.rank_high[0] == 1


def test_equal_scores_are_never_separated() -> None:
    result = compute(scored(np.tile(drawn(1, (0.5,), 50), (2, 1))), ComparisonParams())
    assert result.samples_to_separate == inf
    assert result.p.tolist() == [[1, 1], [1, 1]]
    assert result.low[0, 1] < 0 < result.high[0, 1]


def test_graded_scores_use_the_bootstrap() -> None:
    rng = np.random.default_rng(4)
    values = rng.random(300) * 0.5 + np.array([[0.3], [0.0]]) + 0.1 * rng.random((2, 300))
    result = compute(scored(values), ComparisonParams())
    assert result.method == "bootstrap"
    assert result.low[0, 1] <= 0.3 <= result.high[0, 1]
    assert result.p[0, 1] < 1e-6
    assert result.rank_high.tolist() == [1, 2]


def test_lower_is_better_turns_the_ranks() -> None:
    table = replace(scored(drawn(2, (0.9, 0.3), 100)), higher_is_better=(False,))
    result = compute(table, ComparisonParams())
    assert (result.method, result.rank_low.tolist()) == ("mcnemar", [2, 1])
    assert result.score[0] > result.score[1]
    mixed = scored(drawn(2, (0.9, 0.3), 100), benchmarks=2)
    with pytest.raises(BadParameter, match="both directions"):
        compute(replace(mixed, higher_is_better=(True, False)), ComparisonParams())


def test_clusters_widen_intervals_where_their_samples_agree() -> None:
    right = np.repeat(drawn(5, (0.6, 0.5), 20), 10, axis=1)
    alone = compute(scored(right, 20), ComparisonParams())
    clustered = compute(scored(right, 20), ComparisonParams(cluster=True))
    assert clustered.method == "bootstrap"
    assert clustered.high[0, 1] - clustered.low[0, 1] > 2 * (alone.high[0, 1] - alone.low[0, 1])
    with pytest.raises(NotEnoughData, match="at least two"):
        compute(scored(right), ComparisonParams(cluster=True))


def test_equivalence_is_shown_only_by_enough_samples() -> None:
    same = drawn(6, (0.8,), 20_000).repeat(2, axis=0)
    same[1, :40] = ~same[1, :40]
    assert compute(scored(same), ComparisonParams(margin=0.01)).equivalence_p[0, 1] < 0.05
    assert compute(scored(same[:, :200]), ComparisonParams(margin=0.01)).equivalence_p[0, 1] > 0.05


def test_samples_that_some_lack_are_dropped_and_named() -> None:
    table = scored(drawn(7, (0.5, 0.5), 30))
    values = table.values.copy()
    values[1, :4] = np.nan
    result = compute(replace(table, values=values), ComparisonParams())
    assert (result.n, result.dropped) == (26, 4)
    assert "c1" in result.warnings[0]
    values[1] = np.nan
    with pytest.raises(NotEnoughData, match="c1"):
        compute(replace(table, values=values), ComparisonParams())


def test_one_contender_has_the_first_rank() -> None:
    result = compute(scored(drawn(8, (0.5,), 10)), ComparisonParams())
    assert (result.rank_low.tolist(), result.rank_high.tolist(), result.top) == ([1], [1], ("c0",))


def test_a_pair_by_plain_counts() -> None:
    table = random_answers(1, 3, 200, 4)
    found = compare(table, "c0", "c2")
    first, second = table.correct[0], table.correct[2]
    assert (found.only_first, found.only_second) == ((first & ~second).sum(), (second & ~first).sum())
    assert found.both_right + found.both_wrong + found.only_first + found.only_second == found.n == 200
    assert found.answers_changed == (table.labels[0] != table.labels[2]).sum()
    assert found.answers_changed == found.only_first + found.only_second + found.wrong_to_other_wrong
    assert found.difference == pytest.approx(found.accuracy_first - found.accuracy_second)
    assert found.interval[0] <= found.difference <= found.interval[1]
    back = compare(table, "c2", "c0")
    assert (back.difference, back.mcnemar_p) == (-found.difference, found.mcnemar_p)


def test_the_verdict_says_which_is_better_and_how_many_answers_differ() -> None:
    table = random_answers(2, 2, 300, 3)
    right = np.stack([np.arange(300) < 240, np.arange(300) < 180])
    better = compare(replace(table, correct=right), "c1", "c0")
    assert better.verdict.startswith("c0 is more accurate than c1 (c1 minus c0: -20.0 points")
    assert f"Their answers differ on {better.answers_changed} of 300 samples." in better.verdict
    equal = compare(replace(table, correct=right[[0, 0]]), "c0", "c1", margin=0.05)
    assert equal.verdict.startswith("c0 and c1 are equally accurate within 5 points")
    unknown = compare(replace(table, correct=np.stack([right[0], np.arange(300) < 239])), "c0", "c1", margin=0.001)
    assert unknown.verdict.startswith("These 300 samples cannot tell whether c0 or c1 is more accurate")
    assert "more would show such a difference" in unknown.verdict


def test_a_pair_needs_two_known_names() -> None:
    table = random_answers(3)
    with pytest.raises(BadParameter):
        compare(table, "c0", "c0")
    with pytest.raises(BadTable, match="no contender “z”"):
        compare(table, "c0", "z")
