"""A team that has something of everything, with nothing under way."""

from __future__ import annotations

import pytest

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion
from webapp.jobs.models import Job, Run
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import FeatureUpload
from webapp.reviews.models import Review
from webapp.reviews.services import withdraw_review
from webapp.searches.advancing import advance
from webapp.searches.services import stop_search
from webapp.tests import factories


@pytest.fixture
def runs(job: Job, board: Leaderboard) -> list[Run]:
    """Four, two of each of two entries, finished and on the board."""
    factories.worker()
    made = [factories.finish([True, False, True, True]) for _ in range(4)]
    factories.refresh(board)
    return made


@pytest.fixture
def lived(
    runs: list[Run],
    board: Leaderboard,
    team: Team,
    alice: User,
    bob: User,
    rita: User,
    entry: EntryVersion,
    benchmark: BenchmarkVersion,
) -> Team:
    """The team after some weeks."""
    factories.price(alice, entry)
    factories.measurement(runs[0].contender)
    factories.calibration_set(alice, team, suite=board.suite)
    factories.saved_view(bob, board)
    factories.sample_comment(bob, team, benchmark)
    factories.notice(bob, team)
    factories.webhook(alice, team)
    factories.imported(bob, team, look=False)
    factories.release(alice, board)
    report = factories.report(bob, board, "multiplicity")
    FeatureUpload.objects.create(
        team=team, created_by=bob, name="t", label="y", names=["x"], rows=1, values=bytes(16), sha256="0" * 64
    )
    review = factories.review(bob, rita, board, [run.pk for run in runs])
    withdraw_review(actor=bob, review=review)
    Review.objects.filter(pk=review.pk).update(report=report)
    search = factories.search(bob, team, board.suite, entry)
    advance(job_id=search.job_id)
    stop_search(actor=bob, search=search, cancel=True)
    advance(job_id=search.job_id)
    return team
