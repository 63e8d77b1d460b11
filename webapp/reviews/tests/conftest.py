"""Reviews of what bob submitted: rita reviews, alice owns the team."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from webapp.accounts.models import Team, User
from webapp.jobs.models import Job, Run
from webapp.reviews import services
from webapp.reviews.models import Review
from webapp.reviews.services import Subject
from webapp.tests import factories


@pytest.fixture
def runs(job: Job) -> list[Run]:
    """Four finished runs."""
    return [factories.finish([True, False, True, True]) for _ in range(4)]


@pytest.fixture
def ask(bob: User, rita: User, team: Team, runs: list[Run]) -> Callable[..., Review]:
    """bob asks rita, unless it is said otherwise."""

    def asked(**more: object) -> Review:
        usual = {"reviewers": [rita], "subject": Subject(runs=[run.pk for run in runs]), "title": "Ship it?"}
        return services.request_review(actor=bob, team=team, **{**usual, **more})

    return asked


@pytest.fixture
def review(ask: Callable[..., Review]) -> Review:
    return ask()
