"""A board of two complete contenders, and the person who reads it."""

from __future__ import annotations

import pytest

from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories


@pytest.fixture
def filled(job: Job, board: Leaderboard) -> Leaderboard:
    factories.worker()
    for scores in ([True] * 4, [True] * 4, [True, True, True, False], [True, True, True, False]):
        factories.finish(scores)
    return factories.refresh(board)


@pytest.fixture
def reader(client, vera):
    client.force_login(vera)
    return client
