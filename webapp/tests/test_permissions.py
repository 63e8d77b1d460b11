"""Who may reach what: every page, every REST operation and every socket, as everybody.

A route that is not in the table fails the test: whoever adds one says here who may use it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.routing import URLRouter
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse

from webapp.accounts import services as accounts
from webapp.accounts.invitations import invite
from webapp.accounts.models import Team, Token, User
from webapp.catalog import services as catalog
from webapp.catalog.models import Benchmark, BenchmarkVersion, CalibrationSet, EntryVersion, ModelEntry, Suite
from webapp.jobs.models import Job, Run, Worker
from webapp.leaderboards.models import Leaderboard
from webapp.releases.models import Release
from webapp.results.models import Report
from webapp.reviews.models import Review
from webapp.searches.models import Search
from webapp.tests import factories
from webapp.tests.addresses import admin_routes, methods_of, routes
from webapp.tests.permission_table import PEOPLE, table
from webapp.urls import websocket_urlpatterns

TABLE = table()
AUDIT = {"label": "y", "epsilon": "0.01", "epsilon_kind": "absolute", "delta": "0.1", "ridge": "0", "search": "0"}
TABLE_OF_FEATURES = "x,y\n1,0\n2,1\n3,0\n4,1\n"
AGAIN = {"eliminate": "0", "iterations": 100, "seed": 1, "missing": "strict", "round_score": "raw", "orders": 0}
FLIPS = {"epsilon": 0.1, "delta": 0.2, "metric": "accuracy"}
PRICE = {"hour_usd": "0.40", "valid_from": "2026-01-01", "source": "An invoice"}
LISTING = {"provider": "openai", "model": "gpt-4o"}


@pytest.fixture
def people(charlie: User, vera: User, rita: User, bob: User, alice: User) -> dict[str, User | None]:
    return dict(zip(PEOPLE, (None, charlie, vera, rita, bob, alice), strict=True))


@pytest.fixture
def world(
    people: dict[str, User | None],
    job: Job,
    board: Leaderboard,
    entry: EntryVersion,
    team: Team,
    tmp_path: Path,
    bob: User,
    settings: Any,
) -> dict[str, dict[str, Any]]:
    """What each address needs, by the first word of its path; the submitter made all of it."""
    factories.checkpoint(tmp_path / "fresh", width=11)
    run, _ = (factories.finish([True, False, True, True]) for _ in range(2))
    factories.refresh(board)
    report = factories.report(bob, board, "multiplicity")
    invitation, secret = invite(actor=team.memberships.get(role="owner").user, team=team, role="viewer", days=1, uses=9)
    reviewer: Any = people["reviewer"]
    review = factories.review(bob, reviewer, board, [run.pk])
    for model in OWNED:
        model._default_manager.update(created_by=bob)
    webhook = factories.webhook(team.memberships.get(role="owner").user, team)
    hook = {"webhook": webhook.pk, "delivery": webhook.deliveries.get().pk}
    for user in filter(None, people.values()):
        accounts.create_token(actor=user, name="ci", scopes=["read"], days=1)
    return {
        "entries": {"team": "lab", "name": "small", "pk": factories.price(bob, entry).pk},
        "benchmarks": {"team": "lab", "name": "sums", "number": 1},
        "suites": {"team": "lab", "name": "basics"},
        "calibration-sets": {"pk": factories.calibration_set(bob, team).pk},
        "compare": {"version": run.version_id, "index": 1},
        "contenders": {"pk": run.contender_id},
        "measurements": {"pk": factories.measurement(run.contender).pk},
        "boards": {"team": "lab", "name": "main", "pk": factories.saved_view(bob, board).pk},
        "leaderboards": {"team": "lab", "name": "main", "kind": "csv", "pk": factories.saved_view(bob, board).pk},
        "exports": {"kind": "csv"},
        "jobs": {"pk": job.pk},
        "imports": {"pk": factories.imported(bob, team).pk},
        "searches": {"pk": factories.search(bob, team, board.suite, entry).pk},
        "runs": {"pk": run.pk, "index": 1},
        "reports": {"pk": report.pk, "at": 1},
        "reviews": {"pk": review.pk, "verdict": review.verdicts.get().pk, "comment": review.comments.get().pk},
        "samples": {
            "version": run.version_id, "index": 1, "pk": factories.sample_comment(bob, team, run.version).pk,
        },
        "releases": {"pk": factories.release(bob, board).pk},
        "teams": {"name": "lab", "kind": "csv", "username": "rita", "pk": invitation.pk} | hook,
        "notices": {"pk": factories.notice(bob, team).pk},
        "new-password": {"uidb64": "MQ", "token": "set-password"},
        "join": {"secret": secret},
        "help": {"slug": "boards"},
        "first-steps": {"step": "board"},
        "workers": {"pk": Worker.objects.get(name=factories.worker()).pk},
        "tokens": {"pk": Token.objects.get(user=bob).pk},
        "profile": {"pk": Token.objects.get(user=bob).pk},
    }


@pytest.fixture
def bodies(
    world: dict[str, dict[str, Any]],
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    benchmark: BenchmarkVersion,
    tmp_path: Path,
) -> dict[str, Any]:
    """What is sent to each route that writes: valid, so that only the person decides the answer."""
    first = catalog.contender(version=entry, scheme="fp32")
    source = {"source": "directory", "location": str(tmp_path / "fresh")}
    choice = {"kind": "multiple_choice", "prompt": "Q: {{ question }}\nA:"}
    documents = [{"question": "1", "choices": ["a", "b"], "gold": 0}]
    named = {"team": team.pk, "name": "fresh", "title": "Fresh", "visibility": "team"}
    questions = {"origin": "harness", "harness_task": "arc_easy", "kind": "multiple_choice"}
    job = {"suite": suite.pk, "entries": [entry.pk], "schemes": ["bf16"], "team": team.pk, "visibility": "team"}
    job |= {"seed": 1, "batch_size": 1, "repeat": 0, "priority": 0, "key": "k"}
    search = {"goal": "estimate", "method": "random", "budget": "8", "suite": suite.pk, "entries": [entry.pk]}
    search |= {"schemes": ["bf16"], "team": team.pk, "visibility": "team", "batch": 8, "seed": 1, "key": "k"}
    search |= {"exploration": 1, "floor": 0.2, "batch_size": 8}
    rest_search = {"goal": "estimate", "method": "random", "budget": 8, "suite": "lab/basics", "team": "lab"}
    rest_job = {"team": "lab", "entries": ["lab/small"], "schemes": ["bf16"], "suite": "lab/basics"}
    rest = {"team": "lab", "name": "fresh"}
    rule = {"ruling": "approve", "seen_hash": Review.objects.get().subject_hash}
    comment = world["reviews"]["comment"]
    return {
        "reviews:review": {**rule, "remarks-TOTAL_FORMS": 0, "remarks-INITIAL_FORMS": 0},
        "reviews:answer_comment": {"parent": comment, f"body-{comment}": "Because."},
        "reviews:resolve_comment": {"resolve": comment},
        "reviews:dismiss_verdict": {
            "verdict": world["reviews"]["verdict"],
            f"reason-{world['reviews']['verdict']}": ".",
        },
        "api:reviews": {"team": "lab", "title": "Ship it?", "runs": [world["runs"]["pk"]]},
        "api:verdicts": rule,
        "api:comments": {"body": "Why?"},
        "api:resolve_comment": {"resolved": True},
        "api:freeze_review": {},
        "api:withdraw_review": {},
        "api:publish_review": {},
        "reviews:sample_comments": {"team": team.pk, "body": "Why?"},
        "api:sample_comments": {"team": "lab", "body": "Why?"},
        "api:dismiss_verdict": {"reason": "She is away."},
        "releases:board_releases": {"name": "fresh", "visibility": "team"},
        "releases:withdraw_release": {"reason": "A mistake."},
        "releases:show_release": {"visibility": "team"},
        "api:invitations": {"role": "viewer"},
        "api:releases": {"leaderboard": "lab/main", "name": "fresh"},
        "api:release": {"visibility": "team"},
        "api:withdraw_release": {"reason": "A mistake."},
        "accounts:sign_in": {"username": "alice", "password": factories.PASSWORD},
        "accounts:sign_up": {"username": "new", "email": "new@example.org", "password": factories.PASSWORD},
        "accounts:create_team": {"name": "fresh", "title": "Fresh"},
        "accounts:create_token": {"name": "t", "scopes": ["read"], "days": 1},
        "accounts:set_member": {"username": "vera", "role": "viewer"},
        "accounts:set_spending_limit": {"usd": "100"},
        "accounts:set_running_limit": {"runs": "3"},
        "accounts:invite": {"role": "viewer", "days": 7, "uses": 1},
        "catalog:register_entry": {**named, **source},
        "catalog:add_entry_version": source,
        "catalog:create_benchmark": {**named, **questions},
        "catalog:add_benchmark_version": questions,
        "catalog:create_calibration_set": {**named, "texts": SimpleUploadedFile("texts.txt", b"A text.")},
        "catalog:create_suite": {**named, "versions": [benchmark.pk]},
        "catalog:describe_entry": {"title": "Other"},
        "catalog:add_price": {"basis": "hour", **PRICE},
        "catalog:price_list": LISTING,
        "catalog:withdraw_price": {"reason": "A slip of the pen."},
        "catalog:set_expert_cost": {"usd": "3.50", "source": "An estimate."},
        "imports:new_import": {
            "team": "lab",
            "visibility": "team",
            "file": SimpleUploadedFile("scores.csv", b"entry,benchmark,sample,score\na,b,0,1\n"),
        },
        "api:imports": {"team": "lab", "name": "scores.csv", "size": 40},
        "jobs:submit_job": job,
        "jobs:estimate_job": job,
        "searches:submit_search": search,
        "searches:estimate_search": search,
        "searches:stop_search": {"runs": "finish"},
        "api:searches": {**rest_search, "entries": ["lab/small"], "schemes": ["bf16"]},
        "api:stop_search": {},
        "leaderboards:create_leaderboard": {**named, "suite": suite.pk, "order": "mean-score"},
        "leaderboards:tournament": AGAIN,
        "leaderboards:save_view": {"name": "Mine", "query": "sort=name"},
        "api:saved_views": {"name": "Mine", "query": "sort=name"},
        "results:report": FLIPS,
        "results:request_report": {**FLIPS, "analysis": "multiplicity", "suite": suite.pk, "contenders": first.pk},
        "results:linear_audit": {
            **AUDIT,
            "source": "pasted",
            "pasted": TABLE_OF_FEATURES,
            "team": team.pk,
            "visibility": "team",
        },
        "leaderboards:change_leaderboard": {"title": "Other", "order": "mean-score", "visibility": "team"},
        "notices:webhooks": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "notices:webhook": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "api:webhooks": {"url": "https://1.1.1.1/other", "events": ["job.ended"]},
        "api:webhook": {"active": False},
        "api:notice_preferences": {"preferences": [{"kind": "mention", "in_app": True, "by_email": False}]},
        "api:teams": {"name": "fresh", "title": "Fresh"},
        "api:member": {"role": "viewer"},
        "api:spending_limit": {"usd": "100.00"},
        "api:running_limit": {"runs": 3},
        "api:tokens": {"name": "t", "scopes": ["read"]},
        "api:entries": {**rest, **source},
        "api:entry": {"title": "Other"},
        "api:entry_versions": source,
        "api:benchmarks": {**rest, "definition": choice, "documents": documents},
        "api:benchmark_versions": {"definition": choice, "documents": documents},
        "api:calibration_sets": {**rest, "texts": ["A text."]},
        "api:suites": {**rest, "benchmarks": ["lab/sums"]},
        "api:prices": PRICE,
        "api:take_over_prices": LISTING,
        "api:withdraw_price": {"reason": "A slip of the pen."},
        "api:expert_cost": {"usd": "3.50", "source": "An estimate."},
        "api:jobs": rest_job,
        "api:measurements": {"entry": "lab/small", "scheme": "fp32"},
        "api:leaderboards": {**rest, "title": "Fresh", "suite": "lab/basics"},
        "api:leaderboard": {"title": "Other"},
        "api:linear_audits": {"team": "lab", "label": "y", "csv": TABLE_OF_FEATURES},
        "api:reports": {"leaderboard": "lab/main", "analysis": "swiss"},
    }


def ask(client: Client, method: str, name: str, address: str, body: Any) -> int:
    """The status, in a transaction that is rolled back: the next person finds the same world."""
    cache.clear()
    if name.startswith("api:"):
        sent = {"data": json.dumps(body), "content_type": "application/json"} if method != "GET" else {}
    else:
        sent = {"data": body or {}} if method != "GET" else {}
    with transaction.atomic():
        status = getattr(client, method.lower())(address, **sent).status_code
        transaction.set_rollback(True)
    return int(status)


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
        status = ask(signed_in(people[who]), method, name, address_of(name, pattern, world), bodies.get(name))
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
OWNED = (ModelEntry, Benchmark, Suite, CalibrationSet, Job, Run, Report, Leaderboard, Review, Release, Search)
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
            status = ask(client, method, name, address_of(name, patterns[name], world), None)
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
