"""Which process of pytest-xdist runs which test.

What starts processes or a browser waits more than it computes, and looks at the clock: one process runs all that starts
workers, a second one all that needs a browser, one test after the other. Whoever is free runs the rest, test by test.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """By the file, for here no marks of tests are known. pytest-xdist's own groups (3.8) do not work with pytest 9.2:
    they write the group into an attribute that pytest reads no more."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(self.config.rootpath, nodeid)


def scope_of(root: Path, nodeid: str) -> str:
    """Tests of one scope follow each other in one process."""
    return _shared(root / nodeid.partition("::")[0]) or nodeid


@cache
def _shared(file: Path) -> str:
    """Pages that workers with the engine fill belong to the workers."""
    text = file.read_text()
    if "mark.browser" in text and "mark.engine" not in text:
        return "browsers"
    return "processes" if "mark.process" in text or "mark.browser" in text else ""
