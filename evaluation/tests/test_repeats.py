"""Several attempts: closed forms against enumeration of every draw."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import comb, inf, isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.errors import BadParameter
from evaluation.repeats import best_of_majority, majority_vote, pass_at_k, pass_hat_k, win_chances


@pytest.mark.parametrize(("n", "c", "k"), [(5, 2, 1), (5, 2, 3), (5, 2, 5), (6, 0, 2), (6, 6, 6), (4, 3, 2)])
def test_pass_at_k_and_pass_hat_k_are_means_over_all_subsets(n: int, c: int, k: int) -> None:
    subsets = list(combinations([1] * c + [0] * (n - c), k))
    assert pass_at_k(c, n, k) == pytest.approx(sum(map(any, subsets)) / comb(n, k))
    assert pass_hat_k(c, n, k) == pytest.approx(sum(map(all, subsets)) / comb(n, k))


def test_too_few_attempts_are_a_hole() -> None:
    found = pass_at_k([1, 1], [2, 4], 3)
    assert isnan(found[0])
    assert found[1] == 0.75
    assert isnan(pass_hat_k(2, 2, 3))
    assert pass_at_k(1, 10**6, 2) == pytest.approx(2e-6)
    with pytest.raises(BadParameter, match="Passes"):
        pass_at_k(3, 2, 1)
    with pytest.raises(BadParameter, match="k lies"):
        pass_at_k(1, 2, 0)


def enumerated(answers: list[int], correct: list[float], k: int) -> float:
    """Mean over every sequence of draws; Counter keeps the order of first appearance, max takes the first."""
    right = 0.0
    for draw in product(range(len(answers)), repeat=k):
        winner = max(Counter(answers[one] for one in draw).items(), key=lambda pair: pair[1])[0]
        right += np.mean([correct[one] for one in range(len(answers)) if answers[one] == winner])
    return right / len(answers) ** k


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.integers(1, 5))
def test_votes_equal_the_enumeration_of_all_draws(answers: list[int], k: int) -> None:
    correct = [float(answer == 1) for answer in answers]
    cost = [1.0 + one for one in range(len(answers))]
    found = majority_vote(np.array([answers]), np.array([correct]), np.array([cost]), k)
    assert found.rate[0] == pytest.approx(enumerated(answers, correct, k))
    assert found.cost[0] == pytest.approx(k * np.mean(cost))


def test_chances_to_win_sum_to_one() -> None:
    assert sum(win_chances((5, 2, 1), 9)) == pytest.approx(1)
    assert win_chances((1, 1), 2) == (0.5, 0.5)


def test_votes_skip_attempts_that_were_not_made_and_refuse_incomplete_ones() -> None:
    answers = np.array([[0, 1, -1], [0, 1, -1], [-1, -1, -1]])
    correct = np.array([[1, 0, np.nan], [1, 0, 1.0], [np.nan] * 3])
    cost = np.array([[2, 4, np.nan], [2, 4, 6], [np.nan] * 3])
    found = majority_vote(answers, correct, cost, 1)
    assert (found.rate[0], found.cost[0], found.value[0]) == (0.5, 3, 6)
    assert np.isnan(found.rate[1:]).all()
    assert np.isnan(found.value[1:]).all()


def test_a_vote_that_is_never_right_costs_infinitely_much() -> None:
    assert majority_vote(np.array([[0]]), np.array([[0.0]]), np.array([[1.0]]), 3).value[0] == inf


def test_best_of_majority_keeps_the_frequent_and_takes_the_best() -> None:
    answers = np.array([[0, 0, 1, 1, 2, 3]])
    correct = np.array([[0, 0, 1, 1, 0, 0.0]])
    reward = np.array([[0.3, 0.3, 0.6, 0.6, 0.9, 0.1]])
    given = (answers, correct, np.ones((1, 6)), reward)
    found = best_of_majority(*given, frequency=0.3)
    assert (found.rate[0], found.cost[0], found.value[0]) == (1, 6, 6)
    assert best_of_majority(*given, frequency=0.0).rate[0] == 0  # plain best-of-n is misled by a rare answer
    assert best_of_majority(*given, frequency=0.0, k=2).rate[0] == 1
    assert best_of_majority(*given, frequency=0.9).rate[0] == 1  # nothing is that frequent: the most frequent stay
    with pytest.raises(BadParameter, match="frequency"):
        best_of_majority(*given, frequency=2)


def test_best_of_majority_needs_every_reward() -> None:
    found = best_of_majority(np.array([[0, 0]]), np.ones((1, 2)), np.ones((1, 2)), np.array([[1.0, np.nan]]))
    assert np.isnan(found.rate[0])
    assert np.isnan(found.cost[0])
