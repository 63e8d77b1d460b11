"""PostgreSQL and Valkey as children of this process, for one machine and for the tests.

Both listen on a socket in a folder of mode 0700 and on no port: nobody else on the machine can reach them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from deploy.local import binaries
from deploy.local.folders import FolderLock, private_folder, socket_folder
from deploy.local.processes import alive, die_with_parent, server_account, stop

START_SECONDS = 60.0


class ServerError(Exception):
    """A server did not start; the message ends with what it said."""


class EmbeddedPostgres:
    """A PostgreSQL below `home`. `durable=False` trades safety against power loss for speed: throw-away data only."""

    name = "PostgreSQL"
    port = 5432  # names the socket's file; no port is opened

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.durable = durable
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.sockets = socket_folder(self.home, f".s.PGSQL.{self.port}")
        self.process: subprocess.Popen[bytes] | None = None
        self._account = server_account()
        self._lock = FolderLock(self.home)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets), safe='/')}&port={self.port}"

    def start(self) -> Self:
        """Start and wait until connections are taken. Raises ServerError, FolderError or MissingProgramError."""
        programs = binaries.postgres_folder()
        private_folder(self.home, self._account)
        self._lock.acquire()
        try:
            private_folder(self.sockets, self._account)
            self._make_cluster(programs)
            self._end_left_over()
            self.process = self._spawn(programs)
            _wait_until(self._answers, self.process, self.log, self.name)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, the data is written."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, grace=20)
            self.process = None
        self._lock.release()
        if self.sockets.parent != self.home:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def running(self) -> bool:
        return _connects(self.sockets / f".s.PGSQL.{self.port}")

    def _make_cluster(self, programs: Path) -> None:
        major = binaries.postgres_major(programs)
        version = self.data / "PG_VERSION"
        if version.exists():
            if int(version.read_text()) != major:
                raise ServerError(
                    f"{self.data} was made by PostgreSQL {version.read_text().strip()}, this is {major}. Back it up "
                    "with the older version, move the folder away and restore (see `make backup`, `make restore`)."
                )
            return
        unfinished = self.home / "data.new"  # a folder named `data` is always complete
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if major >= 17 else []
        options += [] if self.durable else ["--no-sync"]
        self._run(programs / "initdb", "-D", unfinished, *options)
        unfinished.rename(self.data)

    def _run(self, program: Path, *arguments: str | Path) -> None:
        command = self._account.command(program, *arguments)
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd="/",
            user=self._account.uid,
            group=self._account.gid,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{program.name} failed: {_words(done.stdout + done.stderr)}{self._nobody_hint()}")

    def _nobody_hint(self) -> str:
        if self._account.uid is None:
            return ""
        return (
            f" PostgreSQL runs as `nobody` here, because it refuses root and user namespaces are closed: every folder "
            f"above {self.home} must be open to it. Choose one with --data, or run as an ordinary user."
        )

    def _end_left_over(self) -> None:
        """Remove a lock file whose process is gone or is not PostgreSQL: process ids are used again after a reboot."""
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().split()[0])
            if not alive(pid) or b"postgres" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                lock.unlink()
                return
            os.kill(pid, signal.SIGINT)
            end = time.monotonic() + 20
            while alive(pid) and time.monotonic() < end:
                time.sleep(0.05)

    def _spawn(self, programs: Path) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "port": str(self.port),
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "64MB",
            "log_min_messages": "warning",
        }
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._account.tied(signal.SIGINT, programs / "postgres", "-D", self.data, *options)
        return _spawn(command, self.log, signal.SIGINT, self._lock.descriptor, self._account.uid, self._account.gid)

    def _answers(self) -> bool:
        """The socket exists before connections are taken; the lock file's eighth line says `ready`."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and self.running()


class EmbeddedValkey:
    """A Valkey below `home`; durable: every second's writes survive a crash (append-only file)."""

    name = "Valkey"

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.durable = durable
        self.log = self.home / "valkey.log"
        self.socket = socket_folder(self.home, "valkey.sock") / "valkey.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self._lock = FolderLock(self.home)

    def url(self) -> str:
        """The address for kombu (BROKER_URL)."""
        return f"redis+socket://{quote(str(self.socket), safe='/')}?virtual_host=0"

    def channel_layer_url(self) -> str:
        """The address for redis-py (CHANNEL_LAYER_URL)."""
        return f"unix://{quote(str(self.socket), safe='/')}"

    def start(self) -> Self:
        """Start and wait for PONG. Raises ServerError, FolderError or MissingProgramError."""
        program = binaries.valkey_program()
        private_folder(self.home)
        self._lock.acquire()
        try:
            private_folder(self.socket.parent)
            command = [str(program), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
            command += ["--dir", str(self.home), "--save", "", "--maxmemory-policy", "noeviction"]
            command += ["--appendonly", "yes" if self.durable else "no", "--appendfsync", "everysec"]
            self.process = _spawn(command, self.log, signal.SIGTERM, self._lock.descriptor)
            _wait_until(self.running, self.process, self.log, self.name)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, signal.SIGTERM, grace=10)
            self.process = None
        self._lock.release()
        if self.socket.parent.parent != self.home:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def running(self) -> bool:
        return _connects(self.socket, b"PING\r\n", b"+PONG")


def _spawn(
    command: list[str], log: Path, death: signal.Signals, lock: int, uid: int | None = None, gid: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a server in its own session, so that Ctrl-C in the terminal reaches only us and we stop it in order."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            pass_fds=(lock,),
            start_new_session=True,
            preexec_fn=die_with_parent(death),  # noqa: PLW1509 - one system call, no lock is taken
        )


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready():
        code = process.poll()
        if code is not None or time.monotonic() > end:
            what = f"did not answer within {START_SECONDS:.0f} s" if code is None else f"ended with code {code}"
            raise ServerError(f"{name} {what}: {_words(log.read_text(errors='replace')[-1500:])} (all of it: {log})")
        time.sleep(0.02)


def _connects(path: Path, say: bytes = b"", expect: bytes = b"") -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(str(path))
        if not say:
            return True
        client.sendall(say)
        return client.recv(16).startswith(expect)
    return False


def _words(text: str) -> str:
    return " ".join(text.split()) or "(it said nothing)"
