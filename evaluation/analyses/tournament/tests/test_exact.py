"""The exact answer: by hand, and against the rules played out."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import numpy as np
import pytest

from evaluation.analyses.tournament.exact import ExactAnswer, exact_answer
from evaluation.analyses.tournament.rounds import Places
from evaluation.analyses.tournament.tests.naive import play_once

GOLDEN = [[9, 1, 5], [7, 8, 2], [5, 6, 9], [3, 4, 7]]


def answer(rows: list[list[int]], schedule: list[int]) -> ExactAnswer:
    columns = np.array(rows, dtype=np.uint8).T
    return exact_answer([Places(column, tied=True) for column in columns], schedule, len(rows))


@pytest.mark.parametrize(
    ("eliminated", "expected"),
    [(0, [Fraction(4, 3), Fraction(5, 3), 2, 0]), (1, [1, Fraction(4, 3), Fraction(2, 3), 0])],
)
def test_golden_case(eliminated: int, expected: list[Fraction]) -> None:
    assert list(answer(GOLDEN, [eliminated] * 3).expected) == expected


def test_golden_case_has_the_known_variances() -> None:
    exact = answer(GOLDEN, [0] * 3)
    squares = [sum(s * s * chance for s, chance in enumerate(row)) for row in exact.points]
    variances = [square - mean**2 for square, mean in zip(squares, exact.expected, strict=True)]
    assert variances == [Fraction(2, 9), Fraction(2, 9), 0, 0]


def test_identical_contenders_share_equally() -> None:
    for schedule in ([0] * 4, [1] * 4, [2, 0, 1, 0]):
        exact = answer([[1, 1, 1, 1]] * 7, schedule)
        assert len(set(exact.expected)) == len(set(exact.points)) == len(set(exact.byes)) == 1


def test_chances_add_up() -> None:
    exact = answer([[3, 1, 2], [1, 1, 3], [2, 2, 2], [2, 1, 1], [0, 3, 1]], [1, 0, 1])
    assert all(sum(row) == 1 for row in exact.points)


@pytest.mark.parametrize("schedule", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 0, 1, 0]])
def test_agrees_with_the_rules_played_out(schedule: list[int]) -> None:
    rng, plays = Random(7), 20_000
    rows = [[rng.randrange(3) for _ in schedule] for _ in range(7)]
    exact = answer(rows, schedule)
    places = [list(column) for column in zip(*rows, strict=True)]
    played = np.array([play_once(places, schedule, rng) for _ in range(plays)])
    mean, error = played.mean(axis=0), played.std(axis=0, ddof=1) / np.sqrt(plays)
    expected = np.array([exact.expected, exact.byes], dtype=np.float64)
    assert (np.abs(mean - expected) <= 5 * error + 1e-12).all()
