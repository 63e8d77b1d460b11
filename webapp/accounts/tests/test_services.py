"""People, teams, roles, tokens and the audit log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from webapp.accounts import selectors, services
from webapp.accounts.models import AuditEvent, Membership, Role, Scope, Team, Token, User
from webapp.accounts.selectors import ALLOWS, May
from webapp.errors import Conflict, DomainError, NotAllowed
from webapp.tests import factories


def test_sign_up_makes_an_owner_of_a_team(db: None) -> None:
    user = factories.person("dora")
    assert user.check_password(factories.PASSWORD)
    assert list(selectors.teams_where(user, May.MANAGE).values_list("name", flat=True)) == ["dora"]


@pytest.mark.parametrize(
    ("username", "email", "password", "field"),
    [
        ("Alice", "new@example.org", factories.PASSWORD, "username"),
        ("new", "ALICE@example.org", factories.PASSWORD, "email"),
        ("new", "new@example.org", "short", "password"),
        ("new", "new@example.org", "password123", "password"),
    ],
)
def test_sign_up_refuses_what_is_taken_or_weak(
    alice: User, username: str, email: str, password: str, field: str
) -> None:
    with pytest.raises(DomainError) as error:
        services.sign_up(username=username, email=email, password=password)
    assert error.value.field == field
    assert User.objects.count() == 1


def test_a_taken_team_name_gets_an_ending(team: Team) -> None:
    user = services.sign_up(username="lab", email="lab@example.org", password=factories.PASSWORD)
    name = selectors.teams_where(user).get().name
    assert name.startswith("lab-")


def test_roles_include_the_lower_ones() -> None:
    order = [Role.VIEWER, Role.REVIEWER, Role.SUBMITTER, Role.OWNER]
    for lower, higher in pairwise(order):
        assert ALLOWS[lower] < ALLOWS[higher]
    assert set(ALLOWS) == set(Role.values)
    assert {may.value for may in May} == set(Scope.values)


@pytest.mark.parametrize(("name", "allowed"), [("alice", 4), ("bob", 3), ("rita", 2), ("vera", 1), ("charlie", 0)])
def test_what_each_person_may(
    alice: User, bob: User, rita: User, vera: User, charlie: User, team: Team, name: str, allowed: int
) -> None:
    person = User.objects.get(username=name)
    assert [selectors.may(person, team, what) for what in May] == [True] * allowed + [False] * (4 - allowed)


class TestOwnedTeams:
    """Teams take turns at the workers, so whoever could make any number would have all the turns."""

    @pytest.fixture(autouse=True)
    def four_at_most(self, settings: Settings, team: Team) -> None:
        """alice owns that of her sign-up and another one."""
        settings.OWNED_TEAMS = 4

    def test_are_limited(self, alice: User) -> None:
        for name in ("second", "third"):
            services.create_team(actor=alice, name=name, title="T")
        with pytest.raises(Conflict, match="alice owns as many teams as one person may: 4") as error:
            services.create_team(actor=alice, name="fourth", title="T")
        assert (error.value.field, "ask an operator" in error.value.remedy) == ("name", True)
        assert not Team.objects.filter(name="fourth").exists()

    def test_are_limited_when_they_are_handed_over_too(self, alice: User, bob: User, charlie: User) -> None:
        for name in ("second", "third"):
            services.create_team(actor=alice, name=name, title="T")
        theirs = services.create_team(actor=charlie, name="theirs", title="T")
        with pytest.raises(Conflict, match="alice owns as many teams") as error:
            services.set_member(actor=charlie, team=theirs, username="alice", role=Role.OWNER)
        assert error.value.field == "role"
        services.set_member(actor=charlie, team=theirs, username="alice", role=Role.SUBMITTER)
        third = Team.objects.get(name="third")
        services.set_member(actor=alice, team=third, username="alice", role=Role.OWNER)
        services.set_member(actor=alice, team=third, username="bob", role=Role.OWNER)
        services.remove_member(actor=alice, team=third, user=alice)
        services.set_member(actor=charlie, team=theirs, username="alice", role=Role.OWNER)

    def test_of_operators_are_not(self, alice: User, bob: User) -> None:
        alice.is_staff = True
        for name in ("second", "third", "fourth"):
            made = services.create_team(actor=alice, name=name, title="T")
            services.set_member(actor=alice, team=made, username="bob", role=Role.OWNER)
        last = services.create_team(actor=alice, name="last", title="T")
        services.set_member(actor=alice, team=last, username="bob", role=Role.OWNER)
        assert Membership.objects.filter(user=bob, role=Role.OWNER).count() == 5

    def test_say_so_on_the_page_and_over_rest(self, alice: User, client: Client, settings: Settings) -> None:
        settings.OWNED_TEAMS = 2
        client.force_login(alice)
        page = client.post("/teams/new/", {"name": "more", "title": "More"})
        assert page.status_code == 422
        assert "alice owns as many teams as one person may: 2" in page.content.decode()
        answer = client.post("/api/v1/teams/", {"name": "more", "title": "More"}, content_type="application/json")
        assert answer.status_code == 409
        assert "alice owns as many teams as one person may: 2" in answer.json()["errors"]["name"][0]

    @pytest.mark.django_db(transaction=True)
    def test_are_limited_in_the_same_instant(self, alice: User) -> None:
        """Who comes second waits to see what the first one leaves."""

        def make() -> bool:
            try:
                services.create_team(actor=alice, name="fifth", title="T")
            except Conflict:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                for name in ("third", "fourth"):
                    services.create_team(actor=alice, name=name, title="T")
                second = pool.submit(make)
                wait([second], timeout=2)
            assert not second.result(timeout=10)


def test_only_owners_change_roles(bob: User, charlie: User, team: Team) -> None:
    with pytest.raises(NotAllowed):
        services.set_member(actor=bob, team=team, username="bob", role=Role.OWNER)
    with pytest.raises(NotAllowed):
        services.remove_member(actor=charlie, team=team, user=bob)
    assert Membership.objects.get(user=bob, team=team).role == Role.SUBMITTER


def test_anybody_may_leave(bob: User, team: Team) -> None:
    services.remove_member(actor=bob, team=team, user=bob)
    assert not Membership.objects.filter(user=bob, team=team).exists()


def test_a_team_keeps_an_owner(alice: User, bob: User, team: Team) -> None:
    with pytest.raises(Conflict):
        services.set_member(actor=alice, team=team, username="alice", role=Role.VIEWER)
    with pytest.raises(Conflict):
        services.remove_member(actor=alice, team=team, user=alice)
    services.set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    services.remove_member(actor=alice, team=team, user=alice)
    assert Membership.objects.get(team=team, role=Role.OWNER).user == bob


def test_unknown_people_and_roles_are_refused(alice: User, team: Team) -> None:
    with pytest.raises(DomainError, match="Nobody here is called nobody"):
        services.set_member(actor=alice, team=team, username="nobody", role=Role.VIEWER)
    with pytest.raises(DomainError, match="king is not a role"):
        services.set_member(actor=alice, team=team, username="alice", role="king")


def test_a_token_is_found_by_its_secret_while_it_lives(alice: User) -> None:
    token, secret = services.create_token(actor=alice, name="ci", scopes=["read", "read"], days=1)
    assert selectors.token_of(secret) == token
    assert token.scopes == ["read"]
    assert selectors.token_of(secret + "x") is None
    assert selectors.token_of("") is None
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert selectors.token_of(secret) is None


def test_a_token_dies_with_its_revocation_and_its_person(alice: User) -> None:
    token, secret = services.create_token(actor=alice, name="ci", scopes=["read"], days=1)
    User.objects.update(is_active=False)
    assert selectors.token_of(secret) is None
    User.objects.update(is_active=True)
    services.revoke_token(actor=alice, token=token)
    services.revoke_token(actor=alice, token=token)
    assert selectors.token_of(secret) is None
    assert AuditEvent.objects.filter(verb="revoked token").count() == 1


def test_nobody_revokes_anothers_token(alice: User, charlie: User) -> None:
    token, _ = services.create_token(actor=alice, name="ci", scopes=["read"], days=1)
    with pytest.raises(DomainError) as error:
        services.revoke_token(actor=charlie, token=token)
    assert error.value.status == 404


@pytest.mark.parametrize(("scopes", "days"), [([], 1), (["root"], 1), (["read"], 0), (["read"], 366)])
def test_a_token_without_bounds_is_refused(alice: User, scopes: list[str], days: int) -> None:
    with pytest.raises(DomainError):
        services.create_token(actor=alice, name="ci", scopes=scopes, days=days)
    assert not Token.objects.exists()


def test_the_database_refuses_to_rewrite_the_audit_log(alice: User, team: Team) -> None:
    event = AuditEvent.objects.filter(team=team).latest("id")
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        AuditEvent.objects.filter(pk=event.pk).update(verb="forgot")
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        event.delete()
    assert AuditEvent.objects.filter(pk=event.pk, verb="created").exists()


def test_the_audit_log_outlives_team_and_person(alice: User, charlie: User, team: Team) -> None:
    services.set_member(actor=alice, team=team, username="charlie", role=Role.VIEWER)
    team_id, charlie_id = team.pk, charlie.pk
    team.delete()
    charlie.delete()
    assert AuditEvent.objects.filter(team_id=team_id).count() == 2
    assert AuditEvent.objects.filter(actor_id=charlie_id, actor_name="charlie").exists()


def test_the_database_refuses_a_role_that_does_not_exist(alice: User, team: Team) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.filter(team=team).update(role="king")
