"""`python -m deploy.local doctor`: what is missing or wrong on this machine, and what to do about it.

Needs the standard library alone, so that it can say that everything else is missing. Exit code 1 when a check fails.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.local import binaries
from deploy.local.environment import OLDEST, ROOT, Environment
from deploy.local.settings import Servers, needed_servers, platform_environment

GIGABYTE = 10**9
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHECKPOINTS = ROOT / "deploy/demo/checkpoints"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `remedy` is said unless all is well."""

    level: Literal["ok", "warn", "fail"]
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Machine:
    """What the checks look at: the data folder and the embedded servers that its settings ask for."""

    data: Path
    servers: Servers

    def settings(self) -> dict[str, str]:
        """The environment of the platform's processes, with a key of no value: nothing is made, nothing is signed."""
        given = os.environ.get("SECRET_KEY") or "doctor"
        return platform_environment(self.data, self.servers, host="127.0.0.1", demo=False, key=given)


def python(_machine: Machine) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST:
        yield Finding("ok", f"Python {found}")
    else:
        yield Finding("fail", f"Python {found} is too old", "install Python 3.11 or later, or set PYTHON= for make")


def environment(_machine: Machine) -> Iterator[Finding]:
    ours = Environment()
    if Path(sys.prefix).resolve() != ours.folder.resolve():
        yield Finding("warn", f"this is not .venv but {sys.prefix}", "`make run` builds .venv and uses it")
    outdated = ours.outdated(["local"])
    if outdated:
        yield Finding("warn", f".venv is missing or not up to date ({', '.join(outdated)})", "`make run` builds it")
    else:
        yield Finding("ok", ".venv is up to date")


def packages(machine: Machine) -> Iterator[Finding]:
    """Absent packages, and versions other than those that were tried together."""
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    pinned = {_normal(name): version for name, version in pinned.items()}
    needs_local = machine.servers.postgres is not None or machine.servers.valkey is not None
    levels: dict[str, Literal["warn", "fail"]] = {"base": "fail", "local": "fail" if needs_local else "warn"}
    remedies = {"base": "make run", "local": "make run", "worker": "make run", "quant": "make run", "test": "make test"}
    for extra, remedy in remedies.items():
        installed = {name: _version(name) for name in map(_name, Environment().requirements(extra))}
        absent = [name for name, version in installed.items() if version is None]
        other = [
            f"{name} {version} instead of {pinned[_normal(name)]}"
            for name, version in installed.items()
            if version and pinned.get(_normal(name), version) != version.split("+")[0]
        ]
        if absent:
            yield Finding(
                levels.get(extra, "warn"), f"packages of `{extra}` missing: {', '.join(absent)}", f"`{remedy}`"
            )
        elif other:
            yield Finding(
                "warn", f"packages of `{extra}`: {'; '.join(other)}", f"`{remedy}` installs the tried versions"
            )
        else:
            yield Finding("ok", f"packages of `{extra}`: {len(installed)} installed")


def programs(machine: Machine) -> Iterator[Finding]:
    needed = (
        (machine.servers.postgres, "PostgreSQL", binaries.postgres_folder),
        (machine.servers.valkey, "Valkey", binaries.valkey_program),
    )
    for server, name, find in needed:
        if server is None:
            continue
        try:
            yield Finding("ok", f"{name}'s programs: {find()}")
        except binaries.MissingProgramError as error:
            yield Finding("fail", f"{name}'s programs are missing", str(error))


def database(machine: Machine) -> Iterator[Finding]:
    if machine.servers.postgres and not machine.servers.postgres.running():
        yield Finding("ok", "embedded PostgreSQL: not running (`make run` starts it)")
        return
    url = machine.settings()["DATABASE_URL"]
    code = (
        "import os, psycopg\nwith psycopg.connect(os.environ['DATABASE_URL'], connect_timeout=5) as c:"
        " print(c.info.server_version // 10000)"
    )
    done = _run(machine, "-c", code)
    if done.returncode:
        yield Finding("fail", f"the database does not answer: {_last(done.stderr)}", "check DATABASE_URL, or unset it")
        return
    yield Finding(
        "ok", f"PostgreSQL {done.stdout.strip()} answers ({'embedded' if 'host=/' in url else 'DATABASE_URL'})"
    )
    pending = _run(machine, "manage.py", "migrate", "--check")
    if pending.returncode:
        yield Finding("warn", f"migrations: {_last(pending.stderr or pending.stdout)}", "`python manage.py migrate`")
    else:
        yield Finding("ok", "migrations: all applied")


def broker(machine: Machine) -> Iterator[Finding]:
    if machine.servers.valkey and not machine.servers.valkey.running():
        yield Finding("ok", "embedded Valkey: not running (`make run` starts it)")
        return
    settings = machine.settings()
    code = (
        "import os, kombu;"
        " kombu.Connection(os.environ['BROKER_URL'], connect_timeout=5).ensure_connection(max_retries=1)"
    )
    done = _run(machine, "-c", code)
    if done.returncode:
        yield Finding("fail", f"the broker does not answer: {_last(done.stderr)}", "check BROKER_URL, or unset it")
    else:
        yield Finding("ok", f"the broker answers ({settings['BROKER_URL'].split(':')[0]})")
    if not settings.get("CHANNEL_LAYER_URL"):
        return
    done = _run(
        machine, "-c", "import os, redis; redis.from_url(os.environ['CHANNEL_LAYER_URL'], socket_timeout=5).ping()"
    )
    if done.returncode:
        yield Finding("fail", f"the channel layer does not answer: {_last(done.stderr)}", "check CHANNEL_LAYER_URL")
    else:
        yield Finding("ok", "the channel layer answers")


def disk(machine: Machine) -> Iterator[Finding]:
    folder = next(folder for folder in (machine.data, *machine.data.parents) if folder.exists())
    free = shutil.disk_usage(folder).free / GIGABYTE
    level: Literal["ok", "warn", "fail"] = "ok" if free > 5 else "warn" if free > 1 else "fail"
    yield Finding(level, f"{free:.1f} GB free in {folder}", "free some space: the worker's packages need 3 GB")


def browser(_machine: Machine) -> Iterator[Finding]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        yield Finding("ok", f"browser for the tests: {found}")
    else:
        yield Finding("warn", "no Chromium: the browser tests are left out", "apt install chromium")


def device(machine: Machine) -> Iterator[Finding]:
    """Asks in another process: a torch that crashes on import must not take the report with it."""
    if importlib.util.find_spec("torch") is None:
        yield Finding("warn", "torch is not installed: no job is evaluated on this machine", "`make run` installs it")
        return
    code = (
        "import torch; n = torch.cuda.device_count() if torch.cuda.is_available() else 0;"
        " print(torch.__version__, 'on', ', '.join(torch.cuda.get_device_name(i) for i in range(n)) or 'the processor')"
    )
    done = _run(machine, "-c", code)
    if done.returncode:
        yield Finding("fail", f"torch cannot be used: {_last(done.stderr)}", "remove .venv and call `make run` again")
    else:
        yield Finding("ok", f"torch {done.stdout.strip()}")


def demo(_machine: Machine) -> Iterator[Finding]:
    found = sorted(path.parent.name for path in CHECKPOINTS.glob("*/*.safetensors"))
    if found:
        yield Finding("ok", f"demo checkpoints: {', '.join(dict.fromkeys(found))}")
    else:
        yield Finding(
            "warn", f"no demo checkpoints in {CHECKPOINTS}", "get them back with git: `git checkout deploy/demo`"
        )


CHECKS: tuple[Callable[[Machine], Iterator[Finding]], ...] = (
    python,
    environment,
    packages,
    programs,
    database,
    broker,
    disk,
    browser,
    device,
    demo,
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.local doctor", description="Says what is missing or wrong.")
    parser.add_argument("--data", type=Path, default=ROOT / "var", help="folder for all data (default: var)")
    data: Path = parser.parse_args(arguments).data.resolve()
    machine = Machine(data, needed_servers(data))
    findings = [finding for check in CHECKS for finding in _guarded(check, machine)]
    failures = sum(finding.level == "fail" for finding in findings)
    print(f"\n{failures} of {len(findings)} checks failed" if failures else f"\n{len(findings)} checks, none failed")
    return 1 if failures else 0


def _guarded(check: Callable[[Machine], Iterator[Finding]], machine: Machine) -> Iterator[Finding]:
    """The findings of one check, printed as they come; a check that breaks is a finding itself."""
    try:
        for finding in check(machine):
            _print(finding)
            yield finding
    except Exception as error:
        broken = Finding("fail", f"the check `{check.__name__}` broke: {error!r}", "please report this")
        _print(broken)
        yield broken


def _print(finding: Finding) -> None:
    mark = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}[finding.level]
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        mark = f"\033[{ {'ok': 32, 'warn': 33, 'fail': 31}[finding.level] }m{mark}\033[0m"
    remedy = f"\n       -> {finding.remedy}" if finding.remedy and finding.level != "ok" else ""
    print(f"{mark}  {finding.text}{remedy}", flush=True)


def _run(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | machine.settings() | {"DJANGO_SETTINGS_MODULE": "webapp.settings"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
