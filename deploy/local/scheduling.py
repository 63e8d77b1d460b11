"""Which process of pytest-xdist runs which test.

What starts processes or a browser waits more than it computes, and looks at the clock: one process runs all of it, one
after the other, the others run the rest meanwhile, a test at a time.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

WAITING = ("mark.process", "mark.browser")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """By the file, for here no marks of tests are known. pytest-xdist's own groups (3.8) do not work with pytest 9.2:
    they write the group into an attribute that pytest reads no more."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(self.config.rootpath, nodeid)


def scope_of(root: Path, nodeid: str) -> str:
    """Tests of one scope follow each other in one process."""
    return "processes" if _waits(root / nodeid.partition("::")[0]) else nodeid


@cache
def _waits(file: Path) -> bool:
    text = file.read_text()
    return any(mark in text for mark in WAITING)
