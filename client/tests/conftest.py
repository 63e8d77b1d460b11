"""The client against the real site: a live server, a token, and a terminal."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from crosstable import Crosstable
from crosstable.cli import main

from webapp.accounts import services
from webapp.conftest import *  # noqa: F403 - the same people and the same world
from webapp.tests import factories


@pytest.fixture
def token(bob) -> str:
    return services.create_token(actor=bob, name="ci", scopes=["read", "submit"], days=1)[1]


@pytest.fixture
def address(request, quick_settings) -> str:
    """Of a live server; asked for late, for it looks for the folder that quick_settings makes."""
    return request.getfixturevalue("live_server").url


@pytest.fixture
def remote(address, token):
    with Crosstable(address, token) as found:
        yield found


@pytest.fixture
def filled(job, board):
    """A board of two complete contenders."""
    factories.worker()
    for scores in ([True] * 4, [True] * 4, [True, True, True, False], [True, True, True, False]):
        factories.finish(scores)
    return factories.refresh(board)


@pytest.fixture
def run(address, token, monkeypatch, tmp_path, capsys) -> Callable[..., tuple[int, str, str]]:
    """A command as typed: status, standard output, standard error."""
    monkeypatch.setenv("CROSSTABLE_URL", address)
    monkeypatch.setenv("CROSSTABLE_TOKEN", token)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def typed(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        said = capsys.readouterr()
        return status, said.out, said.err

    return typed


@pytest.fixture
def told(run) -> Callable[..., object]:
    """A command that must work, as JSON."""

    def asked(*arguments: str) -> object:
        status, out, err = run(*arguments, "--format", "json")
        assert status == 0, err
        return json.loads(out)

    return asked


class Moved(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(301)
        self.send_header("Location", f"https://new.example.org{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


@pytest.fixture
def moved_site() -> Iterator[str]:
    """A server that leads everybody elsewhere, as one for http:// does before https://."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
