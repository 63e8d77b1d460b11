"""A search under way takes the decisions of the replay on the same table, whatever is known before it begins."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.analyses.searching.bounds import Spending
from evaluation.analyses.searching.live import known_so_far, next_asks, picture, shared_order
from evaluation.analyses.searching.replay import Plan, replays
from evaluation.errors import BadTable

RNG = np.random.default_rng(7)


def table(contenders: int, size: int) -> np.ndarray:
    skill = np.linspace(0.5, 0.7, contenders)
    return (RNG.random((contenders, size)) < skill[:, None]).astype(float)


def drive(truth: np.ndarray, spending: Spending, budget: int, *, known: np.ndarray | None = None) -> tuple:
    """Ask until nothing is left. truth: (contender, N) in the order of asking. Gives scores, and (contender, samples)
    of each decision."""
    scores = np.full(truth.shape, np.nan) if known is None else np.where(known, truth, np.nan)
    asked, left = [], budget
    while asks := next_asks(scores, spending, left):
        for ask in asks:
            assert np.isnan(scores[ask.contender, ask.start : ask.stop]).sum() == ask.fresh
            scores[ask.contender, ask.start : ask.stop] = truth[ask.contender, ask.start : ask.stop]
            asked.append((ask.contender, ask.stop - ask.start))
            left -= ask.fresh
    assert left >= 0
    return scores, asked, budget - left


@pytest.mark.parametrize(("exploration", "batch"), [(1.0, 32), (0.1, 8), (5.0, 7)])
@pytest.mark.parametrize("budget", [3, 100, 333, 1200])
def test_live_choices_are_those_of_the_replay(exploration, batch, budget):
    scores, spending = table(4, 300), Spending(exploration, batch)
    order = shared_order(300, seed=5)

    live, _, paid = drive(scores[:, order], spending, budget)

    replay = next(replays(scores, Plan(np.array([budget]), spending, False, 0.0), 1, 5))
    assert known_so_far(live).tolist() == replay.counts.tolist()
    assert paid == min(budget, 1200)
    seen = picture(live, exploration, 0.0)
    assert seen.leader == replay.found[-1]
    assert seen.chance_wrong == pytest.approx(replay.chance_wrong)


def test_what_is_known_costs_nothing_and_ends_its_contender():
    truth = table(3, 100)
    known = np.zeros(truth.shape, dtype=bool)
    known[1] = True  # a complete run
    known[2, 5:40] = True  # another search's samples, after a gap

    live, asked, paid = drive(truth, Spending(1.0, 20), 60, known=known)

    assert 1 not in {contender for contender, _ in asked}
    assert paid == 60
    assert asked[1] == (2, 20), "twenty samples of which five were asked"
    assert np.isnan(live[[0, 2]]).sum() == 2 * 100 - 35 - 60


def test_first_batches_are_one_decision_and_the_budget_cuts_the_last_one():
    asks = next_asks(np.full((3, 50), np.nan), Spending(1.0, 20), 45)

    assert [(ask.contender, ask.start, ask.stop, ask.fresh) for ask in asks] == [
        (0, 0, 20, 20),
        (1, 0, 20, 20),
        (2, 0, 5, 5),
    ]
    assert next_asks(np.full((3, 50), np.nan), Spending(1.0, 20), 0) == []


def test_a_search_that_has_asked_everything_is_sure():
    whole = picture(np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), 1.0, 0.05)

    assert (whole.leader, whole.chance_wrong) == (0, 0.0)
    assert [(place.low, place.mean, place.high) for place in whole.places] == [(2 / 3,) * 3, (1 / 3,) * 3]
    assert picture(np.full((2, 3), np.nan), 1.0, 0.05).leader is None


def test_scores_outside_the_unit_interval_are_refused():
    with pytest.raises(BadTable, match="0 to 1"):
        picture(np.array([[1.0, 2.0], [0.0, np.nan]]), 1.0, 0.0)
