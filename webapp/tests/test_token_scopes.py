"""Which scope every REST operation asks of a token: the owner calls each one with each scope missing in turn."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from webapp.accounts.models import Scope, User
from webapp.accounts.services import create_token
from webapp.tests.addresses import routes
from webapp.tests.permission_table import table
from webapp.tests.test_permissions import address_of, ask

# Whatever is not here needs `read` where it reads, and `submit` where it writes.
NEEDS = {
    "read": "POST api:read_notice  POST api:read_notices",
    "review": """
        POST api:verdicts  POST api:comments  POST api:resolve_comment
        POST api:sample_comments  DELETE api:sample_comment
    """,
    "admin": """
        POST api:teams  PUT api:member  DELETE api:member  PUT api:spending_limit  PUT api:running_limit
        POST api:invitations  DELETE api:invitation
        DELETE api:token  PATCH api:notice_preferences
        POST api:webhooks  PATCH api:webhook  DELETE api:webhook  POST api:webhook_secret
        POST api:ping_webhook  POST api:replay_delivery
        POST api:dismiss_verdict  POST api:publish_review  PATCH api:release  POST api:withdraw_release
        POST api:entry_deletion  POST api:team_deletion  POST api:account_deletion  POST api:hand_over
        POST api:withdraw_price  POST api:price_job
        POST api:pause_worker  POST api:drain_worker  POST api:resume_worker
    """,
    # What a webhook holds says where a team's news go; a token passes on only what it may itself (here, reading).
    "read admin": "GET api:webhooks  GET api:webhook  GET api:deliveries  POST api:tokens",
}


def needed() -> dict[tuple[str, str], set[str]]:
    usual = {
        (method, name): {"read" if method == "GET" else "submit"} for method, name in table() if name.startswith("api:")
    }
    for scopes, text in NEEDS.items():
        words = iter(text.split())
        for call in zip(words, words, strict=True):
            assert call in usual, f"{call} is gone"
            usual[call] = set(scopes.split())
    return usual


def test_what_only_owners_may_write_needs_the_scope_admin() -> None:
    """A token made to submit must not do what a submitter is refused: it lies about in more places than a password."""
    owners = {
        call for call, by in table().items() if call[1].startswith("api:") and call[0] != "GET"
        and by["owner"] != 403 and {by["viewer"], by["reviewer"], by["submitter"]} == {403}
    }  # fmt: skip
    assert ("POST", "api:withdraw_price") in owners
    assert {call for call in owners if "admin" not in needed()[call]} == set()


@pytest.mark.parametrize(
    ("method", "name", "body"),
    [
        ("PATCH", "api:leaderboard", {"title": "Other"}),
        ("POST", "api:releases", {"leaderboard": "lab/main", "name": "fresh"}),
    ],
)
def test_only_what_shows_something_to_more_people_needs_the_scope_admin(
    method: str, name: str, body: dict[str, Any], alice: User, world: dict[str, dict[str, Any]]
) -> None:
    """The same call without a word of who sees it does not."""
    address = address_of(name, dict(routes())[name], world)
    wider, seen = {**body, "visibility": "public"}, []
    for scopes, sent in (["submit"], body), (["submit"], wider), (["submit", "admin"], wider):
        _, secret = create_token(actor=alice, name="ci", scopes=scopes, days=1)
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        seen.append(ask(client, method, name, address, sent).status_code)
    done = 200 if method == "PATCH" else 201
    assert seen == [done, 403, done]


@pytest.mark.parametrize("missing", Scope.values)
def test_a_call_is_refused_exactly_where_its_scope_is_missing(
    missing: str, alice: User, world: dict[str, dict[str, Any]], bodies: dict[str, Any]
) -> None:
    """By its words: an owner who is no operator is refused with 403, too."""
    others = [scope for scope in Scope.values if scope != missing]
    _, secret = create_token(actor=alice, name="ci", scopes=others, days=1)
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {secret}"})
    patterns, wrong = dict(routes()), []
    for (method, name), scopes in needed().items():
        answer = ask(client, method, name, address_of(name, patterns[name], world), bodies.get(name))
        refused = answer.status_code == 403 and f"lacks the scope “{missing}”" in answer.json()["detail"]
        if refused != (missing in scopes):
            wrong.append(f"{method} {name} answers {answer.status_code} without {missing}")
    assert not wrong, "\n".join(wrong)
