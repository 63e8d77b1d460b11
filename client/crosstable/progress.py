"""How far something is: a bar that rewrites itself on a terminal, a line per change elsewhere. Always on stderr."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

WIDTH = 30


class Progress:
    def __init__(self, title: str, out: TextIO | None = None) -> None:
        self._title, self._out, self._last = title, out or sys.stderr, ""
        self._live = self._out.isatty()

    def show(self, done: float, total: float | None, words: str = "") -> None:
        if not self._live and total is None:
            return  # without an end in sight a line for each step says nothing
        text = f"{self._title} {_bar(done, total) if self._live else _share(done, total)} {words}".rstrip()
        if text == self._last:
            return
        self._last = text
        if self._live:
            columns = shutil.get_terminal_size().columns
            self._out.write(f"\r\x1b[K{text[: columns - 1]}")
        else:
            self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        if self._live and self._last:
            self._out.write("\n")
            self._out.flush()


def job_words(job: Mapping[str, Any]) -> str:
    """State, samples, time left, and why it waits."""
    progress = job["progress"]
    words = [job["state"]]
    if progress["total"]:
        words.append(f"{progress['done']:,} of {progress['total']:,} samples")
    if progress["seconds_left"] is not None and job["state"] in ("queued", "running"):
        words.append(f"about {duration(progress['seconds_left'])} left")
    if job["state"] == "queued" or job["runs_failed"]:
        words.append(job["waiting"] or job["reason"])
    return ", ".join(filter(None, words))


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: float) -> str:
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _share(done: float, total: float | None) -> str:
    return f"{done / total:.0%}" if total else ""


def _bar(done: float, total: float | None) -> str:
    if not total:
        return ""
    full = round(WIDTH * min(1.0, done / total))
    return f"[{'█' * full}{'·' * (WIDTH - full)}] {done / total:4.0%}"
