"""REST of searches: asking once, a dry run, reading what is known, stopping."""

from __future__ import annotations

import pytest

from webapp.searches.models import Search

URL = "/api/v1/searches/"


@pytest.fixture
def body(versions, contenders):
    names = [f"lab/{one.version.entry.name}" for one in contenders]
    return {
        "goal": "best", "team": "lab", "entries": names, "schemes": ["fp32"], "share": 0.4, "batch": 16, "seed": 5,
        "benchmarks": [f"lab/{version.benchmark.name}" for version in versions],
    }  # fmt: skip


def test_the_same_key_and_body_is_the_same_search(api, alice, body):
    caller = api(alice)
    first = caller.post(URL, body, format="json", headers={"Idempotency-Key": "a"})
    again = caller.post(URL, body, format="json", headers={"Idempotency-Key": "a"})
    other = caller.post(URL, {**body, "seed": 6}, format="json", headers={"Idempotency-Key": "a"})

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert again.headers["Idempotent-Replay"] == "true"
    assert first.headers["Location"] == first.json()["url"]
    assert first.json()["budget"] == 180
    assert Search.objects.count() == 1


def test_a_dry_run_leaves_nothing_behind(api, alice, body):
    plan = api(alice).post(URL, {**body, "dry_run": True}, format="json")

    assert plan.status_code == 200
    assert (plan.json()["samples"], plan.json()["cells"], plan.json()["batches"]) == (180, 450, 15)
    assert not Search.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [({"budget": 5}, "budget"), ({"share": 2}, "share"), ({"method": "lure"}, "method"), ({"what": 1}, "what")],
)
def test_what_is_wrong_is_named(api, alice, body, change, field):
    answer = api(alice).post(URL, {**body, **change}, format="json")
    assert answer.status_code in {400, 422}
    assert field in answer.json()["errors"]


def test_what_is_known_can_be_read(api, alice, ask, drive):
    search = drive(ask(budget=64))
    shown = api(alice).get(f"{URL}{search.pk}/").json()

    assert shown["state"] == "done"
    assert shown["found"]["leader"] == "birch@fp32"
    assert shown["found"]["spent"] == 64
    assert sorted(one["contender"] for one in shown["found"]["known"]) == ["ash@fp32", "birch@fp32", "cedar@fp32"]
    assert "birch@fp32 leads with" in shown["verdict"]


def test_stopping_twice_is_stopping_once(api, alice, ask):
    search = ask()
    stopped = [api(alice).post(f"{URL}{search.pk}/stop/", {"cancel": True}, format="json") for _ in range(2)]

    assert [one.status_code for one in stopped] == [200, 200]
    search.refresh_from_db()
    assert search.stop_requested
