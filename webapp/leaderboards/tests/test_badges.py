"""What stands beside a contender's name: facts of the database, with a sign, a word and a sentence each."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.catalog import services as catalog
from webapp.catalog.sources import SourceRequest
from webapp.jobs.models import Run
from webapp.leaderboards.badges import BADGES
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.selectors import board as shown
from webapp.leaderboards.signing import sign_off
from webapp.leaderboards.viewing import View
from webapp.results.services import finish_run
from webapp.tests import factories

RIGHTS = [True, False, True, True]


def found(board):
    now = shown(Leaderboard.objects.get(pk=board.pk), View())
    return {row.name: [badge.key for badge in now.badges(row)] for row in now.rows}


@pytest.fixture
def scored(board, job):
    """Two contenders with a result on both benchmarks."""
    for _ in range(4):
        factories.finish(RIGHTS)
    return factories.refresh(board)


def test_a_plain_contender_has_none(scored):
    assert found(scored) == {"small@fp32": [], "large@fp32": []}


def test_a_missing_benchmark_makes_a_row_partial_once_something_is_there(board, job):
    assert set(map(tuple, found(factories.refresh(board)).values())) == {()}
    run = factories.finish(RIGHTS)

    assert found(factories.refresh(board))[run.contender.name] == ["partial"]


def test_quantised_weights_and_the_reference_that_they_are_measured_by(scored, alice, team, suite, entry):
    factories.job(alice, team, suite, [entry], scheme="int8")
    for _ in range(2):
        lease = factories.claim(schemes=["int8"])
        factories.score(lease, RIGHTS)
        finish_run(lease=lease, provenance={})

    assert found(factories.refresh(scored)) == {
        "small@fp32": ["reference"],
        "small@int8": ["quantised"],
        "large@fp32": [],
    }


def test_signed_off_turns_stale_with_a_newer_result(scored, alice, team, suite, entry):
    sign_off(board_id=scored.pk, review=7, runs=list(Run.objects.values_list("pk", flat=True)))
    assert found(scored)["small@fp32"] == ["signed-off"]
    factories.job(alice, team, suite, [entry], settings={"repeat": 1})
    factories.finish([True] * 4)

    assert found(factories.refresh(scored))["small@fp32"] == ["sign-off-stale"]


def test_a_newer_version_of_an_entry_or_of_a_benchmark_shows_without_a_new_version_of_the_board(
    scored, alice, api, client, entry, benchmark, tmp_path
):
    address = reverse("api:leaderboard", args=[scored.team.name, scored.name])
    before = api(alice).get(address)
    folder = factories.checkpoint(tmp_path / "newer", width=8)
    catalog.add_entry_version(actor=alice, entry=entry.entry, source=SourceRequest("directory", str(folder)))
    catalog.add_benchmark_version(
        actor=alice, benchmark=benchmark.benchmark, definition=factories.CHOICE, lines=factories.documents(9)
    )

    assert found(scored) == {"small@fp32": ["older-version"], "large@fp32": []}
    after = api(alice).get(address, headers={"If-None-Match": before["ETag"]})
    assert after.status_code == 200
    assert {row["contender"]: row["badges"] for row in after.data["standings"]} == found(scored)
    client.force_login(alice)
    page = client.get(reverse("leaderboards:leaderboard", args=[scored.team.name, scored.name])).content.decode()
    table = page[page.index("<thead") : page.index("</table>")]
    assert table.count(BADGES["older-version"].text) == 1
    assert table.count(BADGES["older-benchmark"].text) == 1


def test_the_legend_says_all_of_them(scored, alice, client):
    client.force_login(alice)

    page = client.get(reverse("leaderboards:leaderboard", args=[scored.team.name, scored.name])).content.decode()

    legend = page[page.index("How to read this board") :]
    assert all(badge.text in legend and badge.about in legend for badge in BADGES.values())
    assert len({badge.icon + badge.text for badge in BADGES.values()}) == len(BADGES)
