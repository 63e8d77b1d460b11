"""The OpenAPI schema: valid, complete, and true: schemathesis calls every operation with what the schema allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from webapp.accounts import services as accounts
from webapp.accounts.models import Team, User
from webapp.catalog.models import EntryVersion, Suite
from webapp.errors import PROBLEM
from webapp.imports.models import Import
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.limits import Throttle
from webapp.notices.models import Delivery, Notice
from webapp.releases.models import Release
from webapp.reviews.models import Comment, Review, Verdict
from webapp.searches.models import Search
from webapp.tests import factories
from webapp.tests.addresses import methods_of, routes

SCHEMA: dict[str, Any] = SchemaGenerator().get_schema(public=True)
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = int(os.environ.get("CROSSTABLE_EXAMPLES", "10"))  # for each operation, twice: as noise, and grounded


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_the_schema_is_valid_and_made_without_warnings(tmp_path: Path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))
    assert (tmp_path / "schema.yml").stat().st_size > 10_000


def test_every_operation_is_in_the_schema() -> None:
    expected = {
        (name.removeprefix("api:"), method)
        for name, pattern in routes()
        for method in methods_of(pattern) or set()
        if name.startswith("api:")
    }
    assert len(expected) == len(list(operations())) == len(OPERATIONS)


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()), ids=lambda value: str(value)[:50])
def test_every_operation_documents_its_problems(method: str, path: str, operation: dict[str, Any]) -> None:
    wanted = {"400", "401", "403", "404", "429"} | (set() if method == "GET" else {"409", "413", "415", "422"})
    for status in wanted:
        content = operation["responses"][status]["content"]
        assert content == {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}, status
    assert operation.get("description"), f"{method} {path} says what it does"
    assert {"token": []} in operation["security"]


def test_the_docs_page_works_without_the_network(client: Any, db: None) -> None:
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui-bundle.js" in page
    assert "://" not in page.replace("http://www.w3.org", ""), "everything comes from this server"
    assert client.get("/api/schema/").status_code == 200


def test_no_secret_is_ever_in_an_answer() -> None:
    answers = {name: schema for name, schema in SCHEMA["components"]["schemas"].items() if "Request" not in name}
    for name, schema in answers.items():
        fields = set(schema.get("properties", {}))
        assert not fields & {"api_key", "sealed_key", "digest", "password"}, name
        assert "secret" not in fields or name in {"NewToken", "NewWebhook"}, name


@contextmanager
def kept_connection() -> Iterator[None]:
    """Django closes connections between requests; these requests live in the test's own transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@pytest.fixture
def headers(
    alice: User,
    team: Team,
    suite: Suite,
    entry: EntryVersion,
    job: Job,
    board: Leaderboard,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dict[str, str]]:
    """An owner's token; the world has something to find, and calls are not counted."""
    factories.worker()
    run, _ = (factories.finish([True, False, True, True]) for _ in range(2))
    factories.refresh(board)
    factories.release(alice, board)
    factories.imported(alice, team)
    factories.search(alice, team, suite, entry)
    factories.review(alice, factories.person("reviewer"), board, [run.pk])
    factories.notice(alice, team)
    factories.webhook(alice, team)
    monkeypatch.setattr(Throttle, "allow_request", lambda self, request, view: True)
    secret = accounts.create_token(actor=alice, name="fuzz", scopes=["read", "review", "submit", "admin"], days=1)[1]
    with kept_connection():
        yield {"Authorization": f"Bearer {secret}", "Accept-Encoding": "identity"}


def site(environ: dict[str, Any], start_response: Any) -> Any:
    """Made at the first call: by then the fixtures have prepared what its middleware looks for."""
    return _handler()(environ, start_response)


@lru_cache
def _handler() -> WSGIHandler:
    return get_wsgi_application()


api = schemathesis.openapi.from_dict(SCHEMA)
api.app = site


NAMED = {"entries": "small", "benchmarks": "sums", "suites": "basics", "leaderboards": "main", "teams": "lab"}


REAL = {
    "jobs": Job, "reviews": Review, "notices": Notice, "releases": Release, "imports": Import, "searches": Search,
}  # fmt: skip


def grounded(case: Any) -> Any:
    """The same call about things that exist: pure noise would never get past the first look-up."""
    kind = case.path.split("/")[3]
    real = {"team": "lab", "name": NAMED.get(kind), "username": "alice", "number": 1}
    real["id"] = real["pk"] = REAL.get(kind, Run).objects.latest("pk").pk
    real["delivery"], real["webhook"] = Delivery.objects.values_list("pk", "webhook").latest("pk")
    real["verdict"], real["comment"] = Verdict.objects.latest("pk").pk, Comment.objects.latest("pk").pk
    for name in case.path_parameters or {}:
        case.path_parameters[name] = real.get(name, case.path_parameters[name])
    known = {"team": "lab", "suite": "lab/basics", "benchmarks": ["lab/sums"], "entries": ["lab/small"]}
    if isinstance(case.body, dict):
        case.body.update({name: value for name, value in known.items() if name in case.body})
    return case


OPERATIONS = [found.ok() for found in api.get_all_operations()]


def kind_of(operation: Any) -> str:
    """`jobs` of `/api/v1/jobs/{id}/`."""
    return str(operation.path.split("/")[3])


@pytest.mark.parametrize("kind", sorted({kind_of(operation) for operation in OPERATIONS}))
def test_operations_keep_to_the_schema_whatever_they_are_sent(kind: str, headers: dict[str, str]) -> None:
    """All of a kind in one world, which takes longer to make than they take to answer."""
    for operation in OPERATIONS:
        if kind_of(operation) == kind:
            try:
                keeps_to_the_schema(operation, headers)
            except BaseException as error:
                error.add_note(f"{operation.method.upper()} {operation.path}")
                raise


def keeps_to_the_schema(operation: Any, headers: dict[str, str]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def calls(case: Any) -> None:
        for ground in (lambda noise: noise, grounded):
            cache.clear()
            with transaction.atomic():
                response = ground(case).call(headers=headers)
                transaction.set_rollback(True)
            case.validate_response(response, checks=CHECKS)

    calls()
