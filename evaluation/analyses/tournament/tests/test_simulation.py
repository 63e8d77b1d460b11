"""The simulation: fair draws, the plan kept in every simulation, the same integers however the work is shared."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.analyses.tournament.crosstable import trace
from evaluation.analyses.tournament.exact import exact_answer
from evaluation.analyses.tournament.plan import Draw, seat_plan
from evaluation.analyses.tournament.rounds import Places
from evaluation.analyses.tournament.simulation import Tally, exchange, first_seats, generator, play, simulate

MILLION = 1_000_000


def strengths(rows: NDArray[np.int64]) -> list[Places]:
    """One round per column of (contender, round) scores."""
    kind: type[np.unsignedinteger] = np.uint8 if len(rows) < 256 else np.uint16
    ranked = [np.unique(column, return_inverse=True)[1].astype(kind) for column in rows.T]
    return [Places(column, tied=len(set(column.tolist())) < len(rows)) for column in ranked]


def scores(contenders: int, rounds: int, seed: int, levels: int = 1000) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, levels, size=(contenders, rounds))


def moments(tally: Tally) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """E[S] and its standard error."""
    levels, iterations = np.arange(tally.points.shape[1]), tally.points[0].sum()
    mean = tally.points @ levels / iterations
    variance = (tally.points * (levels - mean[:, None]) ** 2).sum(axis=1) / (iterations - 1)
    return mean, np.sqrt(variance / iterations)


def even(counts: Counter[tuple[int, ...]], kinds: int) -> bool:
    """Whether the counts could come from equal chances (chi-square, six standard deviations)."""
    total = sum(counts.values())
    statistic = sum((count - total / kinds) ** 2 for count in counts.values()) * kinds / total
    return len(counts) == kinds and statistic < kinds - 1 + 6 * (2 * (kinds - 1)) ** 0.5


@pytest.mark.parametrize(("contenders", "matchings"), [(4, 3), (5, 15), (6, 15), (7, 105)])
@pytest.mark.parametrize("blend_up_to", [0, 24])
def test_all_matchings_are_equally_likely(contenders: int, matchings: int, blend_up_to: int) -> None:
    plan = seat_plan(contenders, [0])
    seats = first_seats(contenders, 200_000)
    exchange(seats, plan.rounds[0].draws, generator(3), blend_up_to=blend_up_to)
    pairs = [np.sort(seats[[a, b]], axis=0) for a, b in zip(plan.rounds[0].first, plan.rounds[0].second, strict=True)]
    codes = np.sort([low.astype(np.int64) * contenders + high for low, high in pairs], axis=0)
    assert even(Counter(map(tuple, codes.T.tolist())), matchings)


@pytest.mark.parametrize(("group", "leaving"), [(4, 1), (5, 2), (6, 3), (30, 2)])
def test_all_sets_of_eliminated_are_equally_likely(group: int, leaving: int) -> None:
    seats = first_seats(group, 200_000)
    exchange(seats, [Draw(seat, group, seat) for seat in range(leaving)], generator(5))
    gone = Counter(map(tuple, np.sort(seats[:leaving], axis=0).T.tolist()))
    assert even(gone, len(list(combinations(range(group), leaving))))


def test_comparing_all_seats_and_gathering_one_do_the_same() -> None:
    for contenders in (7, 30, 300):
        draws = [Draw(0, high, high - 1) for high in range(contenders, 1, -1)]
        blended, gathered = first_seats(contenders, 500), first_seats(contenders, 500)
        exchange(blended, draws, generator(1), blend_up_to=10_000)
        exchange(gathered, draws, generator(1), blend_up_to=0)
        assert np.array_equal(blended, gathered)
        assert np.array_equal(np.sort(blended, axis=0), first_seats(contenders, 500))


def test_a_tie_is_a_fair_coin() -> None:
    plan, equal = seat_plan(2, [0]), [Places(np.zeros(2, dtype=np.uint8), tied=True)]
    (played,) = play(plan, equal, first_seats(2, MILLION), generator(2))
    wins = np.bincount(played.winners[0], minlength=2)
    assert abs(int(wins[0]) - MILLION // 2) < 5 * MILLION**0.5 / 2


@pytest.mark.parametrize("contenders", [2, 3, 29, 300])
@pytest.mark.parametrize("schedule", [[0] * 7, [1] * 7, [2] * 7, [0, 3, 0, 5, 1, 2, 0]])
def test_sorted_points_are_the_plan_in_every_simulation(contenders: int, schedule: list[int]) -> None:
    plan = seat_plan(contenders, schedule)
    kept = trace(plan, strengths(scores(contenders, 7, seed=1, levels=5)), 200, 1, ())
    assert (np.sort(kept.points, axis=0) == np.sort(plan.points)[:, None]).all()


@pytest.mark.parametrize("schedule", [[0] * 12, [1] * 12, [2] * 12])
def test_points_and_byes_add_up_to_a_constant(schedule: list[int]) -> None:
    plan, iterations = seat_plan(29, schedule), 20_000
    tally = simulate(plan, strengths(scores(29, 12, seed=2)), iterations, 1)
    assert (tally.points.sum(axis=1) == iterations).all()
    assert (tally.points.sum(axis=0) == iterations * np.bincount(plan.points)).all()
    assert tally.byes.sum() == iterations * sum(len(planned.bye_from) for planned in plan.rounds)


@pytest.mark.parametrize(("eliminated", "fair"), [(0, 154 / 29), (1, 130 / 29), (2, 97 / 29)])
def test_identical_contenders_have_equal_points(eliminated: int, fair: float) -> None:
    plan = seat_plan(29, [eliminated] * 12)
    mean, error = moments(simulate(plan, strengths(np.ones((29, 12), dtype=np.int64)), 200_000, 4))
    assert (np.abs(mean - fair) < 5 * error).all()


@pytest.mark.parametrize("eliminated", [0, 1, 2])
def test_permuting_the_contenders_permutes_their_points(eliminated: int) -> None:
    rows, order = scores(11, 6, seed=8, levels=4), np.random.default_rng(1).permutation(11)
    plan = seat_plan(11, [eliminated] * 6)
    mean, error = moments(simulate(plan, strengths(rows), 200_000, 1))
    other, other_error = moments(simulate(plan, strengths(rows[order]), 200_000, 1))
    assert (np.abs(mean[order] - other) <= 5 * np.hypot(error[order], other_error)).all()


def test_the_best_of_2_to_the_r_wins_every_round() -> None:
    rows = scores(32, 5, seed=3)
    rows[13] = 10_000
    tally = simulate(seat_plan(32, [0] * 5), strengths(rows), 50_000, 1)
    assert tally.points[13].tolist() == [0, 0, 0, 0, 0, 50_000]


def test_one_round_of_an_even_field_is_the_mean_win_rate() -> None:
    column = scores(20, 1, seed=6, levels=8)[:, 0]
    wins = ((column[:, None] > column).sum(axis=1) + ((column[:, None] == column).sum(axis=1) - 1) / 2) / 19
    mean, error = moments(simulate(seat_plan(20, [0]), strengths(column[:, None]), 400_000, 1))
    assert (np.abs(mean - wins) <= 5 * error).all()


def test_standard_error_is_bounded_by_half_the_points() -> None:
    plan = seat_plan(29, [1] * 12)
    _, error = moments(simulate(plan, strengths(scores(29, 12, seed=9)), 10_000, 1))
    assert (error <= plan.points.max() / (2 * 10_000**0.5) * 1.0001).all()


def test_chunks_and_processes_change_no_integer() -> None:
    plan, places = seat_plan(12, [1] * 5), strengths(scores(12, 5, seed=4, levels=6))
    tallies = [
        simulate(plan, places, 100_000, 9, chunk=chunk, processes=processes)
        for chunk, processes in ((1, 1), (3, 1), (1000, 1), (1, 2), (2, 3))
    ]
    assert all(np.array_equal(one.points, tallies[0].points) for one in tallies)
    assert all(np.array_equal(one.byes, tallies[0].byes) for one in tallies)


def test_a_longer_simulation_begins_with_the_shorter_one() -> None:
    plan, places = seat_plan(6, [0] * 3), strengths(scores(6, 3, seed=4))
    blocks = [simulate(plan, places, number * 16_384, 9).points for number in (1, 2)]
    assert (blocks[1] >= blocks[0]).all()


def test_seeds_and_streams_are_different_simulations() -> None:
    plan, places = seat_plan(12, [0] * 5), strengths(scores(12, 5, seed=4))
    seen = {
        simulate(plan, places, 1000, seed, stream=stream).points.tobytes()
        for seed, stream in ((1, ()), (2, ()), (1, (0,)), (1, (1,)), (1, (0, 0)))
    }
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("contenders", "schedule", "levels"),
    [
        (4, [0, 0, 0, 0], 100),
        (4, [1, 1, 1, 1], 3),
        (5, [0, 0, 0, 0], 3),
        (5, [2, 0, 1, 0], 2),
        (6, [1, 1, 1, 1], 3),
        (6, [0, 3, 0, 0], 100),
        (7, [0, 0, 0, 0], 3),
        (7, [2, 2, 2, 2], 3),
        (8, [0, 0, 0, 0], 4),
        (8, [1, 1, 1, 1], 3),
        (8, [2, 2, 2, 2], 100),
        (8, [3, 0, 2, 0], 2),
    ],
)
def test_two_million_simulations_agree_with_the_exact_answer(contenders: int, schedule: list[int], levels: int) -> None:
    iterations = 2_000_000
    places = strengths(scores(contenders, len(schedule), seed=contenders + levels, levels=levels))
    exact = exact_answer(places, schedule, contenders)
    tally = simulate(seat_plan(contenders, schedule), places, iterations, 1)
    mean, error = moments(tally)
    expected = np.array(exact.expected, dtype=np.float64)
    assert (np.abs(mean - expected) <= 5 * error + 1e-12).all()
    chances = np.array(exact.points, dtype=np.float64)[:, : tally.points.shape[1]]
    noise = np.sqrt(chances * (1 - chances) / iterations)
    assert (np.abs(tally.points / iterations - chances) <= 5 * noise + 1e-12).all()
    byes = np.array(exact.byes, dtype=np.float64)
    assert (np.abs(tally.byes / iterations - byes) <= 5 * len(schedule) / (2 * iterations**0.5)).all()
