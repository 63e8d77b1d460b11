"""The board's rank intervals say what the samples can hold, whatever the order of the board says."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.accounts.models import Team, User
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories

pytestmark = pytest.mark.django_db
SAMPLES = 60


@pytest.fixture
def board_of(alice: User, team: Team, tmp_path: Path):
    """A board over one benchmark on which entry-0, entry-1 ... have these many samples right, from the first on."""

    def make(*rights: int) -> Leaderboard:
        version = factories.benchmark(alice, team, "many", SAMPLES)
        suite = factories.suite(alice, team, "many", [version])
        board = factories.board(alice, team, "many", suite)
        for number, right in enumerate(rights):
            folder = factories.checkpoint(tmp_path / str(number), width=number + 2)
            factories.job(alice, team, suite, [factories.entry(alice, team, f"entry-{number}", folder)])
            factories.finish([sample < right for sample in range(SAMPLES)])
        return factories.refresh(board)

    return make


def ranks(board: Leaderboard) -> list[tuple[int | None, int | None, int | None]]:
    rows = board.standings.order_by("contender__name")
    return list(rows.values_list("position", "rank_low", "rank_high"))


def test_what_the_samples_cannot_tell_apart_shares_its_ranks(board_of):
    board = board_of(50, 49, 10)
    assert ranks(board) == [(1, 1, 2), (2, 1, 2), (3, 3, 3)]
    assert "cannot separate entry-0@fp32 and entry-1@fp32" in board.verdict
    assert "more would" in board.verdict


def test_a_clear_leader_is_said_to_lead(board_of):
    board = board_of(55, 20)
    assert ranks(board) == [(1, 1, 1), (2, 2, 2)]
    assert board.verdict == "entry-0@fp32 leads: on these 60 samples it is better than every other contender."


def test_one_contender_alone_is_compared_with_nobody(board_of):
    board = board_of(30)
    assert ranks(board) == [(1, 1, 1)]
    assert board.verdict == ""
