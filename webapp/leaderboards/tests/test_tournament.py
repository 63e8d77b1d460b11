"""The tournament that orders a board: its page, its socket, REST, and a person's own run of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.catalog.models import Suite
from webapp.jobs.models import Job
from webapp.leaderboards import ordering, services
from webapp.leaderboards.consumers import TournamentConsumer
from webapp.leaderboards.models import Leaderboard
from webapp.results import reports
from webapp.results.models import Report
from webapp.tests import factories

Api = Callable[..., APIClient]
ALL, HALF, NONE = [True] * 4, [True, False] * 2, [False] * 4
PAGE = "/boards/lab/main/tournament/"
REPORTS = "/api/v1/reports/"
LIVE = "/api/v1/leaderboards/lab/main/report/"
FORM = {"eliminate": "0,2", "iterations": 300, "seed": 5, "missing": "strict", "round_score": "raw", "orders": 0}


@pytest.fixture
def board(alice: User, team: Team, suite: Suite) -> Leaderboard:
    return factories.board(alice, team, "main", suite, order="swiss")


@pytest.fixture
def played(job: Job, board: Leaderboard) -> Leaderboard:
    """small is right on all, large on half, of both benchmarks."""
    for rights in (ALL, ALL, HALF, HALF):
        factories.finish(rights)
    return factories.refresh(board)


def page_of(client: Client, address: str = PAGE) -> str:
    return unescape(client.get(address).content.decode())


def test_boards_are_ordered_by_the_tournament_unless_asked_otherwise(alice: User, team: Team, suite: Suite) -> None:
    made = services.create_leaderboard(actor=alice, team=team, name="b", title="B", suite=suite)
    assert made.order == Leaderboard().order == "swiss"


def test_the_board_shows_expected_points_and_what_they_are(client: Client, vera: User, played: Leaderboard) -> None:
    client.force_login(vera)
    page = page_of(client, "/boards/lab/main/")
    assert "arxiv.org/abs/2512.21010" in page
    assert f'href="{PAGE}"' in page
    cells = re.findall(r'<td class="value">([\d.]+) <small>±([\d.]+)</small>', page)
    assert cells == [("1.00", "0.000"), ("0.00", "0.000")]


def test_the_numbers_of_the_page_are_those_of_the_api(
    client: Client, api: Api, vera: User, played: Leaderboard
) -> None:
    client.force_login(vera)
    live = api(vera).get(LIVE).json()
    assert (live["state"], live["analysis"], live["parameters"]["eliminate"]) == ("done", "swiss", "0,1,2")
    points = live["result"]["eliminations"]["0"]["expected_points"]
    page = page_of(client)
    shown = dict(re.findall(r'<th scope="row">([^<]+)</th>\s*<td class="num"><strong>([\d.]+)</strong>', page))
    assert {name: float(text) for name, text in shown.items()} == {
        name: round(value, 2) for name, value in zip(live["result"]["contenders"], points, strict=True)
    }
    assert "small@fp32 leads with 1.00 expected points of at most 1, 1.00 more than large@fp32." in page
    assert "Exact" in page
    standings = api(vera).get("/api/v1/leaderboards/lab/main/").json()["standings"]
    assert {row["contender"]: row["value"] for row in standings} == dict(
        zip(live["result"]["contenders"], points, strict=True)
    )


def test_who_is_not_complete_is_left_out_by_name(client: Client, vera: User, job: Job, board: Leaderboard) -> None:
    client.force_login(vera)
    assert "No tournament yet" in page_of(client)
    factories.finish(ALL)
    factories.refresh(board)
    assert "No contender has a result on every benchmark yet." in page_of(client)
    factories.finish(ALL)
    factories.refresh(board)
    page = page_of(client)
    assert "Left out:</strong> large@fp32" in page
    assert "small@fp32 is alone" in page


def test_a_board_of_another_order_offers_the_tournament_on_request(
    client: Client, bob: User, played: Leaderboard
) -> None:
    services.change_leaderboard(actor=bob, board=played, order="win-rate")
    factories.refresh(played)
    client.force_login(bob)
    page = page_of(client)
    assert "No live tournament" in page
    assert 'name="eliminate"' in page


def test_run_again_is_a_report_with_its_own_parameters(client: Client, bob: User, played: Leaderboard) -> None:
    client.force_login(bob)
    answer = client.post(PAGE, FORM)
    report = Report.objects.get(leaderboard=None)
    assert answer.headers["Location"] == f"/reports/{report.pk}/#main"
    assert (report.parameters["seed"], report.parameters["exact"], report.created_by) == (5, False, bob)
    assert "The result appears here by itself." in page_of(client, f"/reports/{report.pk}/")
    before = report.changes
    reports.compute_report(report_id=report.pk)
    fragment = page_of(client, f"/reports/{report.pk}/result/")
    assert 'id="report_result"' in fragment
    assert "seed 5" in fragment
    assert f'data-version="{before}"' not in fragment, "pages that show the old one are brought up to date"
    assert "Swiss-system tournament: Main" in page_of(client, "/reports/")


def test_a_report_is_repeated_on_the_same_runs(client: Client, bob: User, played: Leaderboard) -> None:
    first = factories.report(bob, played, iterations=200)
    client.force_login(bob)
    answer = client.post(f"/reports/{first.pk}/", {**FORM, "title": "Once more"})
    second = Report.objects.latest("pk")
    assert answer.headers["Location"] == f"/reports/{second.pk}/#main"
    assert (second.title, second.inputs) == ("Once more", first.inputs)


def test_a_wrong_parameter_is_said_at_its_field(client: Client, bob: User, played: Leaderboard, settings: Any) -> None:
    settings.REPORT_MAX_SECONDS = 0
    client.force_login(bob)
    answer = client.post(PAGE, FORM)
    assert answer.status_code == 422
    assert "a report may take 0" in answer.context["form"].errors["iterations"][0]


@pytest.mark.parametrize("analysis", ["mean-score", "bradley-terry"])
def test_other_analyses_have_the_generic_page(client: Client, bob: User, played: Leaderboard, analysis: str) -> None:
    report = factories.report(bob, played, analysis)
    client.force_login(bob)
    page = page_of(client, f"/reports/{report.pk}/")
    assert '<th scope="row">small@fp32</th>' in page
    assert "rank low" in page
    assert str(report.inputs["runs"][0]) in page


def test_rest_asks_for_a_report_and_reads_it(api: Api, bob: User, vera: User, played: Leaderboard) -> None:
    answer = api(bob).post(REPORTS, {"leaderboard": "lab/main", "analysis": "swiss", "parameters": {"seed": 3}})
    assert answer.status_code == 202, answer.content
    made = answer.json()
    assert answer["Location"].endswith(f"{REPORTS}{made['id']}/")
    assert (made["state"], made["parameters"]["seed"], made["inputs"]["left_out"]) == ("queued", 3, [])
    assert api(vera).get(answer["Location"]).json()["result"] is None
    reports.compute_report(report_id=made["id"])
    read = api(vera).get(answer["Location"]).json()
    assert read["state"] == "done"
    assert read["result"]["eliminations"]["0"]["expected_points"] == [0.0, 1.0]
    assert [row["id"] for row in api(vera).get(REPORTS).json()["results"]] == [made["id"]]
    assert "result" not in api(vera).get(REPORTS).json()["results"][0]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"analysis": "astrology"}, 422, "analysis"),
        ({"parameters": {"iterations": 0}}, 422, "iterations"),
        ({"leaderboard": "lab/none"}, 400, "leaderboard"),
        ({"surprise": 1}, 400, "surprise"),
    ],
)
def test_rest_names_what_is_wrong(
    api: Api, bob: User, played: Leaderboard, body: dict[str, Any], status: int, field: str
) -> None:
    answer = api(bob).post(REPORTS, {"leaderboard": "lab/main", "analysis": "swiss", **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (status, [field])


def test_small_boards_play_it_all_and_large_ones_less() -> None:
    full = ordering.live_parameters("swiss", {"seed": 9}, 29, 12)
    assert (full["eliminate"], full["iterations"], full["crosstable"], full["seed"]) == ("0,1,2", 100_000, True, 9)
    light = ordering.live_parameters("swiss", {"seed": 9}, 500, 100)
    assert (light["eliminate"], light["iterations"], light["crosstable"], light["seed"]) == ("0", 5_000, False, 9)
    costly = ordering.live_parameters("swiss", {"iterations": 20_000_000}, 29, 12)
    assert costly["iterations"] == 5_000
    assert ordering.live_parameters("win-rate", {}, 500, 100)["redraws"] == 200


def test_the_order_is_not_computed_again_for_the_same_runs(
    played: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = played.report
    assert report is not None

    def refuse(*_: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(ordering, "_computed", refuse)
    factories.refresh(played)
    assert played.stale_since is None
    assert Report.objects.get(pk=report.pk).changes == report.changes


def test_nobody_waits_while_the_order_is_computed(
    bob: User, played: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The computation runs outside of every transaction: no row is locked meanwhile."""
    real, depth = ordering.order, []
    outside = len(connection.savepoint_ids)

    def watched(*given: Any) -> Any:
        depth.append(len(connection.savepoint_ids) - outside)
        services.change_leaderboard(actor=bob, board=played, title="Meanwhile")
        return real(*given)

    monkeypatch.setattr(ordering, "order", watched)
    factories.refresh(played)
    assert depth == [0]
    assert (played.title, played.stale_since is None) == ("Meanwhile", False)
    monkeypatch.undo()
    factories.refresh(played)
    assert played.stale_since is None


def test_an_order_changed_meanwhile_is_not_overwritten(
    bob: User, played: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ordering.order

    def slow(*given: Any) -> Any:
        found = real(*given)
        services.change_leaderboard(actor=bob, board=played, order="mean-score")
        return found

    services.change_leaderboard(actor=bob, board=played, order="win-rate")
    monkeypatch.setattr(ordering, "order", slow)
    services.refresh(board_id=played.pk)
    played.refresh_from_db()
    assert played.report is not None
    assert (played.order, played.report.analysis) == ("mean-score", "swiss")
    assert played.stale_since is not None
    monkeypatch.undo()
    factories.refresh(played)
    assert Report.objects.get(pk=played.report_id).analysis == "mean-score"


def test_the_socket_pushes_what_the_page_shows(client: Client, vera: User, played: Leaderboard) -> None:
    socket = TournamentConsumer()
    socket.scope = {"url_route": {"kwargs": {"team": "lab", "name": "main"}}}
    assert socket.find(vera)
    client.force_login(vera)
    assert socket.render().strip() == client.get(f"{PAGE}result/").content.decode().strip()
    assert socket.version() == played.report.changes  # type: ignore[union-attr]
    assert not TournamentConsumer.find(socket, factories.person("mallory"))


def test_a_large_field_costs_no_more_queries(
    client: Client, alice: User, vera: User, played: Leaderboard, tmp_path: Any, suite: Suite, team: Team
) -> None:
    client.force_login(vera)

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(PAGE).status_code == 200
        return len(seen)

    before = queries()
    more = [
        factories.entry(alice, team, f"e{i}", factories.checkpoint(tmp_path / f"e{i}", width=20 + i)) for i in range(8)
    ]
    factories.job(alice, team, suite, more)
    for at in range(16):
        factories.finish([True] * (at % 5) + [False] * (4 - at % 5) if at % 5 < 4 else ALL)
    factories.refresh(played)
    page = page_of(client)
    assert "100,000" in page, "ten contenders are too many for the exact answer"
    assert queries() == before
