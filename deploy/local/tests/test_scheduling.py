from __future__ import annotations

import pytest

from deploy.local.environment import ROOT
from deploy.local.scheduling import scope_of


@pytest.mark.parametrize("file", ["workers/tests/test_main_job.py", "webapp/tests/test_accessibility.py"])
def test_what_starts_processes_or_a_browser_shares_a_scope(file: str) -> None:
    assert scope_of(ROOT, f"{file}::test_one") == scope_of(ROOT, f"{file}::test_two[x::y]") == "processes"


def test_anything_else_is_free() -> None:
    free = "evaluation/tests/test_bits.py::test_one"
    assert scope_of(ROOT, free) == free
