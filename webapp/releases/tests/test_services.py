"""Freezing, showing and withdrawing: the numbers of a release never change, whoever tries."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from webapp.accounts.models import AuditEvent
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.releases import selectors, services, snapshots
from webapp.releases.changes import Change, Move, changes, gone
from webapp.releases.models import Release
from webapp.tests import factories


def standing(frozen, contender):
    return next(row for row in frozen["standings"] if row["contender"] == contender)


def test_a_release_holds_what_the_board_shows(bob, filled):
    made = factories.release(bob, filled, "2026-q4")

    first, second = made.frozen["standings"]
    assert (first["contender"], first["position"], second["contender"]) == ("small@fp32", 1, "large@fp32")
    assert [cell["mean"] for cell in second["cells"]] == [0.75, 0.75]
    assert [column["benchmark"] for column in made.frozen["columns"]] == ["sums", "written"]
    assert made.sha256 == snapshots.sha256(made.frozen)
    assert made.title == f"{filled.title}, 2026-q4"
    assert AuditEvent.objects.get(verb="released").after["sha256"] == made.sha256


@pytest.mark.parametrize("value", [-0.0, 0.0, 1e16, -1e22, 1e300, 1e-300, 0.1 + 0.2, 3.0, None])
def test_its_hash_is_that_of_what_is_read_later(bob, filled, value):
    """The database has no minus zero, and writes whole numbers without a point."""
    filled.standings.update(value=value)

    made = Release.objects.get(pk=factories.release(bob, filled).pk)

    assert made.frozen["standings"][0]["value"] == value
    assert made.sha256 == snapshots.sha256(made.frozen)


def test_it_stays_when_the_board_moves_on(bob, filled):
    made = factories.release(bob, filled)
    Run.objects.update(mean=F("mean") / 2)
    factories.refresh(filled)

    made.refresh_from_db()

    assert standing(made.frozen, "small@fp32")["cells"][0]["mean"] == 1
    assert snapshots.of_board(filled, timezone.now())["standings"][0]["cells"][0]["mean"] == 0.5


@pytest.mark.parametrize("field", ["frozen", "sha256", "as_of", "name", "title", "note", "review"])
def test_the_database_refuses_to_change_a_release(bob, filled, field):
    made = factories.release(bob, filled)
    values = {"frozen": {}, "as_of": datetime(2020, 1, 1, tzinfo=UTC), "review": 7}

    with pytest.raises(DatabaseError, match="change"), transaction.atomic():
        type(made).objects.filter(pk=made.pk).update(**{field: values.get(field, "other")})


def test_a_past_day_shows_only_what_had_arrived(bob, filled):
    Run.objects.filter(contender__name="small@fp32").update(finished_at=timezone.now() - timedelta(days=3))
    day = (timezone.now() - timedelta(days=2)).date()

    made = factories.release(bob, filled, on=day)

    assert [row["contender"] for row in made.frozen["standings"]] == ["small@fp32"]
    assert made.as_of == datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)


def test_as_of_now_ranks_as_the_board_does(bob, filled):
    live, computed = snapshots.of_board(filled, timezone.now()), snapshots.as_of(filled, timezone.now())

    for name in ("contender", "position", "rank_low", "rank_high", "value", "cells"):
        assert [row[name] for row in computed["standings"]] == [row[name] for row in live["standings"]], name
    assert computed["verdict"] == live["verdict"]


@pytest.mark.parametrize(
    ("fields", "field", "error"),
    [
        ({"name": "first"}, "name", Conflict),
        ({"name": "Not a slug"}, "name", Unprocessable),
        ({"name": "later", "on": date(2999, 1, 1)}, "on", Unprocessable),
        ({"name": "early", "on": date(2001, 1, 1)}, "on", Unprocessable),
    ],
)
def test_what_cannot_be_frozen_names_its_field(bob, filled, fields, field, error):
    factories.release(bob, filled, "first")

    with pytest.raises(error) as refused:
        services.freeze(actor=bob, board=filled, **fields)

    assert refused.value.field == field


def test_a_board_that_waits_for_a_refresh_is_not_frozen(bob, filled):
    Leaderboard.objects.update(stale_since=timezone.now())

    with pytest.raises(Conflict, match="being brought up"):
        factories.release(bob, filled)


def test_only_owners_show_a_release_to_more_people_than_the_board(alice, bob, vera, filled):
    with pytest.raises(NotAllowed):
        factories.release(bob, filled, visibility="public")
    with pytest.raises(NotAllowed):
        factories.release(vera, filled)
    made = factories.release(alice, filled, visibility="public")
    with pytest.raises(NotAllowed):
        services.show_to(actor=bob, release=made, visibility="team")

    assert services.show_to(actor=alice, release=made, visibility="private").visibility == "private"


def test_withdrawing_needs_a_reason_and_happens_once(alice, bob, filled):
    made = factories.release(bob, filled)
    with pytest.raises(Unprocessable, match="Say why"):
        services.withdraw(actor=alice, release=made, reason="  ")

    first = services.withdraw(actor=alice, release=made, reason="Wrong prompt.")
    again = services.withdraw(actor=alice, release=made, reason="Another.")

    assert (again.withdrawn_at, again.withdrawn_reason) == (first.withdrawn_at, "Wrong prompt.")
    assert selectors.before(alice, filled, timezone.now()) is None, "what is withdrawn is no base of comparison"


def test_a_withdrawal_is_said_once(alice, bob, filled):
    made = services.withdraw(actor=alice, release=factories.release(bob, filled), reason="Wrong prompt.")

    for field, value in {"withdrawn_at": None, "withdrawn_by": bob, "withdrawn_reason": "Other."}.items():
        with pytest.raises(DatabaseError), transaction.atomic():
            type(made).objects.filter(pk=made.pk).update(**{field: value})


def test_whoever_has_no_finite_value_is_frozen_without_one(bob, filled):
    filled.standings.filter(contender__name="small@fp32").update(value=float("inf"))

    made = factories.release(bob, filled)

    assert standing(made.frozen, "small@fp32")["value"] is None


def test_looking_at_a_day_again_computes_nothing_until_the_board_changes(filled, django_assert_num_queries):
    now = timezone.now()
    first = snapshots.looked_at(filled, now)
    with django_assert_num_queries(0):
        assert snapshots.looked_at(filled, now) is first
    filled.version += 1
    assert snapshots.looked_at(filled, now) is not first


def row(name, position=None, low=None, high=None, fingerprint="f", comparable=True):
    return {"contender": name, "position": position, "rank_low": low, "rank_high": high or low,
            "fingerprint": fingerprint, "comparable": comparable}  # fmt: skip


def test_changes_tell_moves_from_moves_within_the_intervals():
    before = {"standings": [row("a", 1, 1), row("b", 2, 2), row("c", 3, 3, 5), row("d", 4, 3, 5), row("e", 5, 5)]}
    after = {
        "standings": [
            row("b", 1, 1), row("a", 2, 2), row("d", 3, 3, 4), row("c", 4, 3, 4), row("new", 5, 5), row("e"),
        ]
    }  # fmt: skip

    told = changes(before, after)

    assert told["b"] == Change(Move.UP, 1, "2")
    assert told["a"] == Change(Move.DOWN, 1, "1")
    assert told["d"] == Change(Move.UP, 1, "3–5", held=True)
    assert told["new"] == Change(Move.NEW)
    assert told["e"] == Change(Move.UNRANKED, before="5")


def test_another_version_of_an_entry_is_another_contender():
    before = {"standings": [row("a", 1, 1, fingerprint="old"), row("b", 2, 2)]}
    after = {"standings": [row("a", 1, 1, fingerprint="new"), row("b", 2, 2)]}

    assert changes(before, after)["a"].move == Move.NEW
    assert changes(before, after)["b"] == Change(Move.SAME, 0, "2", held=True)
    assert gone(before, after) == ["a"]
