"""Joining a team by a link, and every way in which a link does not hold."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from webapp.accounts import services
from webapp.accounts.invitations import accept_invitation, invite, revoke_invitation
from webapp.accounts.models import AuditEvent, Invitation, Membership, Role
from webapp.errors import DomainError, NotAllowed, Unprocessable
from webapp.tests import factories


@pytest.fixture
def link(alice, team):
    """(invitation, secret) for one reviewer."""
    return invite(actor=alice, team=team, role="reviewer", days=7, uses=1)


def refused(user, secret):
    with pytest.raises(DomainError) as error:
        accept_invitation(actor=user, secret=secret)
    assert error.value.status == 404
    return not Membership.objects.filter(user=user, team__name="lab").exists()


def test_a_link_is_made_followed_and_used_up(client, alice, team, charlie):
    client.force_login(alice)
    page = client.post("/teams/lab/invitations/", {"role": "reviewer", "days": 7, "uses": 1})
    address = page.context["link"].removeprefix("http://testserver")
    assert page["Cache-Control"] == "no-store"
    assert address not in client.get("/teams/lab/").content.decode(), "the link is shown once"

    client.force_login(charlie)
    assert "alice invites you" in client.get(address).content.decode()
    joined = client.post(address, follow=True)
    assert "You are reviewer of The lab." in joined.content.decode()

    client.force_login(factories.person("dora"))
    assert client.get(address).status_code == client.post(address).status_code == 404
    verbs = AuditEvent.objects.filter(team=team, verb__in=["invited", "joined"]).order_by("pk")
    assert [(one.actor_name, one.verb) for one in verbs] == [("alice", "invited"), ("charlie", "joined")]


def test_the_secret_is_kept_nowhere(link):
    invitation, secret = link
    assert secret not in str(list(Invitation.objects.values()))
    assert secret not in str(list(AuditEvent.objects.values()))
    assert invitation.digest != secret


def test_a_visitor_signs_in_first(client, link):
    address = f"/join/{link[1]}/"
    assert client.get(address)["Location"] == f"/sign-in/?next={address}"


def test_members_stay_what_they_are(link, bob, alice):
    for user, role in ((bob, Role.SUBMITTER), (alice, Role.OWNER)):
        assert accept_invitation(actor=user, secret=link[1]).role == role
    assert Invitation.objects.get().used == 0


def test_a_link_for_several_people_ends_with_the_last_one(alice, team):
    _, secret = invite(actor=alice, team=team, role="viewer", days=1, uses=2)
    people = [factories.person(f"guest{at}") for at in range(3)]
    for guest in people[:2]:
        accept_invitation(actor=guest, secret=secret)
    assert refused(people[2], secret)


def test_a_link_that_was_revoked_or_ran_out_does_not_hold(link, alice, charlie):
    invitation, secret = link
    assert refused(charlie, "x" + secret)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(charlie, secret)
    Invitation.objects.update(expires_at=timezone.now() + timedelta(days=1))
    for _ in range(2):
        revoke_invitation(actor=alice, invitation=invitation)
    assert refused(charlie, secret)
    assert AuditEvent.objects.filter(verb="revoked invitation").count() == 1


def test_a_link_ends_with_its_owners_ownership(link, alice, bob, team, charlie):
    services.set_member(actor=alice, team=team, username="bob", role=Role.OWNER)
    services.set_member(actor=bob, team=team, username="alice", role=Role.SUBMITTER)
    assert refused(charlie, link[1])


@pytest.mark.parametrize("wrong", [{"role": "owner"}, {"role": "king"}, {"days": 0}, {"days": 91}, {"uses": 0}])
def test_what_a_link_cannot_be(alice, team, wrong):
    with pytest.raises(Unprocessable) as error:
        invite(actor=alice, team=team, **{"role": "viewer", "days": 1, "uses": 1, **wrong})
    assert error.value.field in wrong


def test_only_owners_invite_and_revoke(link, bob, team):
    with pytest.raises(NotAllowed):
        invite(actor=bob, team=team, role="viewer", days=1, uses=1)
    with pytest.raises(NotAllowed):
        revoke_invitation(actor=bob, invitation=link[0])


def test_the_database_lets_no_link_make_owners_or_be_overused(link):
    for change in ({"role": "owner"}, {"used": 2}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Invitation.objects.update(**change)
