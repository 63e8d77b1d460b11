"""What browsers are told with every answer, and how cookies are set: compared whole, so that no word gets lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import User
from webapp.tests.addresses import routes
from webapp.tests.test_permissions import admin_addresses
from webapp.tests.test_security import in_production
from workers.tests import conftest as processes
from workers.tests.conftest import static_files  # noqa: F401 - a fixture

EVERYWHERE = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# Tables that other sites may frame: the only ones.
FRAMED = EVERYWHERE | {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'"
}
del FRAMED["X-Frame-Options"]
EMBEDS = {"releases:embed"}
BY_TLS = {"Strict-Transport-Security": "max-age=31536000"}
# Whatever else speaks of what browsers may do must be looked at, and then stand above.
WATCHED = {*EVERYWHERE, *BY_TLS, "Content-Security-Policy-Report-Only"}
SIGNED_IN = """
import django, json; django.setup()
from django.test import Client
from webapp.accounts.services import sign_up
sign_up(username="tess", email="tess@example.org", password="a long and quiet walk")
client = Client(enforce_csrf_checks=True, headers={"Host": "crosstable.example.org", "X-Forwarded-Proto": "https"})
page = client.get("/sign-in/")
token = page.cookies["csrftoken"].value
given = {"username": "tess", "password": "a long and quiet walk", "csrfmiddlewaretoken": token}
welcome = client.post("/sign-in/", given, headers={"Origin": "https://crosstable.example.org"})
home = client.get("/")
print(json.dumps([
    {"status": answer.status_code, "headers": dict(answer.headers),
     "cookies": [morsel.OutputString() for morsel in answer.cookies.values()]}
    for answer in (page, welcome, home)
]))
"""


def told(headers: Any) -> dict[str, str]:
    return {name: headers[name] for name in WATCHED if name in headers}


def test_every_answer_tells_browsers_the_same(
    client: Client, alice: User, addresses: dict[str, tuple[object, ...]]
) -> None:
    """Pages, fragments, downloads, REST and its pages for people, as an owner; then Django's own admin."""
    client.force_login(alice)
    paths = {
        name: reverse(name, args=addresses.get(name, ()))
        for name, pattern in routes()
        if name in addresses or not pattern.pattern.converters
    }
    answers = {name: client.get(path) for name, path in paths.items()}
    assert len(answers) > 100
    assert {answers[name].status_code for name in ("docs", "schema", *EMBEDS)} == {200}
    assert {name: told(answer.headers) for name, answer in answers.items() if told(answer.headers) != EVERYWHERE} == (
        dict.fromkeys(EMBEDS, FRAMED)
    )

    User.objects.update(is_staff=True, is_superuser=True)
    admin = {path: client.get(path) for path in admin_addresses()}
    assert sum(answer.status_code == 200 for answer in admin.values()) > 20
    assert {path: told(answer.headers) for path, answer in admin.items() if told(answer.headers) != EVERYWHERE} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/jobs/", "/nothing/here/", "/healthz", "/api/v1/jobs/", "/static/nothing.css"])
def test_so_do_answers_to_strangers_and_refusals(client: Client, path: str) -> None:
    assert told(client.get(path).headers) == EVERYWHERE


@pytest.mark.process
@pytest.mark.django_db(transaction=True)
def test_who_signs_in_at_a_production_platform_gets_cookies_for_it_alone(
    static_files: dict[str, str],  # noqa: F811
) -> None:
    done = in_production("-c", SIGNED_IN, DATABASE_URL=processes.test_database_url(), **static_files)
    assert done.returncode == 0, done.stderr
    page, welcome, home = json.loads(done.stdout.splitlines()[-1])
    assert [answer["status"] for answer in (page, welcome, home)] == [200, 302, 200]
    for answer in (page, welcome, home):
        assert told(answer["headers"]) == EVERYWHERE | BY_TLS
    of_forms = {"csrftoken": ["Max-Age=31449600", "Path=/", "SameSite=Lax", "Secure"]}
    assert set_by(page) == set_by(home) == of_forms
    assert set_by(welcome) == of_forms | {
        "sessionid": ["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=Lax", "Secure"],
        "crosstable_device": ["HttpOnly", "Max-Age=31536000", "Path=/", "SameSite=Lax", "Secure"],
    }


def set_by(answer: dict[str, Any]) -> dict[str, list[str]]:
    """What stands behind each cookie's name and value, but when it ends by the clock."""
    parts = [cookie.split("; ") for cookie in answer["cookies"]]
    return {
        first.partition("=")[0]: sorted(word for word in words if not word.startswith("expires="))
        for first, *words in parts
    }
