"""The audit against a database of this test's own, in the form of OSV: it finds, it passes, and it never guesses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from packaging.version import Version

from deploy import audit

Known = dict[str, str]  # package -> the version in which its vulnerability is fixed


def advisory(package: str, fixed: str) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
    return {
        "id": f"PYSEC-2099-{package}", "summary": "x", "details": "x", "modified": "2026-01-01T00:00:00Z",
        "affected": [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}],
    }  # fmt: skip


@pytest.fixture
def database() -> Iterator[tuple[str, Known]]:
    known: Known = {}

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fixed = known.get(asked["package"]["name"], "0")
            affected = Version(asked["version"]) < Version(fixed)
            body = json.dumps({"vulns": [advisory(asked["package"]["name"], fixed)] if affected else []}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query", known
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_what_is_known_of_an_installed_package_is_found(
    database: tuple[str, Known], capsys: pytest.CaptureFixture[str]
) -> None:
    url, known = database
    known["jinja2"] = "2.8.1"
    assert audit.main(["--osv-url", url]) == 0
    assert "audited: 0 vulnerabilities" in capsys.readouterr().out
    known["django"] = "99.1"
    assert audit.main(["--osv-url", url]) == 1
    assert "PYSEC-2099-django, fixed in 99.1" in capsys.readouterr().out


def test_an_empty_database_is_not_taken_for_good_news(
    database: tuple[str, Known], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["--osv-url", database[0]]) == audit.NOT_AUDITED
    assert "NOT AUDITED" in capsys.readouterr().out


def test_a_database_that_is_away_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--osv-url", "http://127.0.0.1:1/v1/query"]) == audit.NOT_AUDITED
    assert "NOT AUDITED" in capsys.readouterr().out
