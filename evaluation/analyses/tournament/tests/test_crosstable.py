"""The crosstable: games that fit together, tie-breaks by their definition."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analyses.tournament.crosstable import Crosstable, crosstable, trace
from evaluation.analyses.tournament.plan import seat_plan
from evaluation.analyses.tournament.rounds import Places

ORDER = np.array([3, 1, 0, 2, 6, 5, 4])
PLACES = [Places(np.random.default_rng(k).permutation(7).astype(np.uint8), tied=False) for k in range(4)]


def made(schedule: list[int], iterations: int = 500) -> Crosstable:
    return crosstable(seat_plan(7, schedule), PLACES, ORDER, iterations, 1, (9,))


@pytest.mark.parametrize("schedule", [[0, 0, 0, 0], [1, 1, 1, 1], [3, 0, 2, 0]])
def test_games_fit_together(schedule: list[int]) -> None:
    table = made(schedule)
    strength = np.array([one.places[np.argsort(ORDER)] for one in PLACES]).T  # (contender, round) in result order
    for contender, letters in enumerate(table.result):
        for number, letter in enumerate(letters):
            opponent = int(table.opponent[contender, number])
            if letter in "WL":
                assert table.opponent[opponent, number] == contender
                assert (letter == "W") == (strength[contender, number] > strength[opponent, number])
            else:
                assert opponent == -1
        assert table.points[contender].tolist() == np.cumsum([letter == "W" for letter in letters]).tolist()


def test_only_contenders_with_equal_points_meet() -> None:
    table = made([1, 0, 1, 0])
    before = np.hstack([np.zeros((7, 1), dtype=np.int64), table.points[:, :-1]])
    for contender, number in np.argwhere(table.opponent >= 0):
        assert before[contender, number] == before[table.opponent[contender, number], number]


def test_eliminated_contenders_never_come_back() -> None:
    for letters in made([2, 2, 0, 0]).result:
        assert "-" not in letters.rstrip("-")
    assert sum(letters.endswith("-") for letters in made([2, 2, 0, 0]).result) == 4


def test_tie_breaks_follow_their_definition() -> None:
    table = made([0, 0, 0, 0])
    final = table.points[:, -1]
    for contender, letters in enumerate(table.result):
        met = [(final[o], letter) for o, letter in zip(table.opponent[contender], letters, strict=True) if o >= 0]
        assert table.buchholz[contender] == sum(points for points, _ in met)
        assert table.sonneborn_berger[contender] == sum(points for points, letter in met if letter == "W")


def test_means_are_over_all_traced_tournaments() -> None:
    table, plan = made([0, 0, 0, 0]), seat_plan(7, [0] * 4)
    kept = trace(plan, PLACES, 500, 1, (9,))
    assert table.simulations == 500
    buchholz = np.zeros((7, 500))
    for opponent in kept.opponent:
        for contender, lane in np.argwhere(opponent >= 0):
            buchholz[contender, lane] += kept.points[opponent[contender, lane], lane]
    assert np.array_equal(table.mean_buchholz[ORDER], buchholz.mean(axis=1))


def test_the_same_seed_gives_the_same_table() -> None:
    assert made([1, 1, 1, 1]).result == made([1, 1, 1, 1]).result


def test_a_single_contender_meets_nobody() -> None:
    table = crosstable(seat_plan(1, [0, 0]), [], np.array([0]), 10, 1, ())
    assert (table.result, table.buchholz.tolist()) == (("",), [0])
