"""Boards hear of every change of runs, whichever bell was lost and whichever version made it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now

from webapp.accounts.models import Team, User, Visibility
from webapp.catalog.models import EntryVersion, Suite
from webapp.jobs import services as jobs
from webapp.jobs.models import Job, Run
from webapp.leaderboards import ordering, services
from webapp.leaderboards.models import ColumnChange, Leaderboard
from webapp.tests import factories

ALL, HALF = [True] * 4, [True, False] * 2


@pytest.fixture
def fresh(board: Leaderboard) -> Leaderboard:
    """A board that shows what there is, and nothing waits to be told."""
    services.columns_changed()
    return factories.refresh(board)


def told(board: Leaderboard) -> list[int] | None:
    """The columns that the board is to read for what was noted."""
    services.columns_changed()
    assert not ColumnChange.objects.exists()
    board.refresh_from_db()
    return None if board.stale_since is None else sorted(board.stale_versions or [])


def states(board: Leaderboard) -> list[list[str]]:
    services.refresh(board_id=board.pk)
    return [[cell[0] for cell in row.cells] for row in board.standings.order_by("contender__name")]


def results(board: Leaderboard) -> int:
    return sum(row.count("done") for row in states(board))


def columns(suite: Suite) -> list[int]:
    return sorted(suite.items.values_list("version", flat=True))


def test_what_a_job_queues_cancels_and_retries_is_shown(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, fresh: Leaderboard
) -> None:
    job = factories.job(alice, team, suite, [entry])
    assert ColumnChange.objects.count() == 2, "a row per column, not per run"
    assert told(fresh) == columns(suite)
    assert states(fresh) == [["queued", "queued"]]
    assert told(fresh) is None, "what was told once is not told again"
    jobs.cancel_job(actor=alice, job=job)
    assert set(told(fresh) or []) == set(columns(suite))
    assert states(fresh) == [["cancelled", "cancelled"]]
    jobs.retry_job(actor=alice, job=job)
    told(fresh)
    assert states(fresh) == [["queued", "queued"]]


def test_a_hidden_result_that_more_people_may_see_is_shown(
    alice: User, team: Team, suite: Suite, entry: EntryVersion, fresh: Leaderboard
) -> None:
    factories.job(alice, team, suite, [entry], visibility=Visibility.PRIVATE)
    run = factories.finish(ALL)
    services.run_landed(run=run)
    told(fresh)
    assert states(fresh) == []
    factories.job(alice, team, suite, [entry])
    assert run.version_id in (told(fresh) or [])
    assert sorted(states(fresh)[0]) == ["done", "queued"]


def test_what_workers_do_to_a_run_by_the_minute_is_not_noted(job: Job, fresh: Leaderboard) -> None:
    told(fresh)
    factories.finish(ALL)
    assert not ColumnChange.objects.exists()


def test_other_teams_are_not_told(charlie: User, suite: Suite, entry: EntryVersion, fresh: Leaderboard) -> None:
    factories.job(charlie, Team.objects.get(name="charlie"), suite, [entry])
    assert told(fresh) is None


def test_more_than_one_call_looks_at_is_left_to_the_next(
    job: Job, board: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST", 1)
    before = ColumnChange.objects.count()
    services.columns_changed()
    assert ColumnChange.objects.count() == before - 1 > 0


def mark_as_the_version_before(board: Leaderboard) -> None:
    """It knows no columns."""
    Leaderboard.objects.filter(pk=board.pk).update(stale_since=Now())


def test_a_landing_under_the_version_before_is_read_while_the_order_is_computed(
    job: Job, fresh: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.run_landed(run=factories.finish(ALL))
    order = ordering.order

    def and_another_lands(*asked: Any) -> Any:
        factories.finish(HALF)
        mark_as_the_version_before(fresh)
        return order(*asked)

    monkeypatch.setattr(ordering, "order", and_another_lands)
    services.refresh(board_id=fresh.pk)
    monkeypatch.undo()
    assert results(fresh) == 2
    fresh.refresh_from_db()
    assert fresh.stale_since is None


@pytest.mark.parametrize("left", [[], ["of the first"]], ids=["none", "of the first"])
def test_a_landing_under_the_version_before_is_read_after_its_refresh(
    job: Job, fresh: Leaderboard, left: list[str]
) -> None:
    """Its refresh says that a board is fresh, and leaves the columns that were to be read for it."""
    first = factories.finish(ALL)
    services.run_landed(run=first)
    told(fresh)
    states(fresh)
    Leaderboard.objects.filter(pk=fresh.pk).update(stale_since=None, stale_versions=[first.version_id] if left else [])
    second = factories.finish(HALF)
    assert second.version_id != first.version_id
    mark_as_the_version_before(fresh)
    assert results(fresh) == 2


def test_a_refresh_of_our_own_reads_its_columns_only(job: Job, fresh: Leaderboard) -> None:
    told(fresh)
    states(fresh)
    run = factories.finish(ALL)
    Run.objects.exclude(pk=run.pk).update(visibility=Visibility.PRIVATE)
    ColumnChange.objects.all().delete()
    services.run_landed(run=run)
    assert [sorted(row) for row in states(fresh)] == [["none", "queued"], ["done", "queued"]]


def test_what_lands_while_nobody_refreshes_does_not_pile_up(
    job: Job, fresh: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is at work lands every two seconds: the board that waits for hours is to be read whole instead."""
    monkeypatch.setattr(services, "NOTED", 3)
    runs = [factories.finish(ALL), factories.finish(HALF)]
    noted = []
    for _ in range(5):
        services.run_landed(run=runs[0])
        fresh.refresh_from_db()
        noted.append(fresh.stale_versions)
    first = runs[0].version_id
    assert noted == [[first], [first] * 2, [first] * 3, None, None]
    assert results(fresh) == 2
    services.run_landed(run=runs[1])
    fresh.refresh_from_db()
    assert fresh.stale_versions == [runs[1].version_id]
