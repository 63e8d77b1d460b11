"""The signed-off mark: on the results that were reviewed, and on no others."""

from __future__ import annotations

import pytest

from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.signing import sign_off
from webapp.leaderboards.tables import table
from webapp.tests import factories


@pytest.fixture
def runs(job, board) -> list[Run]:
    """Four finished runs of two contenders, on the board."""
    made = [factories.finish([True, False, True, True]) for _ in range(4)]
    factories.refresh(board)
    return made


def marks(board: Leaderboard) -> dict[str, str]:
    return {row.name: row.sign_off for row in table(Leaderboard.objects.get(pk=board.pk)).rows}


def test_a_contender_is_marked_when_all_its_results_are_covered(board, runs):
    small = [run.pk for run in runs if run.contender.name.startswith("small")]
    before = board.version

    assert sign_off(board_id=board.pk, review=7, runs=small) == 1

    assert marks(board) == {"small@fp32": "current", "large@fp32": ""}
    assert Leaderboard.objects.get(pk=board.pk).version == before + 1
    assert sign_off(board_id=board.pk, review=8, runs=small[:1]) == 0
    assert marks(board) == {"small@fp32": "", "large@fp32": ""}


def test_a_mark_turns_stale_with_the_results(board, runs):
    sign_off(board_id=board.pk, review=7, runs=[run.pk for run in runs])
    run = next(run for run in runs if run.contender.name == "small@fp32")

    Run.objects.filter(pk=run.pk).update(mean=0.25)
    factories.refresh(board)

    assert marks(board) == {"small@fp32": "stale", "large@fp32": "current"}
    Run.objects.filter(pk=run.pk).update(mean=run.mean)
    factories.refresh(board)
    assert marks(board)["small@fp32"] == "current", "the very results that were signed off are back"


def test_the_board_says_so_in_words(client, alice, board, runs):
    sign_off(board_id=board.pk, review=7, runs=[run.pk for run in runs])
    client.force_login(alice)

    page = client.get("/boards/lab/main/").content.decode()
    rows = client.get("/api/v1/leaderboards/lab/main/").json()["standings"]

    assert page.count('href="/reviews/7/"') == 2
    assert {(row["signed_off"], row["sign_off"]) for row in rows} == {(7, "current")}
