"""Builds the virtual environment `.venv`: `python3 deploy/local/environment.py local worker test`.

Any Python 3.11+ runs this file, with the standard library alone. What was installed is stamped, per extra, with a
hash of its requirements, the constraints and the Python version: when nothing changed a second call does nothing.
The stamp is written last, so an interrupted install is simply done again.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
import tomllib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)
START_OF_LINE = "\r\033[K"  # and the rest of it emptied
# pip's lines that tell a waiting person something; the rest is shown only when pip fails.
ROUTINE = ("Collecting", "Downloading", "Processing")
TELLING = (*ROUTINE, "Building", "Installing", "Successfully", "ERROR")

Say = Callable[[str], None]


class EnvironmentBroken(Exception):
    """The environment could not be built; the message says what to do."""


class Environment:
    """The virtual environment of the repository at `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin/python"
        self._stamp = self.folder / "crosstable.json"

    def outdated(self, extras: Sequence[str]) -> list[str]:
        """Those of `extras` (and "base") that are not installed as pyproject.toml and constraints.txt ask."""
        version = self._python_version()
        stamped = self._stamped() if version else {}
        return [extra for extra in ("base", *extras) if stamped.get(extra) != self._digest(extra, version)]

    def ensure(self, extras: Sequence[str], say: Say) -> None:
        """Make or complete the environment. Raises EnvironmentBroken."""
        if not self.outdated(extras):
            return
        with self._alone(say):
            wanted = self.outdated(extras)  # another process may have done it meanwhile
            if not wanted:
                return
            version = self._python_version()
            if not version or self._stamped().get("python", version) != version:
                self._create(say)
            self._install(wanted, say)
            self._write_stamp(wanted)

    def requirements(self, extra: str) -> list[str]:
        project = tomllib.loads((self.root / "pyproject.toml").read_text())["project"]
        if extra == "base":
            return list(project["dependencies"])
        try:
            return list(project["optional-dependencies"][extra])
        except KeyError:
            known = ", ".join(project["optional-dependencies"])
            raise EnvironmentBroken(f"pyproject.toml has no extra {extra!r}. It has: {known}.") from None

    def _digest(self, extra: str, version: str) -> str:
        parts = [version, (self.root / "constraints.txt").read_text(), *self.requirements(extra)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _python_version(self) -> str:
        """Such as "3.11"; empty when the environment is missing, broken or too old."""
        code = "import sys; print('%d.%d' % sys.version_info[:2] if sys.version_info >= (3, 11) else '')"
        try:
            return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return ""

    def _stamped(self) -> dict[str, str]:
        try:
            stamp = json.loads(self._stamp.read_text())
        except (OSError, ValueError):
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(self, extras: Sequence[str]) -> None:
        version = self._python_version()
        stamp = self._stamped() | {"python": version} | {extra: self._digest(extra, version) for extra in extras}
        write_whole(self._stamp, json.dumps(stamp, indent=1))

    def _create(self, say: Say) -> None:
        say(f"making {self.folder} with Python {sys.version.split()[0]}")
        command = [sys.executable, "-m", "venv", "--clear", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EnvironmentBroken(
                f"{done.stdout}{done.stderr}\nThe virtual environment could not be made. On Debian and Ubuntu this is "
                "cured by `apt install python3-venv`."
            )

    def _install(self, extras: Sequence[str], say: Say) -> None:
        began = time.monotonic()
        say(f"installing {', '.join(extras)} with pip")
        wanted = [requirement for extra in extras for requirement in self.requirements(extra)]
        command = [
            self.python,
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "--no-compile",
        ]
        if wanted:
            self._pip([*map(str, command), "-c", str(self.root / "constraints.txt"), *wanted], say)
            self._compile()
        self._make_importable()
        say(f"installed {', '.join(extras)} in {time.monotonic() - began:.0f} s")

    def _pip(self, command: list[str], say: Say) -> None:
        last: deque[str] = deque(maxlen=30)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        ) as pip:
            for line in pip.stdout or ():
                last.append(line.rstrip())
                if line.strip().startswith(TELLING):
                    say(line.strip()[:110])
        if pip.returncode:
            raise EnvironmentBroken("\n".join([*last, "pip failed: see above. A second try goes on from here."]))

    def _compile(self) -> None:
        """On all cores, for pip would take one, and without the packages' own tests. Services that may not write here
        would compile at every start. What is no Python of this version is said when it is imported."""
        command = [self.python, "-m", "compileall", "-q", "-j", "0", "-x", "site-packages/.*/tests?/"]
        subprocess.run([*map(str, command), str(self._packages())], capture_output=True, check=False)

    def _make_importable(self) -> None:
        """Let every program of the environment import the project, from any folder."""
        (self._packages() / "crosstable.pth").write_text(f"{self.root}\n")

    def _packages(self) -> Path:
        return self.folder / f"lib/python{self._python_version()}/site-packages"

    @contextlib.contextmanager
    def _alone(self, say: Say) -> Iterator[None]:
        """One installer at a time: `make run` installs behind the page while somebody types `make test`."""
        with (self.root / "pyproject.toml").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another installation into .venv to end")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Progress:
    """What a page shows while packages install: a small JSON file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.started = datetime.now(UTC).isoformat(timespec="seconds")

    def write(self, state: str, line: str) -> None:
        """`state` is installing, ready or failed; `line` is for people."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps({"state": state, "line": line, "started": self.started}))


def write_whole(path: Path, text: str) -> None:
    """Replace a file so that a reader never sees half of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="environment.py", description="Builds or completes .venv.")
    parser.add_argument("extras", nargs="*", help="extras of pyproject.toml beside the base: local, worker, test")
    parser.add_argument("--progress", type=Path, help="also write the state to this JSON file")
    parser.add_argument("--list", action="store_true", help="only print the requirements (for container images)")
    options = parser.parse_args(arguments)
    if sys.version_info < OLDEST:
        print(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    if options.list:
        print("\n".join(line for extra in ("base", *options.extras) for line in Environment().requirements(extra)))
        return 0
    return _build(options.extras, Progress(options.progress) if options.progress else None)


def _build(extras: Sequence[str], progress: Progress | None) -> int:
    def say(line: str) -> None:
        _print(line)
        if progress:
            progress.write("installing", line)

    state, last, code = "ready", "installed", 0
    try:
        Environment().ensure(extras, say)
    except (EnvironmentBroken, OSError) as error:
        print(error, file=sys.stderr)
        state, last, code = "failed", str(error)[-600:], 1
    if progress:
        progress.write(state, last)
    return code


def _print(line: str) -> None:
    """What pip does in passing takes one line of a terminal, and none of a log."""
    terminal, routine = sys.stdout.isatty(), line.startswith(ROUTINE)
    if terminal or not routine:
        print(f"{START_OF_LINE if terminal else ''}  {line}", end="" if routine else "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
