"""What the supervisor prints: who speaks, what, and when; colour only on a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time

COLOURS = {"web": 36, "analysis": 32, "evaluation": 35, "install": 34, "setup": 34, "crosstable": 33}


class Console:
    """Lines of several processes on one terminal, safe to use from their reader threads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def say(self, speaker: str, line: str) -> None:
        """A terminal that was closed must not keep the supervisor from stopping its children: errors are dropped."""
        label = f"{speaker:>10} |"
        if self._colour:
            label = f"\033[{COLOURS.get(speaker, 37)}m{label}\033[0m"
        with self._lock, contextlib.suppress(OSError, ValueError):
            print(label, line, flush=True)

    def step(self, line: str) -> None:
        """One step of the supervisor, with the seconds since it began."""
        self.say("crosstable", f"[{time.monotonic() - self._began:5.1f} s] {line}")
