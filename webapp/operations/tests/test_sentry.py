"""A real Sentry client in a process of its own, and a server that takes what it sends."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy.local.environment import ROOT

FAILING = """
import django; django.setup()
from django.test import Client
from unittest.mock import patch
from webapp.pages import help_views
client = Client(raise_request_exception=False)
with patch.object(help_views, "render", side_effect=RuntimeError("the shelf fell down")):
    answer = client.get("/help/?token=s3cr3t", headers={
        "Cookie": "session=s3cr3t", "Authorization": "Bearer s3cr3t", "X-Request-ID": "request-0001"})
print(answer.status_code)
import sentry_sdk; sentry_sdk.flush(10)
"""


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    taken: list[bytes] = []

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://key@127.0.0.1:{http.server_port}/1", taken
    http.shutdown()
    http.server_close()


def run(code: str, **environment: str) -> str:
    settings = {**os.environ, "DJANGO_SETTINGS_MODULE": "webapp.settings", **environment}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.process
def test_an_error_arrives_and_nothing_that_is_secret(server: tuple[str, list[bytes]]) -> None:
    dsn, taken = server
    assert run(FAILING, SENTRY_DSN=dsn, ALLOWED_HOSTS="testserver", DEBUG="1").strip() == "500"
    sent = b"\n".join(taken).decode()
    events = [json.loads(line) for line in sent.splitlines() if '"exception"' in line]
    values = [value["value"] for event in events for value in event["exception"]["values"]]
    assert "the shelf fell down" in values
    assert any(event["tags"].get("request") == "request-0001" for event in events)
    assert "s3cr3t" not in sent


@pytest.mark.process
def test_without_a_dsn_it_is_not_even_imported() -> None:
    code = "import django, sys; django.setup(); print('sentry_sdk' in sys.modules)"
    assert run(code, SENTRY_DSN="").strip() == "False"
