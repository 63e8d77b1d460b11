"""How child processes are started: tied to their parent's life, and never as root where a program refuses it."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A preexec_fn after which the kernel sends `number` to the child when its parent dies, kill -9 included.

    Linux ties the signal to the *thread* that forked: start such children from the main thread only.
    Elsewhere nothing happens, and only an orderly stop ends the child.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _LIBC is not None:
            _LIBC.prctl(PR_SET_PDEATHSIG, int(number))
            if os.getppid() != parent:  # it died between fork and prctl
                os._exit(1)

    return before_exec


@dataclass(frozen=True)
class Account:
    """As whom a server that refuses uid 0 runs: a command prefix, or another user's ids."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def give(self, folder: Path) -> None:
        """Make `folder` this account's own."""
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.prefix, *map(str, arguments)]

    def tied(self, number: signal.Signals, *arguments: str | Path) -> list[str]:
        """The command with its parent-death signal set last: entering a user namespace clears an earlier one."""
        return (
            [*self.prefix, "setpriv", "--pdeathsig", number.name[3:], "--", *map(str, arguments)]
            if self.prefix
            else self.command(*arguments)
        )


@functools.cache
def server_account() -> Account:
    """Ourselves; for root a user namespace in which we are nobody, else really nobody.

    In the namespace files stay root's on the outside, nothing changes hands and no account is made. Where user
    namespaces are closed (some container runtimes), the data folder is handed to nobody instead.
    """
    if os.geteuid() != 0:
        return Account()
    nobody = pwd.getpwnam("nobody")
    prefix = ("unshare", "--user", f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}", "--")
    if os.environ.get("CROSSTABLE_NO_USER_NAMESPACE") != "1" and shutil.which("setpriv") and _works([*prefix, "true"]):
        return Account(prefix)
    return Account((), nobody.pw_uid, nobody.pw_gid)


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether a process with this id exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return True


def stop(process: subprocess.Popen[bytes], number: signal.Signals, *, grace: float) -> bool:
    """Send `number`, wait `grace` seconds, then kill the whole process group. True when it went by itself."""
    willing = True
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            willing = False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # grandchildren that outlived it
    process.wait()
    return willing
