from __future__ import annotations

import pytest

from deploy.local.environment import ROOT
from deploy.local.scheduling import scope_of


@pytest.mark.parametrize(
    ("file", "scope"),
    [
        ("workers/tests/test_faults.py", "processes"),
        ("workers/tests/test_main_job.py", "processes"),
        ("webapp/imports/tests/test_interrupted.py", "processes"),
        ("webapp/tests/test_accessibility.py", "browsers"),
        ("webapp/pages/tests/test_question_marks_in_browser.py", "browsers"),
    ],
)
def test_what_starts_workers_or_a_browser_shares_a_scope(file: str, scope: str) -> None:
    assert scope_of(ROOT, f"{file}::test_one") == scope_of(ROOT, f"{file}::test_two[x::y]") == scope


def test_anything_else_is_free() -> None:
    free = "evaluation/tests/test_bits.py::test_one"
    assert scope_of(ROOT, free) == free
