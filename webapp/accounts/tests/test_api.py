"""REST of people, teams and tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from webapp.accounts import services
from webapp.accounts.models import Membership, Role, Team, Token, User
from webapp.bounds import SMALL

Api = Callable[..., APIClient]


def bearer(secret: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def make_token(user: User, *scopes: str) -> str:
    return services.create_token(actor=user, name="ci", scopes=scopes, days=1)[1]


def test_me_names_my_teams_and_roles(api: Api, bob: User) -> None:
    me = api(bob).get("/api/v1/me/").json()
    assert me["username"] == "bob"
    assert {(team["name"], team["role"]) for team in me["teams"]} == {("bob", "owner"), ("lab", "submitter")}


def test_without_a_sign_in_the_problem_says_how(api: Api, db: None) -> None:
    answer = api().get("/api/v1/me/")
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["title"] == "Unauthorized"
    assert answer.json()["status"] == 401


def test_teams_are_mine_only(api: Api, team: Team, charlie: User) -> None:
    names = [row["name"] for row in api(charlie).get("/api/v1/teams/").json()["results"]]
    assert names == ["charlie"]
    assert api(charlie).get("/api/v1/teams/lab/").status_code == 404
    assert api(charlie).get("/api/v1/teams/lab/members/").status_code == 404


def test_make_a_team(api: Api, charlie: User) -> None:
    answer = api(charlie).post("/api/v1/teams/", {"name": "night-shift", "title": "Night shift"})
    assert answer.status_code == 201
    assert Membership.objects.get(user=charlie, team__name="night-shift").role == Role.OWNER
    again = api(charlie).post("/api/v1/teams/", {"name": "night-shift", "title": "Again"})
    assert again.status_code == 409
    assert "name" in again.json()["errors"]


@pytest.mark.parametrize("name", ["Lab", "-lab", "a/b", "", "x" * 64])
def test_a_name_that_breaks_addresses_is_refused(api: Api, charlie: User, name: str) -> None:
    answer = api(charlie).post("/api/v1/teams/", {"name": name, "title": "T"})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["name"]


def test_an_unknown_field_is_refused_by_name(api: Api, charlie: User) -> None:
    answer = api(charlie).post("/api/v1/teams/", {"name": "n", "title": "T", "titel": "T"})
    assert answer.status_code == 400
    assert "Known: name, title" in answer.json()["errors"]["titel"][0]


def test_members_come_and_go(api: Api, alice: User, team: Team, charlie: User) -> None:
    owner = api(alice)
    assert owner.put("/api/v1/teams/lab/members/charlie/", {"role": "viewer"}).json()["role"] == "viewer"
    assert owner.put("/api/v1/teams/lab/members/charlie/", {"role": "submitter"}).status_code == 200
    assert {m["username"] for m in owner.get("/api/v1/teams/lab/members/").json()["results"]} == {"alice", "charlie"}
    assert owner.delete("/api/v1/teams/lab/members/charlie/").status_code == 204
    assert not Membership.objects.filter(team=team, user=charlie).exists()


def test_a_submitter_manages_nobody(api: Api, bob: User, charlie: User, team: Team) -> None:
    answer = api(bob).put("/api/v1/teams/lab/members/charlie/", {"role": "viewer"})
    assert answer.status_code == 403
    assert "role owner" in answer.json()["detail"]


def test_the_last_owner_stays(api: Api, alice: User, team: Team) -> None:
    assert api(alice).delete("/api/v1/teams/lab/members/alice/").status_code == 409
    assert Membership.objects.get(team=team, user=alice).role == Role.OWNER


def test_the_audit_log_is_told_to_members(api: Api, alice: User, vera: User, charlie: User, team: Team) -> None:
    events = api(vera).get("/api/v1/teams/lab/audit-events/").json()["results"]
    assert [event["verb"] for event in events] == ["set role", "created"]
    assert events[0]["actor"] == "alice"
    assert events[0]["after"] == {"role": "viewer"}
    assert api(charlie).get("/api/v1/teams/lab/audit-events/").status_code == 404


def test_a_tokens_secret_is_shown_once(api: Api, bob: User) -> None:
    made = api(bob).post("/api/v1/tokens/", {"name": "ci", "scopes": ["read"], "days": 7})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert made["Cache-Control"] == "no-store"
    assert bearer(secret).get("/api/v1/me/").json()["username"] == "bob"
    listed = api(bob).get("/api/v1/tokens/")
    assert secret not in listed.content.decode()
    assert "digest" not in listed.content.decode()
    assert secret not in "".join(Token.objects.values_list("digest", flat=True))


def test_a_revoked_or_expired_token_opens_nothing(api: Api, bob: User) -> None:
    secret = make_token(bob, "read")
    token = Token.objects.get(user=bob)
    assert api(bob).delete(f"/api/v1/tokens/{token.pk}/").status_code == 204
    assert bearer(secret).get("/api/v1/me/").status_code == 401
    other = make_token(bob, "read")
    Token.objects.filter(revoked_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert bearer(other).get("/api/v1/me/").status_code == 401


def test_nobody_revokes_anothers_token(api: Api, bob: User, charlie: User) -> None:
    make_token(bob, "read")
    token = Token.objects.get(user=bob)
    assert api(charlie).delete(f"/api/v1/tokens/{token.pk}/").status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


@pytest.mark.parametrize(
    ("scopes", "get", "submit", "manage"),
    [(["read"], 200, 403, 403), (["submit"], 403, 400, 403), (["read", "submit", "admin"], 200, 400, 400)],
)
def test_scopes_bound_what_a_token_may(alice: User, scopes: list[str], get: int, submit: int, manage: int) -> None:
    """An empty body is refused with 400 only after the scope was found good."""
    client = bearer(make_token(alice, *scopes))
    assert client.get("/api/v1/me/").status_code == get
    assert client.post("/api/v1/suites/", {}).status_code == submit
    assert client.post("/api/v1/teams/", {}).status_code == manage


def test_a_token_makes_no_stronger_token(alice: User) -> None:
    client = bearer(make_token(alice, "admin"))
    refused = client.post("/api/v1/tokens/", {"name": "more", "scopes": ["admin", "submit"]})
    assert refused.status_code == 403
    assert "submit" in refused.json()["detail"]
    assert client.post("/api/v1/tokens/", {"name": "same", "scopes": ["admin"]}).status_code == 201


def test_a_broken_body_is_a_problem(api: Api, charlie: User) -> None:
    for body in ("{", '{"name": NaN}', "[" * 100_000, '"text"', "[]"):
        answer = api(charlie).post("/api/v1/teams/", body, content_type="application/json")
        assert answer.status_code == 400, body[:20]
        assert answer["Content-Type"] == "application/problem+json"
    assert api(charlie).post("/api/v1/teams/", "a=b", content_type="text/plain").status_code == 415


def test_a_body_beyond_the_limit_is_refused(api: Api, charlie: User) -> None:
    answer = api(charlie).post("/api/v1/teams/", {"name": "n", "title": "x" * SMALL.size})
    assert answer.status_code == 413


def test_a_nul_in_an_address_or_a_query_is_refused(api: Api, charlie: User) -> None:
    for address in ("/api/v1/teams/a%00b/", "/api/v1/entries/?q=a%00b", "/api/v1/entries/?a%00b=q"):
        answer = api(charlie).get(address)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"


def test_an_unknown_address_is_a_problem_too(api: Api, db: None) -> None:
    answer = api().get("/api/v1/nothing/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


def test_too_many_calls_are_told_when_to_come_back(api: Api, db: None) -> None:
    answers = [api().get("/api/v1/schemes/") for _ in range(61)]
    assert {answer.status_code for answer in answers[:60]} == {200}
    assert answers[60].status_code == 429
    assert 0 < int(answers[60]["Retry-After"]) <= 60
    assert answers[60]["Content-Type"] == "application/problem+json"


def test_a_session_must_carry_the_csrf_token(bob: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(bob)
    assert client.post("/api/v1/teams/", {"name": "n", "title": "T"}).status_code == 403


def test_owners_invite_list_and_revoke(api: Api, client, alice: User, team: Team) -> None:
    owner, place = api(alice), "/api/v1/teams/lab/invitations/"
    made = owner.post(place, {"role": "reviewer", "uses": 2}, format="json")
    address = made.json()["address"]

    listed = owner.get(place).json()["results"]

    assert made.status_code == 201
    assert address.startswith("http://testserver/join/")
    assert [(one["role"], one["uses"], one["used"]) for one in listed] == [("reviewer", 2, 0)]
    assert "address" not in listed[0]
    client.force_login(services.sign_up(username="newcomer", email="n@example.org", password="a long and quiet walk"))
    assert client.post(address).status_code == 302
    assert team.memberships.get(user__username="newcomer").role == "reviewer"
    assert owner.delete(f"{place}{listed[0]['id']}/").status_code == 204
    assert owner.get(place).json()["results"] == []
    assert team.memberships.filter(user__username="newcomer").exists(), "who has joined stays"


def test_nobody_becomes_owner_by_a_link(api: Api, alice: User, team: Team) -> None:
    answer = api(alice).post("/api/v1/teams/lab/invitations/", {"role": "owner"}, format="json")

    assert answer.status_code == 400
    assert "role" in answer.json()["errors"]
