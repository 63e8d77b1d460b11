"""A RabbitMQ of its own, which a test may kill: private data, ports and name server, as whoever runs the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# Debian's program in the path changes to another user and to that user's folders; the one that it calls does not.
DEBIAN = "/usr/lib/rabbitmq/bin"
START_SECONDS = 60.0


def program() -> str | None:
    return shutil.which("rabbitmq-server", path=DEBIAN) or shutil.which("rabbitmq-server")


class RabbitMQ:
    """On the same port and with the same messages each time that it is started."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port, self._distribution, self._names = _free_ports(3)
        self.server: subprocess.Popen[bytes] | None = None
        self.epmd: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """A connection whose other end is silent for ten seconds counts as broken."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//?heartbeat=5"

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        if self.epmd is None:  # RabbitMQ would start one as a daemon that outlives it
            self.epmd = self._child("epmd", "-port", str(self._names), "-address", "127.0.0.1")
            _wait_until(lambda: _answers(self._names), self.epmd)
        found = program()
        assert found is not None
        self.server = self._child(found, "-noinput")
        _wait_until(lambda: _answers(self.port, b"AMQP\0\0\x09\x01"), self.server)

    def _child(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / "rabbitmq.log").open("ab") as out:
            return subprocess.Popen(
                command,
                cwd=self.home,
                env={**os.environ, **self._environment()},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        """RABBITMQ_ALLOW_INPUT: without a shell between it and us, and so in our process group."""
        return {
            "HOME": str(self.home),  # of the cookie
            "RABBITMQ_MNESIA_BASE": str(self.home / "data"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.home / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",
        }

    def kill(self) -> None:
        """SIGKILL: no connection is closed in order."""
        self.server = _end(self.server)

    def stop(self) -> None:
        self.kill()
        self.epmd = _end(self.epmd)


def _end(child: subprocess.Popen[bytes] | None) -> None:
    if child is not None:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _free_ports(count: int) -> list[int]:
    """Different ones: all are held until the last is found."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in found]
    for one in found:
        one.close()
    return ports


def _answers(port: int, greeting: bytes = b"") -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as asking:
            asking.sendall(greeting)
            return not greeting or bool(asking.recv(8))
    except OSError:
        return False


def _wait_until(ready: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready():
        assert child.poll() is None, f"{child.args} ended with {child.returncode}"
        assert time.monotonic() < end, f"{child.args} does not answer"
        time.sleep(0.1)
