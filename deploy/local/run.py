"""`python -m deploy.local`: the whole platform on one machine, in one terminal.

PostgreSQL, Valkey, migrations, demo and static files, then the web; once it answers, the workers. Their packages
(torch is large) are installed behind the running page. Ctrl-C stops everything in reverse.
"""

from __future__ import annotations

import argparse
import errno
import importlib.util
import socket
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.binaries import MissingProgramError
from deploy.local.console import Console
from deploy.local.environment import ROOT, Environment, Progress
from deploy.local.folders import FolderError, private_folder
from deploy.local.servers import ServerError
from deploy.local.settings import is_loopback, needed_servers, platform_environment, secret_key
from deploy.local.supervisor import GaveUpError, Program, StopRequested, Supervisor

WEB_SECONDS = 90.0
FIRST_PORT = 8000
PORTS_TO_TRY = 20
WORKER_PACKAGES = ("torch", "transformers", "lm_eval")
EXTRAS = ["worker", "quant"]  # of pyproject.toml, installed behind the running page


class Platform:
    """One start of everything; `options` come from the command line."""

    def __init__(self, options: argparse.Namespace, console: Console, supervisor: Supervisor) -> None:
        self.data: Path = options.data.resolve()
        self.host: str = options.host
        self.options = options
        self.console = console
        self.supervisor = supervisor
        self.environment: Mapping[str, str] = {}

    def launch(self) -> None:
        self.port = _free_port(self.host, self.options.port)
        if not self.options.port and self.port != FIRST_PORT:
            self.console.step(f"port {FIRST_PORT} is in use: taking {self.port}")
        private_folder(self.data)
        self._start_servers()
        self.supervisor.run_to_end(self._python("setup", "-m", "deploy.local.prepare"))
        self._start_web()
        self._start_workers()

    def _start_servers(self) -> None:
        servers = needed_servers(self.data)
        for server in (servers.postgres, servers.valkey):
            if server:
                server.start()
                self.supervisor.add_server(server)
                self.console.step(f"{server.name} started in {server.home}")
        demo = self.options.demo and is_loopback(self.host)
        key = secret_key(self.data)
        self.environment = platform_environment(self.data, servers, host=self.host, demo=demo, key=key)
        self.environment.setdefault("CROSSTABLE_URL", f"http://{_reachable(self.host)}:{self.port}")

    def _start_web(self) -> None:
        address = f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}/"
        self.supervisor.keep(
            self._python(
                "web", "-m", "uvicorn", "webapp.asgi:application", "--host", self.host, "--port", str(self.port),
                "--lifespan", "on", "--timeout-graceful-shutdown", "3", "--log-level", "warning", "--no-access-log",
                "--ws-per-message-deflate", "false",  # what is pushed is packed once, not for each viewer anew
            )
        )  # fmt: skip
        probe = f"http://{_reachable(self.host)}:{self.port}/healthz"
        if not self.supervisor.wait_for(lambda: _answers(probe), seconds=WEB_SECONDS):
            raise GaveUpError(f"{probe} did not answer with 200 within {WEB_SECONDS:.0f} s")
        self.console.step(f"ready: {address}   (Ctrl-C stops it)")
        if self.options.browser and sys.stdout.isatty() and is_loopback(self.host):
            webbrowser.open(address)

    def _start_workers(self) -> None:
        self.supervisor.keep(
            self._python(
                "analysis", "-m", "celery", "-A", "webapp.celery", "--quiet", "worker", "-Q", "analysis",
                "-n", "analysis@%h", "-P", "threads", "-c", "2", "--loglevel", "WARNING",
                "-B", "--scheduler", "celery.beat:Scheduler",  # the sweep has no past to remember
                "--without-gossip", "--without-mingle",
                grace=15,
            )
        )  # fmt: skip
        progress = self.data / "worker-install.json"
        environment = Environment()
        ours = Path(sys.prefix).resolve() == environment.folder.resolve()
        missing = [package for package in WORKER_PACKAGES if importlib.util.find_spec(package) is None]
        if ours and environment.outdated(EXTRAS):  # half an install imports too: the stamp is the truth
            self.console.step("installing the worker's packages behind the running page (torch takes some minutes)")
            Progress(progress).write("installing", "starting")
            install = self._python("install", "deploy/local/environment.py", *EXTRAS, "--progress", str(progress))
            self.supervisor.run_behind(install, self._after_install)
        elif missing:  # somebody else's environment is not changed
            words = f"{', '.join(missing)} not installed: jobs wait until the extra `worker` is there"
            Progress(progress).write("failed", words)
            self.console.step(words)
        else:
            Progress(progress).write("ready", "installed")
            self._start_evaluation()

    def _after_install(self, code: int) -> None:
        if code:
            self.console.step(
                "the worker's packages could not be installed: jobs wait. The next `make run` tries again."
            )
        else:
            self._start_evaluation()

    def _start_evaluation(self) -> None:
        self.supervisor.keep(self._python("evaluation", "-m", "workers", grace=25, essential=False))
        self.console.step("workers started")

    def _python(self, name: str, *arguments: str, grace: float = 8.0, essential: bool = True) -> Program:
        return Program(name, (sys.executable, *arguments), self.environment, ROOT, grace, essential)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped. 0 after Ctrl-C, 1 when something could not be started or was lost."""
    options = _parser().parse_args(arguments)
    console = Console()
    supervisor = Supervisor(console)
    supervisor.handle_signals()
    code = 0
    try:
        Platform(options, console, supervisor).launch()
        supervisor.watch()
    except StopRequested:
        pass
    except (GaveUpError, ServerError, FolderError, MissingProgramError) as error:
        console.step(f"stopping: {error}")
        code = 1
    finally:
        began = time.monotonic()
        supervisor.stop()
        console.step(f"everything stopped in {time.monotonic() - began:.1f} s")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local", description="Runs the whole platform on this machine."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help="default: 8000, or the next free one")
    parser.add_argument("--data", type=Path, default=ROOT / "var", help="folder for all data (default: var)")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="do not open a browser")
    parser.add_argument(
        "--no-demo", dest="demo", action="store_false", help="no demo team, entries and one-click sign-in"
    )
    return parser


def _free_port(host: str, asked: int | None) -> int:
    """The asked port, which is never replaced; without one the first free one from 8000 on."""
    candidates = [asked] if asked else list(range(FIRST_PORT, FIRST_PORT + PORTS_TO_TRY))
    for port in candidates:
        if _binds(host, port):
            return port
    tried = f"port {asked} is" if asked else f"ports {candidates[0]}-{candidates[-1]} are"
    raise GaveUpError(f"{tried} in use on {host}; choose another one with --port")


def _binds(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise GaveUpError(f"port {port} needs root's rights; choose one above 1023 with --port") from error
        except socket.gaierror as error:
            raise GaveUpError(f"{host!r} is no address of this machine; try --host 127.0.0.1") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise GaveUpError(f"cannot listen on {host}: {error.strerror}; try --host 127.0.0.1") from error
    return True


def _reachable(host: str) -> str:
    """Where to ask for a server that listens on `host`."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"[{address}]" if ":" in address else address


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
