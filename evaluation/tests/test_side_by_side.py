"""Contenders side by side: equal to the comparison of two, to statsmodels, and to a loop; and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from evaluation.analyses.comparison import compare
from evaluation.errors import NotEnoughData
from evaluation.paired import samples_needed
from evaluation.side_by_side import breakdown, side_by_side
from evaluation.tests.answers import random_answers
from evaluation.uncertainty import paired_difference
from evaluation.verdicts import flips, of_pair, rounded, verdict

NAMES = ("A", "B", "C", "D")


def right(*counts: int, n: int = 1_000) -> np.ndarray:
    """Contenders that are right on the first so many samples: they err together."""
    return (np.arange(n) < np.array(counts)[:, None]).astype(np.float64)


def answers(scores: np.ndarray) -> np.ndarray:
    return scores.astype(np.int64)


def test_every_pair_equals_the_comparison_of_two() -> None:
    table = random_answers(1, 4, 300, 5)
    found = side_by_side(table.correct.astype(np.float64), table.labels, margin=0.02)
    assert len(found.pairs) == 6
    for pair in found.pairs:
        two = compare(table, f"c{pair.first}", f"c{pair.second}", margin=0.02)
        assert (pair.difference, pair.p, pair.equivalence_p) == (two.difference, two.mcnemar_p, two.equivalence_p)
        assert (pair.low, pair.high) == pytest.approx(two.interval, abs=1e-12)
        assert (pair.changed_low, pair.changed_high) == two.answers_changed_interval
        for name in ("only_first", "only_second", "both_right", "both_wrong", "answers_changed"):
            assert getattr(pair, name) == getattr(two, name), name
        assert pair.wrong_to_other_wrong == two.wrong_to_other_wrong
        assert pair.samples_needed == pytest.approx(two.samples_needed)


@pytest.mark.oracle
def test_the_family_is_adjusted_as_statsmodels_does() -> None:
    from statsmodels.stats.multitest import multipletests

    found = side_by_side(right(500, 506, 520, 500), answers(right(500, 506, 520, 500)))
    expected = multipletests([pair.p for pair in found.pairs], method="holm")[1]
    assert [pair.p_adjusted for pair in found.pairs] == pytest.approx(expected.tolist(), abs=1e-12)


def test_a_baseline_is_a_smaller_family() -> None:
    scores = right(500, 506, 520, 500)
    every, against = side_by_side(scores, answers(scores)), side_by_side(scores, answers(scores), baseline=1)
    assert [(pair.first, pair.second) for pair in against.pairs] == [(0, 1), (2, 1), (3, 1)]
    same = next(pair for pair in every.pairs if (pair.first, pair.second) == (0, 1))
    assert against.pairs[0].p == same.p
    assert against.pairs[0].p_adjusted < same.p_adjusted


def test_ranks_follow_the_pairs_that_differ() -> None:
    found = side_by_side(right(500, 502, 300), answers(right(500, 502, 300)))
    assert (found.rank_low.tolist(), found.rank_high.tolist()) == ([1, 1, 3], [2, 2, 3])


def test_graded_scores_are_paired_by_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(400) * 0.5 + np.array([[0.3], [0.0]]) + 0.1 * rng.random((2, 400))
    found = side_by_side(scores, np.arange(800).reshape(2, 400))
    pair, change = found.pairs[0], scores[0] - scores[1]
    assert (found.method, pair.answers_changed) == ("bootstrap", 400)
    assert pair.low < 0.3 < pair.high
    assert pair.samples_needed == pytest.approx(
        (1.959964 + 0.841621) ** 2 * change.var() / change.mean() ** 2, rel=1e-6
    )
    assert (pair.only_first, pair.only_second) == ((change > 0).sum(), (change < 0).sum())


def test_samples_needed_are_the_planners() -> None:
    pair = side_by_side(right(520, 500), answers(right(520, 500))).pairs[0]
    assert pair.samples_needed == pytest.approx(samples_needed(0.02, 0.02))


@pytest.mark.parametrize("graded", [False, True])
def test_a_breakdown_equals_a_loop_over_the_groups(graded: bool) -> None:
    rng = np.random.default_rng(2)
    scores = rng.random((3, 200)) if graded else (rng.random((3, 200)) < 0.6).astype(np.float64)
    groups = np.sort(rng.integers(0, 4, 200))
    for number, group in enumerate(breakdown(scores, groups, 1)):
        mine = scores[:, groups == number]
        assert group.n == mine.shape[1]
        assert group.mean == pytest.approx(mine.mean(axis=1))
        for row in (0, 2):
            assert group.difference[row] == pytest.approx((mine[row] - mine[1]).mean())
            if graded:
                expected = paired_difference(mine[row], mine[1]).interval
                assert (group.low[row], group.high[row]) == pytest.approx((expected.low, expected.high))
            else:
                pair = side_by_side(mine[[row, 1]], answers(mine[[row, 1]])).pairs[0]
                assert (group.low[row], group.high[row]) == pytest.approx((pair.low, pair.high), abs=1e-9)
        assert group.difference[1] == group.low[1] == group.high[1] == 0


def test_a_group_of_one_graded_sample_has_no_interval() -> None:
    group = breakdown(np.array([[0.5, 0.2], [0.1, 0.3]]), np.array([0, 1]), 0)[0]
    assert np.isnan(group.low[1])
    assert group.difference[1] == pytest.approx(-0.4)


def test_one_contender_or_no_sample_is_no_comparison() -> None:
    for scores in (np.ones((1, 5)), np.ones((2, 0))):
        with pytest.raises(NotEnoughData):
            side_by_side(scores, answers(scores))


def said(*counts: int, n: int = 1_000, **more: object) -> str:
    scores = right(*counts, n=n)
    return verdict(side_by_side(scores, answers(scores), **more), NAMES[: len(counts)])  # type: ignore[arg-type]


def test_a_pair_is_told_in_points_with_its_interval() -> None:
    assert said(500, 521).startswith("B is better by 2.1 points, 95 % interval 1.4 to 3.2.")
    assert said(521, 500).startswith("A is better by 2.1 points, 95 % interval 1.4 to 3.2.")
    assert (
        said(250, 251, n=500, margin=0.001)
        == "No difference that 500 samples could show; about 4,000 would, if the difference "
        "seen is real."
    )
    assert said(500, 500, n=1_000, margin=0.001).startswith("No difference that 1,000 samples could show: the means")
    assert said(500, 500, margin=0.02).startswith("A and B are equal within 2.0 points")


def test_a_family_names_its_leaders_and_who_is_behind() -> None:
    assert said(500, 502, 300).startswith("B and A lead and cannot be told apart by 1,000 samples; about 4,")
    assert "B is better than C, by Holm’s test over 3 comparisons." in said(500, 502, 300)
    assert said(700, 500, 300) == "A is best: better than each of the others, by Holm’s test over 3 comparisons."
    assert said(500, 501, 502).startswith("No difference that 1,000 samples could show between C, B and A")


def test_a_baseline_is_the_measure() -> None:
    text = said(500, 600, 400, 500, baseline=0, margin=0.02)
    assert text == "Against A, in points: better: B (+10.0); worse: C (−10.0); equal within the margin: D (+0.0)."


def test_equal_means_may_hide_many_flips() -> None:
    scores = np.stack([np.arange(100) < 50, np.arange(100) >= 50]).astype(np.float64)
    found = side_by_side(scores, answers(scores))
    assert found.pairs[0].samples_needed == inf
    assert flips(found, NAMES).startswith("A and B differ by 0 points in the mean, and in their answers on 100 of 100")
    same = side_by_side(scores[[0, 0]], answers(scores[[0, 0]]))
    assert flips(same, NAMES).endswith("give the same answer to every sample.")


def test_what_is_seen_alone_may_not_hold_in_a_family() -> None:
    found = side_by_side(right(500, 509), answers(right(500, 509)))
    pair = replace(found.pairs[0], p_adjusted=0.2)
    text = of_pair(replace(found, pairs=(pair,) * 15), pair, NAMES)
    assert text == "No difference that 1,000 samples could show, as one of 15 comparisons."


def test_plans_are_rounded_upwards() -> None:
    assert [rounded(value) for value in (3.2, 99.5, 2_043, 181_000)] == [4, 100, 2_100, 190_000]
