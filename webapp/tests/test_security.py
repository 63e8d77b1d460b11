"""Inline code, TLS and sockets, as somebody who attacks them meets them; headers and cookies: test_headers.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse

from webapp.accounts.models import User
from webapp.tests.addresses import routes
from webapp.tests.test_permissions import admin_addresses

PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number % 90) for number in range(17, 90)),
    "ALLOWED_HOSTS": "crosstable.example.org,localhost",
    "CSRF_TRUSTED_ORIGINS": "https://crosstable.example.org",
    "CROSSTABLE_URL": "https://crosstable.example.org",
    "CROSSTABLE_HTTPS": "1",
    "CROSSTABLE_LOG_FORMAT": "json",
    "DEBUG": "0",
}
ASKED = """
import django, json; django.setup()
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from webapp.accounts import door
ours, tls = {"Host": "crosstable.example.org"}, {"X-Forwarded-Proto": "https"}
plain = Client().get("/api/v1/schemes/", headers=ours)
secure = Client().get("/healthz", headers=ours | tls)
inside = Client().get("/healthz", headers={"Host": "localhost"})
foreign = Client().get("/healthz", headers={"Host": "evil.example.com"} | tls)
welcome = HttpResponse()
door.Attempt(()).succeeded(welcome, "alice")
print(json.dumps({
    "plain": [plain.status_code, plain.headers["Location"]], "inside": inside.status_code,
    "foreign": foreign.status_code, "hsts": secure.headers["Strict-Transport-Security"],
    "cookies": [settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SESSION_COOKIE_HTTPONLY],
    "device": welcome.cookies[door.COOKIE]["secure"],
}))
"""


def in_production(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **PRODUCTION, "DJANGO_SETTINGS_MODULE": "webapp.settings", **more}
    command = (sys.executable, *command)
    return subprocess.run(command, env=environment, cwd=conf.BASE_DIR, capture_output=True, text=True, check=False)


class Inline(HTMLParser):
    """What the policy would not let run: code and style in the page itself, and anything from elsewhere."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        kind = given.get("type") or ""
        if tag == "style" or (tag == "script" and "src" not in given and kind != "application/json"):
            self.found.append(f"<{tag}>")
        self.found += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            value = (given.get(name) or "").strip().lower()
            loads = tag in {"script", "link", "img", "form", "iframe"}
            if value.startswith("javascript:") or (loads and value.startswith(("http:", "https:", "//"))):
                self.found.append(f"{tag} {name}={value}")


def test_the_parser_of_this_test_finds_what_it_looks_for() -> None:
    bad = """<script>1</script><p style="x" onclick="y"><a href=" JavaScript:z"></a><img src="//evil/">
        <style></style><script src="/fine.js"></script><script type="application/json">{}</script><a href="https://fine/"></a>"""
    assert Inline(bad).found == [
        "<script>",
        "p style",
        "p onclick",
        "a href=javascript:z",
        "img src=//evil/",
        "<style>",
    ]


def test_no_page_has_anything_inline(client: Client, alice: User, addresses: dict[str, tuple[object, ...]]) -> None:
    """Every page that draws something, as an owner; then Django's own admin, as an operator."""
    client.force_login(alice)
    pages = [
        reverse(name, args=addresses.get(name, ()))
        for name, pattern in routes()
        if not name.startswith(("api:", "schema")) and (name in addresses or not pattern.pattern.converters)
    ]
    found = {path: Inline(html).found for path in pages if (html := _html(client, path))}
    assert len(found) > 60
    alice.is_staff = alice.is_superuser = True
    alice.save()
    admin = {path: Inline(html).found for path in admin_addresses() if (html := _html(client, path))}
    assert len(admin) > 20
    assert {path: inline for path, inline in (found | admin).items() if inline} == {}


def _html(client: Client, path: str) -> str:
    answer = client.get(path)
    shown = answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    return answer.content.decode() if shown else ""


@pytest.mark.process
def test_a_production_platform_passes_djangos_own_checks() -> None:
    # (What drf-spectacular warns of is held by test_schema.py.)
    done = in_production("manage.py", "check", "--deploy", "--tag", "security", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "2 silenced" in done.stdout + done.stderr
    assert conf.SILENCED_SYSTEM_CHECKS == ["security.W005", "security.W021"]


@pytest.mark.process
def test_production_speaks_tls_only_and_to_its_own_name_only() -> None:
    done = in_production("-c", ASKED)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "plain": [301, "https://crosstable.example.org/api/v1/schemes/"],
        "inside": 200,
        "foreign": 400,
        "hsts": "max-age=31536000",
        "cookies": [True, True, True],
        "device": True,
    }


def browser(origin: bytes | None, path: str = "/ws/jobs/1/") -> ApplicationCommunicator:
    """One that asks for a socket through everything that stands before it."""
    from webapp.asgi import application

    headers = [(b"host", b"testserver"), *([(b"origin", origin)] if origin else [])]
    scope: dict[str, Any] = {
        "type": "websocket", "path": path, "query_string": b"", "headers": headers, "subprotocols": [],
        "client": ("127.0.0.1", 1), "server": ("testserver", 80), "scheme": "ws",
    }  # fmt: skip
    return ApplicationCommunicator(application, scope)


def connect(origin: bytes | None) -> str:
    """What the first answer to a handshake is."""

    async def shake() -> str:
        peer = browser(origin)
        await peer.send_input({"type": "websocket.connect"})
        kind: str = (await peer.receive_output(5))["type"]
        await peer.send_input({"type": "websocket.disconnect", "code": 1000})
        await peer.wait(5)
        return kind

    return async_to_sync(shake)()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("origin", "answer"),
    [
        (b"http://testserver", "websocket.accept"),
        (b"https://evil.example.com", "websocket.close"),
        (b"https://testserver.evil.example.com", "websocket.close"),
        (b"https://evil.example.com/http://testserver", "websocket.close"),
        (b"null", "websocket.close"),
        (None, "websocket.close"),
    ],
)
def test_a_page_of_somebody_else_opens_no_socket(origin: bytes | None, answer: str) -> None:
    """Browsers send cookies along with any WebSocket: the origin is what tells whose page it is."""
    assert connect(origin) == answer
