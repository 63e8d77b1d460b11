"""Saved views over REST: kept, listed, shared and deleted as on the page."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.tests import factories


@pytest.fixture
def address(board):
    return reverse("api:saved_views", args=[board.team.name, board.name])


def test_a_view_is_kept_in_its_shortest_form_and_replaced_by_its_name(api, vera, address):
    kept = api(vera).post(address, {"name": "Mine", "query": "sort=name&comparable=1&page=3&unknown=1"})
    assert (kept.status_code, kept.json()["query"], kept.json()["shared"]) == (201, "sort=name", False)
    again = api(vera).post(address, {"name": "Mine", "query": "q=tiny"})
    assert again.json()["id"] == kept.json()["id"]

    assert [(one["name"], one["query"], one["created_by"]) for one in api(vera).get(address).json()] == [
        ("Mine", "q=tiny", "vera")
    ]


def test_others_see_what_is_shared_and_only_owners_delete_it(api, alice, bob, vera, address):
    mine, ours = (
        api(bob).post(address, {"name": name, "query": "sort=name", "shared": shared}).json()["id"]
        for name, shared in (("Mine", False), ("Ours", True))
    )
    assert [one["name"] for one in api(vera).get(address).json()] == ["Ours"]
    assert api(vera).delete(f"{address}{mine}/").status_code == 404
    assert api(vera).delete(f"{address}{ours}/").status_code == 403

    assert api(alice).delete(f"{address}{ours}/").status_code == 204
    assert [one["name"] for one in api(bob).get(address).json()] == ["Mine"]


def test_the_query_of_a_view_gives_its_rows(api, alice, board, job, address):
    for _ in range(4):
        factories.finish([True, False, True, True])
    factories.refresh(board)
    query = api(alice).post(address, {"name": "Large", "query": "q=large"}).json()["query"]

    rows = (
        api(alice).get(f"{reverse('api:leaderboard', args=[board.team.name, board.name])}?{query}").json()["standings"]
    )

    assert [row["contender"] for row in rows] == ["large@fp32"]


def test_a_view_needs_a_name_and_no_unknown_fields(api, vera, address):
    for body in ({"query": ""}, {"name": "x", "colour": "red"}, {"name": " "}):
        assert api(vera).post(address, body).status_code in {400, 422}
