"""REST of boards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from webapp.accounts import services as accounts
from webapp.accounts.models import AuditEvent, User
from webapp.catalog.models import Suite
from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories

Api = Callable[..., APIClient]
BOARDS = "/api/v1/leaderboards/"
MAIN = f"{BOARDS}lab/main/"


@pytest.fixture
def filled(job: Job, board: Leaderboard) -> Leaderboard:
    """`small` is right on all, `large` on half, of both benchmarks."""
    for rights in ([True] * 4, [True] * 4, [True, False] * 2, [False, True] * 2):
        factories.finish(rights)
    return factories.refresh(board)


def test_a_board_tells_ranks_values_and_cells(api: Api, vera: User, filled: Leaderboard) -> None:
    shown = api(vera).get(MAIN).json()
    assert [column["benchmark"] for column in shown["columns"]] == ["sums", "written"]
    first, second = shown["standings"]
    assert (first["contender"], first["value"], first["position"]) == ("small@fp32", 1.0, 1)
    assert (second["contender"], second["value"], second["position"]) == ("large@fp32", 0.5, 2)
    assert [(cell["state"], cell["mean"], cell["done"]) for cell in first["cells"]] == [("done", 1.0, 4)] * 2
    assert shown["version"] == filled.version > 0


def test_missing_results_are_null_and_never_ranked(api: Api, vera: User, job: Job, board: Leaderboard) -> None:
    factories.finish([True] * 4)
    factories.refresh(board)
    rows = {row["contender"]: row for row in api(vera).get(MAIN).json()["standings"]}
    assert (rows["small@fp32"]["position"], rows["small@fp32"]["value"]) == (None, None)
    assert [cell["mean"] for cell in rows["small@fp32"]["cells"]] == [1.0, None]
    assert [cell["state"] for cell in rows["large@fp32"]["cells"]] == ["queued", "queued"]


def test_an_unchanged_board_is_not_sent_again(
    api: Api, vera: User, filled: Leaderboard, django_assert_max_num_queries: Any
) -> None:
    client = api(vera)
    answer = client.get(MAIN)
    tag = answer["ETag"]
    with django_assert_max_num_queries(4):
        again = client.get(MAIN, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == tag
    assert client.get(f"{MAIN}?sort=name", headers={"If-None-Match": tag}).status_code == 200, "another view"


def test_a_changed_board_is_sent_again(api: Api, alice: User, vera: User, filled: Leaderboard) -> None:
    tag = api(vera).get(MAIN)["ETag"]
    api(alice).patch(MAIN, {"title": "Renamed"})
    answer = api(vera).get(MAIN, headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.json()["title"] == "Renamed"


def test_views_sort_and_filter(api: Api, vera: User, filled: Leaderboard) -> None:
    def names(query: str) -> list[str]:
        return [row["contender"] for row in api(vera).get(f"{MAIN}?{query}").json()["standings"]]

    assert names("") == ["small@fp32", "large@fp32"]
    assert names("sort=name") == ["large@fp32", "small@fp32"]
    assert names("sort=-sums") == ["large@fp32", "small@fp32"]
    assert names("q=LAR") == ["large@fp32"]
    assert names("tag=tiny") == ["small@fp32"]


def test_a_board_costs_few_queries(
    api: Api, vera: User, filled: Leaderboard, django_assert_max_num_queries: Any
) -> None:
    client = api(vera)
    with django_assert_max_num_queries(9):
        assert client.get(MAIN).status_code == 200


def test_make_a_board(api: Api, bob: User, suite: Suite) -> None:
    body = {"team": "lab", "name": "weekly", "title": "Weekly", "suite": "lab/basics", "order": "win-rate"}
    answer = api(bob).post(BOARDS, body)
    assert answer.status_code == 201, answer.content
    assert (answer.json()["suite"], answer.json()["order"], answer.json()["version"]) == ("basics", "win-rate", 0)
    assert api(bob).post(BOARDS, body).status_code == 409
    assert api(bob).post(BOARDS, {**body, "name": "x", "order": "luck"}).status_code == 400


def test_only_owners_decide_who_sees_a_board(api: Api, alice: User, bob: User, board: Leaderboard) -> None:
    assert api(bob).patch(MAIN, {"title": "Ours"}).status_code == 200
    assert api(bob).patch(MAIN, {"visibility": "public"}).status_code == 403
    assert api().get(MAIN).status_code == 404
    assert api(alice).patch(MAIN, {"visibility": "public"}).json()["visibility"] == "public"
    assert api().get(MAIN).status_code == 200
    assert [row["name"] for row in api().get(BOARDS).json()["results"]] == ["main"]
    change = AuditEvent.objects.order_by("-id").first()
    assert change is not None
    assert (change.before, change.after) == ({"visibility": "team"}, {"visibility": "public"})


def test_a_submit_token_of_an_owner_does_not_publish(alice: User, board: Leaderboard) -> None:
    client = APIClient()
    secret = accounts.create_token(actor=alice, name="ci", scopes=["submit", "read"], days=1)[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.patch(MAIN, {"visibility": "public"}).status_code == 403
    assert client.patch(MAIN, {"title": "Ours"}).status_code == 200


def test_the_order_and_its_parameters_are_checked(api: Api, alice: User, board: Leaderboard) -> None:
    changed = api(alice).patch(MAIN, {"order": "win-rate", "parameters": {"redraws": 50}})
    assert changed.status_code == 200
    assert changed.json()["parameters"] == {"redraws": 50}
    refused = api(alice).patch(MAIN, {"order": "win-rate", "parameters": {"redraws": 1}})
    assert refused.status_code == 422
    assert list(refused.json()["errors"]) == ["redraws"]
    assert api(alice).patch(MAIN, {"suite": "lab/other"}).status_code == 400


def test_a_private_run_stays_off_shared_boards(
    api: Api, alice: User, bob: User, suite: Suite, board: Leaderboard, entry: Any
) -> None:
    factories.job(bob, board.team, suite, [entry], visibility="private")
    factories.finish([True] * 4)
    factories.refresh(board)
    assert api(bob).get(MAIN).json()["standings"] == []
    api(alice).patch(MAIN, {"visibility": "private"})
    factories.refresh(board)
    assert len(api(alice).get(MAIN).json()["standings"]) == 1
