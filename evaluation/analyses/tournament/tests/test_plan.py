"""The plan of seats: sizes that do not depend on who wins."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest

from evaluation.analyses.tournament.plan import seat_plan
from evaluation.analyses.tournament.tests.naive import play_once


def test_29_contenders_12_rounds_end_with_the_known_points() -> None:
    assert Counter(seat_plan(29, [0] * 12).points.tolist()) == {8: 3, 7: 6, 6: 6, 5: 6, 4: 4, 3: 1, 2: 1, 1: 1, 0: 1}


@pytest.mark.parametrize(("eliminated", "total"), [(0, 154), (1, 130), (2, 97)])
def test_29_contenders_12_rounds_share_a_constant_number_of_points(eliminated: int, total: int) -> None:
    assert seat_plan(29, [eliminated] * 12).points.sum() == total


@pytest.mark.parametrize("contenders", [1, 2, 3, 5, 8, 13, 30])
@pytest.mark.parametrize("schedule", [[0] * 6, [1] * 6, [2] * 6, [0, 3, 0, 5, 1, 2], [100, 0]])
def test_points_are_those_of_any_tournament_played_by_the_rules(contenders: int, schedule: list[int]) -> None:
    rng = Random(contenders)
    for _ in range(20):
        places = [[rng.randrange(4) for _ in range(contenders)] for _ in schedule]
        points, _ = play_once(places, schedule, rng)
        assert sorted(points) == np.sort(seat_plan(contenders, schedule).points).tolist()


@pytest.mark.parametrize("schedule", [[0] * 9, [1] * 9, [3, 0, 2, 0, 4, 0, 0, 0, 1]])
def test_every_seat_is_left_once_and_taken_once(schedule: list[int]) -> None:
    for planned in seat_plan(23, schedule).rounds:
        left = [*planned.first, *planned.second, *planned.bye_from, *range(planned.retired)]
        taken = [*planned.winner, *planned.loser, *planned.bye_to, *range(planned.retired)]
        assert sorted(left) == sorted(taken) == list(range(23))
        assert planned.active == 23 - planned.retired


def test_play_stops_when_at_most_one_contender_is_left() -> None:
    assert len(seat_plan(4, [3, 0, 0]).rounds) == 1
    assert len(seat_plan(4, [4, 0, 0]).rounds) == 1
    assert seat_plan(1, [0, 0]).rounds == ()


def test_bye_share_counts_one_bye_per_odd_group() -> None:
    assert seat_plan(5, [0, 0]).bye_share == (1 / 5, 1 / 5)
    assert seat_plan(4, [0, 0, 0]).bye_share == (0, 0, 1 / 2)


def test_rank_of_points_counts_who_ends_above() -> None:
    assert seat_plan(4, [0, 0, 0]).rank_of_points.tolist() == [4, 3, 1]
