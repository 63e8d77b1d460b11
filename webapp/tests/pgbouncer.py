"""A PgBouncer of its own before the test's PostgreSQL, as the user who runs that one: both refuse root."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from deploy.local.processes import server_account

START_SECONDS = 10.0


def program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


needed = pytest.mark.skipif(program() is None, reason="no PgBouncer on this machine")


class PgBouncer:
    """`settings` are those of its section [pgbouncer]; all that they leave out is at its default. It asks no client for
    a password, and listens on 127.0.0.1 alone."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.home, self._account = home, server_account()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        own = {"listen_addr": "127.0.0.1", "listen_port": self.port, "auth_type": "any", "unix_socket_dir": ""}
        self._ini = _ini({"databases": {"*": _server()}, "pgbouncer": own | settings})
        self.server: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        here = connection.settings_dict
        return f"postgresql://{here['USER']}@127.0.0.1:{self.port}/{here['NAME']}"

    def start(self) -> None:
        self.home.chmod(0o711)
        self._account.give(self.home)
        (self.home / "pgbouncer.ini").write_text(self._ini)
        found = program()
        assert found is not None
        with (self.home / "pgbouncer.log").open("ab") as out:
            self.server = subprocess.Popen(
                self._account.command(found, self.home / "pgbouncer.ini"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                user=self._account.uid,
                group=self._account.gid,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            said = (self.home / "pgbouncer.log").read_text()
            assert self.server.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL: no session is ended in order."""
        if self.server is not None:
            if self.server.poll() is None:
                os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()


@contextmanager
def pgbouncer(**settings: object) -> Iterator[PgBouncer]:
    with tempfile.TemporaryDirectory(prefix="crosstable-pgbouncer-") as folder:
        server = PgBouncer(Path(folder), **settings)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _server() -> str:
    here = connection.settings_dict
    told = {"host": here["HOST"], "port": here["PORT"], "user": here["USER"], "password": here["PASSWORD"]}
    return " ".join(f"{name}={value}" for name, value in told.items() if value)


def _ini(sections: dict[str, dict[str, object]]) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
        for name, values in sections.items()
    )
