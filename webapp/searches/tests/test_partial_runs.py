"""Partial runs are marked where they are named, and stay out of everything that shows contenders beside each other."""

from __future__ import annotations

import pytest
from django.urls import reverse

from webapp.errors import Unprocessable
from webapp.jobs import planning, selectors
from webapp.jobs.models import Run
from webapp.leaderboards import services as boards
from webapp.results import candidates, compare, reports
from webapp.results.compare_query import Query
from webapp.reviews import selectors as reviews
from webapp.reviews import services as reviewing
from webapp.reviews.subjects import Subject, of_job
from webapp.searches import advancing
from webapp.tests import factories


@pytest.fixture
def suite(alice, team, versions):
    return factories.suite(alice, team, "whole", versions)


@pytest.fixture
def partial(ask, drive):
    """All contenders have partial runs, nobody a complete one."""
    search = drive(ask(budget=48))
    return search, list(search.job.runs.order_by("pk"))


def test_what_usual_means_leaves_them_out(partial):
    assert not selectors.usual(Run.objects.all()).exists()


def test_boards_do_not_show_them(partial, alice, team, suite):
    board = factories.refresh(factories.board(alice, team, "main", suite))
    assert not board.standings.exists()
    assert board.version == 0


def test_a_partial_run_makes_no_board_stale(ask, answer, alice, team, suite):
    board = factories.refresh(factories.board(alice, team, "main", suite))
    search = ask()
    advancing.advance(job_id=search.job_id)
    boards.run_landed(run=answer())
    boards.columns_changed()
    board.refresh_from_db()
    assert board.stale_since is None


def test_comparisons_do_not_offer_them(partial, alice, suite):
    chosen = compare.subject(alice, Query(suite=suite.pk))
    assert compare.options(alice, chosen) == []


def test_reports_do_not_take_them(partial, alice, team, suite):
    _, runs = partial
    found = candidates.candidates(alice, candidates.find(alice, {"suite": str(suite.pk)}))
    assert found.rows == ()
    with pytest.raises(Unprocessable, match="partial"):
        reports.request_report(actor=alice, team=team, analysis="swiss", parameters={}, runs=[runs[0].pk])


def test_reviews_do_not_take_them(partial, alice, team):
    search, runs = partial
    asked = of_job(alice, search.job)
    assert asked.subject.runs == []
    assert "partial" in asked.left_out
    with pytest.raises(Unprocessable, match="partial"):
        reviewing.request_review(actor=alice, team=team, title="Ship it?", subject=Subject([runs[0].pk]), reviewers=[])


def test_a_partial_run_is_not_news_to_a_review(ask, drive, answer, alice, team, suite, contenders):
    factories.job(alice, team, suite, [contenders[0].version])
    whole = [answer(), answer()]
    drive(ask(budget=48))
    assert reviews.newest([run.pk for run in whole]) == [run.pk for run in whole]


def test_the_same_samples_are_the_same_run(team, contenders, versions):
    def identity(subset):
        return planning.identity(team, contenders[0], versions[0], {"seed": 1}, subset=subset)

    assert identity([1, 2]) == identity((1, 2))
    assert len({identity(None), identity([1, 2]), identity([1, 3]), identity([])}) == 4


def test_pages_mark_them(partial, client, alice, entry):
    search, runs = partial
    client.force_login(alice)
    run = runs[0]
    for address in (
        reverse("jobs:run", args=[run.pk]),
        reverse("jobs:job", args=[search.job_id]),
        reverse("results:samples", args=[run.pk]),
    ):
        page = client.get(address).content.decode()
        assert ">partial</span>" in page, address
        assert f"{run.total} of {run.version.samples}" in page, address
    entry_page = client.get(reverse("jobs:entry_runs", args=["lab", run.contender.version.entry.name])).content.decode()
    assert "2 partial runs, as searches make them, are not listed." in entry_page
