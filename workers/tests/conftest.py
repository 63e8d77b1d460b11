"""A lab with real checkpoints, and real worker processes on the test database."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings as conf
from django.db import connection, connections
from playwright.sync_api import Browser, sync_playwright
from pytest_django import Settings

from deploy.local.servers import EmbeddedValkey
from webapp.accounts.models import Team, User
from webapp.accounts.services import create_team
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs.models import Job, Run, Worker
from webapp.tests import factories

CHECKPOINTS = conf.BASE_DIR / "deploy/demo/checkpoints"
LEASE_SECONDS = 5


@dataclass
class Lab:
    """A team with the demo's checkpoints; `job` submits one entry on sums of any number, in a new `suite`."""

    owner: User
    team: Team
    suite: Suite | None = None

    def entry(self, name: str = "tiny-xs") -> EntryVersion:
        return factories.entry(self.owner, self.team, name, CHECKPOINTS / name)

    def sums(self, size: int, kind: str = "choice") -> Suite:
        """Of that many sums, as `choice-40`."""
        name = f"{kind}-{size}"
        version = factories.benchmark(self.owner, self.team, name, size, kind=kind)
        return factories.suite(self.owner, self.team, name, [version])

    def job(self, entry: EntryVersion, *, size: int = 40, kind: str = "choice", **more: Any) -> Job:
        self.suite = self.sums(size, kind)
        return factories.job(self.owner, self.team, self.suite, [entry], **more)


@pytest.fixture
def lab(db: None, settings: Settings) -> Lab:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MODEL_ROOTS = [CHECKPOINTS]
    settings.LEASE_SECONDS = LEASE_SECONDS
    owner = factories.person("alice")
    return Lab(owner, create_team(actor=owner, name="lab", title="The lab"))


def test_database_url() -> str:
    here = connection.settings_dict
    return f"postgresql://{here['USER']}@/{here['NAME']}?{urlencode({'host': here['HOST'], 'port': here['PORT']})}"


def environment(**more: str) -> dict[str, str]:
    """What a process needs to work on the test database."""
    ours = {
        "DATABASE_URL": test_database_url(),
        "CROSSTABLE_LEASE_SECONDS": str(LEASE_SECONDS),
        "CROSSTABLE_MODEL_ROOTS": str(CHECKPOINTS),
        "OMP_NUM_THREADS": "1",
    }
    return {**os.environ, **ours, **more}


@dataclass
class Process:
    """A child process; what it prints goes to a file that a failing test shows."""

    child: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """SIGKILL to the whole group: no goodbye."""
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self) -> None:
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


Start = Callable[..., Process]


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Starts `python -m ...` on the test database; whatever still runs at the end is stopped. tree: of another code."""
    running: list[Process] = []

    def start_one(*arguments: str, tree: Path = conf.BASE_DIR, **more: str) -> Process:
        log = folder / f"process-{len(running)}.log"
        with log.open("wb") as out:
            child = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=tree,
                env=environment(**more),
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running.append(Process(child, log))
        return running[-1]

    try:
        yield start_one
    finally:
        for process in running:
            process.child.terminate()  # all at once: each takes its time to end
        for process in running:
            process.stop()


@pytest.fixture
def start(transactional_db: None, tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start_one:
        yield start_one


CELERY = ("celery", "-A", "webapp.celery", "worker", "-l", "INFO", "--without-gossip", "--without-mingle")


def evaluation_worker(start: Start, name: str = "evaluation", **more: str) -> Process:
    return start(*CELERY, "-P", "solo", "-c", "1", "-Q", "evaluation", "-n", f"{name}@test", **more)


def analysis_worker(start: Start, *clock: str, **more: str) -> Process:
    """clock: the options of its beat."""
    return start(*CELERY, "-P", "threads", "-c", "2", *clock, "-Q", "analysis", "-n", "analysis@test", **more)


def wait_until(true: Callable[[], object], *, seconds: float = 60, of: Process | None = None) -> None:
    """Poll until it is true; a failure shows the last lines of the process that should have made it so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            lines = of.log.read_text(errors="replace")[-3000:] if of else ""
            raise AssertionError(f"did not come true in {seconds} s\n{lines}")
        time.sleep(0.1)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    """One of its own, which a test may kill."""
    server = EmbeddedValkey(tmp_path / "broker").start()
    yield server
    server.stop()


def kill(server: EmbeddedValkey) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()


def living(name: str) -> bool:
    return Worker.objects.filter(name=f"{name}@test", stopped_at=None).exists()


def state(run: Run) -> str:
    run.refresh_from_db()
    return run.state


@pytest.fixture(scope="session")
def static_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a data folder with the collected static files, made once."""
    data = {"CROSSTABLE_DATA": str(tmp_path_factory.mktemp("var"))}
    command = [sys.executable, "-m", "manage", "collectstatic", "--noinput", "-v0"]
    subprocess.run(command, cwd=conf.BASE_DIR, env=environment(**data), check=True, timeout=60)
    return data


@dataclass
class Web:
    """The web server on a port of its own; it may be stopped, and started again on the same one."""

    start: Start
    data: dict[str, str]
    port: int
    process: Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        if self.process and self.process.child.poll() is None:
            return
        quiet = ("--lifespan", "on", "--log-level", "warning", "--timeout-graceful-shutdown", "3")
        asked = ("uvicorn", "webapp.asgi:application", "--port", str(self.port), *quiet)
        self.process = self.start(*asked, **self.data)
        wait_until(lambda: answers(f"{self.address}/healthz"), of=self.process)

    def down(self) -> None:
        assert self.process is not None
        self.process.stop()


@pytest.fixture(scope="module")
def web(django_db_setup: None, static_files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One for all tests of a file, as a site serves many: what is seen is in the database, which each test empties."""
    with starting(tmp_path_factory.mktemp("web")) as start_one:
        yield Web(start_one, static_files, free_port())


@pytest.fixture
def site(start: Start, web: Web) -> str:
    """The whole platform on the test database: web over ASGI, analysis worker with its clock; gives its address."""
    clock = ("-B", "--scheduler", "celery.beat:Scheduler")
    analysis_worker(start, *clock, **web.data)
    web.up()
    return web.address


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(address: str) -> bool:
    """With nothing that takes long to make: whoever polls would keep from starting what it waits for."""
    where = urlsplit(address)
    asking = HTTPConnection(where.netloc, timeout=2)
    try:
        asking.request("GET", where.path)
        return asking.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        asking.close()


CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """A headless Chromium. Where none is installed the test is skipped, unless CROSSTABLE_REQUIRE_BROWSER says no."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CROSSTABLE_REQUIRE_BROWSER"):
            pytest.fail("no Chromium was found, and this run must not go without one")
        pytest.skip("no Chromium on this machine")
    # Playwright's synchronous API runs an event loop in this thread; the ORM beside it is used one call at a time.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield started
        started.close()
        connections.close_all()  # beside a running loop Django keeps other connections than outside of it
