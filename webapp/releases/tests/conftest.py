"""A board of two complete contenders: large (75, 75) after small (100, 100)."""

from __future__ import annotations

import pytest

from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories


@pytest.fixture
def filled(job: Job, board: Leaderboard) -> Leaderboard:
    factories.worker()
    for _ in range(2):
        factories.finish([True] * 4)
    for _ in range(2):
        factories.finish([True, True, True, False])
    return factories.refresh(board)
