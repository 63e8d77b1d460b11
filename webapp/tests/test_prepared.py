"""Prepared querysets give what the queryset itself gives, for any values."""

from __future__ import annotations

import contextlib
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, Count, JSONField, Model
from django.db.models.functions import Now
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.utils import timezone
from psycopg.pq import PipelineStatus

from webapp.accounts.models import AuditEvent, Membership, Team, Token, User
from webapp.accounts.selectors import May, ask_team, may, team_named, visible
from webapp.accounts.services import create_team, set_member
from webapp.catalog.models import Price, Suite
from webapp.prepared import OneOf, Prepared, PreparedInsert, at_once

pytestmark = pytest.mark.django_db


def test_instances_come_with_their_relations_and_annotations(alice: User, bob: User) -> None:
    def memberships(user: Any) -> Any:
        rows = Membership.objects.filter(user=user).select_related("user", "team")
        return rows.annotate(others=Count("team__memberships")).order_by("pk")

    prepared = Prepared(memberships, -1)
    for user in (alice, bob):
        expected = list(memberships(user))
        with CaptureQueriesContext(connection) as queries:
            found = prepared(user.pk)
            assert [(m.user.username, m.team.name, m.others) for m in found] == [
                (m.user.username, m.team.name, m.others) for m in expected
            ]
        assert len(queries) == 1
        assert found == expected
        assert not found[0]._state.adding


def test_values_that_the_database_does_not_know_are_converted(alice: User) -> None:
    """JSON, arrays and decimals: what a field's `from_db_value` and the backend's converters do."""
    Token.objects.create(user=alice, name="x", digest="d", prefix="p", scopes=["read"], expires_at="2099-01-01T00:00Z")
    prepared = Prepared(lambda digest: Token.objects.filter(digest=digest, expires_at__gt=Now()), "a digest")
    found = prepared.first("d")
    assert found is not None
    assert found == Token.objects.get(digest="d")
    assert found.scopes == ["read"]
    assert prepared.first("another") is None


def test_a_stand_in_that_occurs_twice_is_filled_in_twice(alice: User, bob: User) -> None:
    """`visible` names the person four times."""
    teams = {person: create_team(actor=person, name=f"of-{person.username}", title="Own") for person in (alice, bob)}
    for person, name, visibility in ((alice, "own", "private"), (bob, "hidden", "team"), (bob, "shown", "public")):
        team = teams[person]
        Suite.objects.create(team=team, created_by=person, name=name, title=name, visibility=visibility)
    prepared = Prepared(lambda user: visible(Suite.objects.all(), User(pk=user)).order_by("name"), -1)
    assert [suite.name for suite in prepared(alice.pk)] == ["own", "shown"]
    assert [suite.name for suite in prepared(bob.pk)] == ["hidden", "shown"]
    assert [suite.name for suite in prepared(0)] == ["shown"]


def test_lists_of_any_length_are_one_statement(alice: User, bob: User) -> None:
    prepared = Prepared(lambda names: User.objects.filter(OneOf("username", names, CharField())), ["a name"])
    assert prepared([]) == []
    assert prepared([alice.username]) == [alice]
    assert set(prepared([alice.username, bob.username, "nobody", "o'hara", "{}", "a,b"])) == {alice, bob}


def test_values_are_no_sql(alice: User) -> None:
    prepared = Prepared(lambda name: User.objects.filter(username=name), "a name")
    assert prepared("' OR ''='") == []
    assert prepared("%s") == []


def test_rows_of_values(alice: User) -> None:
    create_team(actor=alice, name="own", title="Own")
    own = Membership.objects.filter(team__name="own")
    prepared = Prepared(lambda user: own.filter(user=user).values_list("role", "team__name"), -1)
    assert [tuple(row) for row in prepared.rows(alice.pk)] == [("owner", "own")]


def test_a_stand_in_that_the_query_does_not_hold_is_refused() -> None:
    prepared = Prepared(lambda _: Price.objects.filter(valid_from__lte=date(2000, 1, 1)), date.min)
    with pytest.raises(ValueError, match="is no parameter"):
        prepared(date(2026, 1, 1))


def test_roles_are_read_anew_each_time(alice: User, bob: User) -> None:
    """The statement is kept, its answers are not."""
    team = create_team(actor=alice, name="shared", title="Shared")
    assert not may(bob, team, May.SUBMIT)
    assert team_named(bob, ask_team(bob, "shared")) is None
    set_member(actor=alice, team=team, username=bob.username, role="viewer")
    assert may(bob, team, May.READ)
    assert not may(bob, team, May.SUBMIT)
    assert team_named(bob, ask_team(bob, "shared")) == team
    set_member(actor=alice, team=team, username=bob.username, role="submitter")
    assert may(bob, team, May.SUBMIT)


def test_inserted_rows_are_what_saving_makes(alice: User) -> None:
    """Defaults, JSON, arrays, times that fields set themselves; in the order of the rows."""
    now = timezone.now()
    rows = [
        Token(
            user=alice, name=f"t{at}", digest=str(at), prefix="p", scopes=["read", "submit"][: at % 3], expires_at=now
        )
        for at in range(7)
    ]
    assert PreparedInsert(Token)(rows) == rows
    stored = list(Token.objects.order_by("pk"))
    assert [token.name for token in stored] == [f"t{at}" for at in range(7)]
    assert [token.pk for token in stored] == [row.pk for row in rows]
    assert [token.scopes for token in stored] == [row.scopes for row in rows]
    assert stored[0].created_at is not None
    assert stored[0].last_used_at is None
    rows[0].name = "renamed"
    rows[0].save()
    assert Token.objects.count() == 7


def test_what_breaks_a_unique_constraint_is_left_out(alice: User) -> None:
    insert = PreparedInsert(User)
    twin = User(username=alice.username.upper(), email="twin@example.org")
    fresh = User(username="fresh", email="fresh@example.org")
    assert insert([twin, fresh]) == [fresh]
    assert twin.pk is None
    assert User.objects.get(username="fresh") == fresh
    assert insert([]) == []


def test_each_choice_of_stated_fields_is_inserted(alice: User, team: Team) -> None:
    """The same statement object, with fields at their defaults in one call and not in the other."""
    insert = PreparedInsert(AuditEvent)
    plain = AuditEvent(actor=alice, actor_name="alice", team=team, verb="100 %", target="a")
    told = AuditEvent(actor=None, actor_name="system", team=None, verb="", target="%s", before={"a": 1}, after={"%": 2})
    for rows in ([plain], [told], [AuditEvent(verb="100 %"), AuditEvent(after={"b": None})]):
        assert insert(rows) == rows
    for row in (plain, told):
        stored = AuditEvent.objects.get(pk=row.pk)
        for field in AuditEvent._meta.concrete_fields:
            assert getattr(stored, field.attname) == getattr(row, field.attname), field.name
    last = AuditEvent.objects.order_by("-pk")[:2]
    assert [(event.verb, event.after) for event in last] == [("", {"b": None}), ("100 %", {})]


@isolate_apps("webapp.jobs")
def test_what_is_left_to_the_database_is_its_default() -> None:
    """Which a new column has, so that the version before may insert rows without it."""

    class Parcel(Model):  # noqa: DJ008 - nobody reads its name
        name = CharField(max_length=20)
        kind = CharField(max_length=20, db_default="small")
        facts = JSONField(db_default={"heavy": False})

        class Meta:
            app_label = "jobs"

    with connection.schema_editor() as editor:
        editor.create_model(Parcel)
    insert = PreparedInsert(Parcel)
    rows = [Parcel(name="a"), Parcel(name="b"), Parcel(name="c", kind="large"), Parcel(name="d", facts=[])]
    assert insert(rows) == rows
    insert.append([Parcel(name="e", kind="flat"), Parcel(name="f")])
    stored = list(Parcel.objects.order_by("pk").values_list("name", "kind", "facts"))
    plain = {"heavy": False}
    assert stored == [
        ("a", "small", plain), ("b", "small", plain), ("c", "large", plain), ("d", "small", []),
        ("e", "flat", plain), ("f", "small", plain),
    ]  # fmt: skip
    assert [(row.name, row.kind, row.facts) for row in rows] == stored[:4], "and so the rows say"


def test_what_is_asked_at_once_is_answered_together(alice: User, team: Team) -> None:
    """Statements leave before anything is read, an inserted row is seen by the next of them, and each gets its own."""
    named = Prepared(lambda name: Team.objects.filter(name=name), "a name")
    events = Prepared(lambda verb: AuditEvent.objects.filter(verb=verb), "a verb")
    with at_once():
        mine, nobodys = named.ask(team.name), named.ask("nobody's")
        PreparedInsert(AuditEvent).append([AuditEvent(verb="tried", target=str(at)) for at in range(3)])
        tried = events.ask("tried")
        assert connection.connection.info.pipeline_status == PipelineStatus.ON
    assert connection.connection.info.pipeline_status == PipelineStatus.OFF
    assert (mine.all(), nobodys.first()) == ([team], None)
    assert sorted(event.target for event in tried.all()) == ["0", "1", "2"]
    with at_once():
        asked = named.ask(team.name)
        assert asked.first() == team, "whoever reads inside waits"
        assert Team.objects.filter(name=team.name).exists(), "as do Django's own queries"


def test_an_error_at_once_is_djangos_and_leaves_a_sound_connection(alice: User, team: Team) -> None:
    named = Prepared(lambda name: Team.objects.filter(name=name), "a name")

    def ask() -> None:
        with at_once():
            named.ask(team.name)

    @transaction.atomic
    def refused() -> None:
        with at_once():
            named.ask(team.name)
            PreparedInsert(Membership).append([Membership(user=alice, team=team, role="captain")])
            named.ask(team.name)

    @transaction.atomic
    def broken() -> None:
        with contextlib.suppress(IntegrityError), transaction.atomic(savepoint=False):
            raise IntegrityError
        ask()

    for attempt, error in ((refused, IntegrityError), (broken, TransactionManagementError)):
        with pytest.raises(error):
            attempt()
        ask()
        assert named.first(team.name) == team
