"""Servers outside: one that takes messages, and one that takes letters."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from webapp import env
from webapp.notices.models import Delivery, Email


@dataclass
class Receiver:
    """A web server on this machine. status, headers, answer: what it says; slowly: seconds between two bytes."""

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"thank you"
    slowly: float = 0.0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            pieces = [receiver.answer] if not receiver.slowly else [bytes([one]) for one in receiver.answer]
            for piece in pieces:
                time.sleep(receiver.slowly)
                try:
                    self.wfile.write(piece)
                except OSError:
                    return

        def log_message(self, *_: Any) -> None:
            """Tests read what was got, not what was printed."""

    return Handler


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    said = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(said))
    server.daemon_threads = True
    said.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield said
    server.shutdown()
    server.server_close()


@pytest.fixture
def nearby(settings: Settings) -> None:
    """The operator allows this machine on purpose."""
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8"]


@dataclass
class LetterBox:
    """A mail server. refusal: what it answers to a recipient, if not 250."""

    port: int = 0
    refusal: str = ""
    got: list[str] = field(default_factory=list)


def _postman(box: LetterBox) -> type[socketserver.StreamRequestHandler]:
    class Postman(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip():
                self.obey(line.split(" ")[0].upper())

        def obey(self, word: str) -> None:
            if word == "DATA":
                self.say("354 go on")
                box.got.append(self.letter())
            self.say(box.refusal if word == "RCPT" and box.refusal else "250 fine")

        def say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

        def letter(self) -> str:
            lines = []
            while (line := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                lines.append(line)
            return "\n".join(lines)

    return Postman


@pytest.fixture
def letter_box(settings: Settings) -> Iterator[LetterBox]:
    box = LetterBox()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _postman(box))
    server.daemon_threads = True
    box.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    use_mail(settings, f"smtp://127.0.0.1:{box.port}")
    yield box
    server.shutdown()
    server.server_close()


def use_mail(settings: Settings, url: str) -> None:
    """As settings.py reads EMAIL_URL."""
    mail = env.mail(url)
    settings.MAIL, settings.EMAIL_BACKEND = mail, mail.backend
    settings.EMAIL_HOST, settings.EMAIL_PORT = mail.host, mail.port


def due_now() -> None:
    """The time of the next attempts has come."""
    for model in (Email, Delivery):
        model.objects.update(next_at="2020-01-01T00:00Z")
