"""`make bench` is no part of the tests; that it begins at all is."""

from __future__ import annotations

import pytest

from bench.__main__ import ALL
from deploy.local.environment import ROOT


@pytest.mark.parametrize("name", ALL)
def test_a_measurement_needs_no_option(name: str) -> None:
    assert "required=True" not in (ROOT / f"bench/{name}.py").read_text()
