"""Who may reach what: every page, every REST operation and every socket, as everybody.

A route that is not in the table fails the test: whoever adds one says here who may use it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from webapp.accounts.models import Token, User
from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import Report
from webapp.reviews.models import Review
from webapp.searches.models import Search
from webapp.tests.addresses import admin_routes, methods_of, routes
from webapp.tests.permission_table import PEOPLE, table
from webapp.tests.permission_world import OWNED
from webapp.urls import websocket_urlpatterns

TABLE = table()


def ask(client: Client, method: str, name: str, address: str, body: Any) -> Any:
    """The answer, in a transaction that is rolled back: the next person finds the same world."""
    cache.clear()
    if name.startswith("api:"):
        sent = {"data": json.dumps(body), "content_type": "application/json"} if method != "GET" else {}
    else:
        sent = {"data": body or {}} if method != "GET" else {}
    with transaction.atomic():
        answer = getattr(client, method.lower())(address, **sent)
        transaction.set_rollback(True)
    return answer


def address_of(name: str, pattern: Any, world: dict[str, dict[str, Any]]) -> str:
    first = str(pattern.pattern).split("/")[0]
    wanted = pattern.pattern.converters
    return reverse(name, kwargs={key: world[first][key] for key in wanted})


def signed_in(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def calls() -> Iterator[tuple[str, str, Any]]:
    """Every method of every route that answers with more than 405."""
    for name, pattern in routes():
        for method in sorted(methods_of(pattern) or {"GET", "POST"}):
            yield method, name, pattern


def expected(method: str, name: str, who: str) -> int:
    """From the table; where a page has one row only, the other method follows from it."""
    if (method, name) in TABLE:
        return TABLE[method, name][who]
    if method == "GET":  # an address that only takes a form
        asks_to_sign_in = TABLE["POST", name][who] == 302 and who == "anonymous" and not is_open(name)
        return 302 if asks_to_sign_in else 405
    return TABLE["GET", name][who]


def is_open(name: str) -> bool:
    return name in {"accounts:sign_out", "accounts:demo_sign_in"}


def test_the_table_names_exactly_the_routes_that_exist() -> None:
    known = {name for _, name in TABLE}
    existing = {name for name, _ in routes()}
    assert existing - known == set(), "say in the table who may use these routes"
    assert known - existing == set(), "these rows speak of routes that are gone"
    for name, pattern in routes():
        methods = methods_of(pattern)
        if methods is not None and name.startswith("api:"):
            assert {method for method, row in TABLE if row == name} == methods, name


@pytest.mark.parametrize("who", PEOPLE)
def test_every_route_answers_as_the_table_says(
    who: str, people: dict[str, User | None], world: dict[str, dict[str, Any]], bodies: dict[str, Any]
) -> None:
    wrong = []
    for method, name, pattern in calls():
        address = address_of(name, pattern, world)
        status = ask(signed_in(people[who]), method, name, address, bodies.get(name)).status_code
        allowed = {expected(method, name, who)}
        if method == "POST" and (method, name) not in TABLE:
            allowed.add(405)
        if status not in allowed:
            wrong.append(f"{who}: {method} {name} answers {status}, expected {sorted(allowed)}")
    assert not wrong, "\n".join(wrong)


SEES = {
    "private": {"submitter", "owner"},  # its author (the submitter made everything) and the team's owners
    "team": {"viewer", "reviewer", "submitter", "owner"},
    "public": set(PEOPLE),
}
SEEN_BY_VISIBILITY = [key for key, row in TABLE.items() if key[0] == "GET" and row == TABLE["GET", "catalog:entry"]]


@pytest.mark.parametrize("visibility", SEES)
def test_what_is_seen_follows_from_its_visibility(
    visibility: str, people: dict[str, User | None], world: dict[str, dict[str, Any]]
) -> None:
    for model in OWNED:
        model._default_manager.update(visibility=visibility)
    patterns, wrong = dict(routes()), []
    assert len(SEEN_BY_VISIBILITY) > 15
    for who, user in people.items():
        client = signed_in(user)
        for method, name in SEEN_BY_VISIBILITY:
            status = ask(client, method, name, address_of(name, patterns[name], world), None).status_code
            if status != (200 if who in SEES[visibility] else 404):
                wrong.append(f"{who}: {name} ({visibility}) answers {status}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("visibility", SEES)
def test_lists_show_only_what_may_be_seen(
    visibility: str, people: dict[str, User | None], world: dict[str, dict[str, Any]]
) -> None:
    for model in OWNED:
        model._default_manager.update(visibility=visibility)
    for who, user in people.items():
        for kind in (
            "entries",
            "benchmarks",
            "suites",
            "jobs",
            "runs",
            "searches",
            "reports",
            "leaderboards",
            "reviews",
        ):
            cache.clear()
            shown = signed_in(user).get(f"/api/v1/{kind}/").json()["results"]
            assert bool(shown) == (who in SEES[visibility]), f"{who}: {kind} ({visibility})"


def admin_addresses() -> list[str]:
    """Every page of Django's admin that needs no more than a row's number."""
    return [address for name in admin_routes() if (address := _reversed(name)) and not address.endswith("/login/")]


def _reversed(name: str) -> str:
    for arguments in ((), (1,)):
        try:
            return reverse(name, args=arguments)
        except NoReverseMatch:
            continue
    return ""


@pytest.mark.parametrize("who", PEOPLE)
def test_djangos_admin_is_for_staff(who: str, people: dict[str, User | None], world: dict[str, Any]) -> None:
    client = signed_in(people[who])
    addresses = admin_addresses()
    assert len(addresses) > 60
    assert {client.get(address).status_code for address in addresses} <= {302, 404, 405}, "to the sign-in, or nothing"


def test_an_operator_reads_in_the_admin_and_sees_no_secret(alice: User, bob: User, world: dict[str, Any]) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    client = signed_in(alice)
    for model, options in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200
        first = model._default_manager.first()
        if first is None or model is Group:
            continue
        page = client.get(reverse(f"admin:{name}_change", args=[first.pk]))
        assert page.status_code == 200
        assert not options.has_delete_permission(page.wsgi_request, first)
        for secret in (bob.password, Token.objects.get(user=bob).digest, "sealed"):
            assert secret not in page.content.decode()


def socket_answer(path: str, user: User | None) -> str:
    """ "open" when the socket stays open, else the code that it is closed with."""

    async def connect() -> str:
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": [], "user": user or AnonymousUser()}
        socket = ApplicationCommunicator(URLRouter(websocket_urlpatterns), scope)
        await socket.send_input({"type": "websocket.connect"})
        assert (await socket.receive_output(5))["type"] == "websocket.accept"
        answer = await socket.receive_output(5)
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(5)
        return "open" if answer["type"] == "websocket.send" else str(answer["code"])

    return str(async_to_sync(connect)())


SOCKETS: dict[str, Callable[[Job, Leaderboard], str]] = {
    "ws/jobs/<int:pk>/": lambda job, board: f"ws/jobs/{job.pk}/",
    "ws/searches/<int:pk>/": lambda job, board: f"ws/searches/{Search.objects.get().pk}/",
    "ws/reports/<int:pk>/": lambda job, board: f"ws/reports/{Report.objects.get(leaderboard=None).pk}/",
    "ws/reviews/<int:pk>/": lambda job, board: f"ws/reviews/{Review.objects.get().pk}/",
    "ws/boards/<str:team>/<str:name>/tournament/": lambda job, board: "ws/boards/lab/main/tournament/",
    "ws/boards/<str:team>/<str:name>/": lambda job, board: "ws/boards/lab/main/",
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("visibility", SEES)
def test_sockets_stay_open_for_those_who_see_their_page(
    visibility: str, people: dict[str, User | None], world: dict[str, Any], job: Job, board: Leaderboard
) -> None:
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == set(SOCKETS)
    Job.objects.update(visibility=visibility)
    Search.objects.update(visibility=visibility)
    Leaderboard.objects.update(visibility=visibility)
    Report.objects.update(visibility=visibility)
    Review.objects.update(visibility=visibility)
    for path in (made(job, board) for made in SOCKETS.values()):
        for who, user in people.items():
            wanted = "open" if who in SEES[visibility] else "4404"
            assert socket_answer(path, user) == wanted, f"{who}: {path} ({visibility})"
