"""Boards: what is missing is never ranked, equals share a rank, the version grows only when something changed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.errors import Conflict, NotAllowed, Unprocessable
from webapp.jobs import leases
from webapp.jobs import services as jobs
from webapp.jobs.models import Job, Run
from webapp.leaderboards import ordering, selectors, services
from webapp.leaderboards.cells import Cell, cell_of, grid
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.viewing import View
from webapp.locks import Lock
from webapp.results.models import Report
from webapp.tests import factories

ALL, HALF, NONE = [True] * 4, [True, False] * 2, [False] * 4


def rows(board: Leaderboard, **view: Any) -> list[selectors.Row]:
    return selectors.board(board, View(**view)).rows


def names(board: Leaderboard, **view: Any) -> list[str]:
    return [row.name for row in rows(board, **view)]


def finish_all(*rights: list[bool]) -> None:
    for each in rights:
        factories.finish(each)


def test_a_complete_board_is_ranked_by_its_order(job: Job, board: Leaderboard) -> None:
    finish_all(HALF, NONE, ALL, HALF)
    factories.refresh(board)
    best, other = rows(board)
    assert (best.name, best.standing.position, best.standing.value) == ("large@fp32", 1, 0.75)
    assert (other.name, other.standing.position, other.standing.value) == ("small@fp32", 2, 0.25)


def test_a_contender_with_a_hole_has_cells_and_no_rank(job: Job, board: Leaderboard) -> None:
    finish_all(ALL, ALL, HALF)
    factories.refresh(board)
    first, second = rows(board)
    assert (first.name, first.rank) == ("small@fp32", "1")
    assert (second.standing.position, second.standing.value, second.rank) == (None, None, "")
    assert [cell.state for cell in second.cells] == ["done", "queued"]
    assert names(board, complete=True) == ["small@fp32"]
    for sort in ("value", "-value", "rank", "-rank", "written", "-written"):
        assert names(board, sort=sort)[-1] == "large@fp32", f"unknown stays last when sorted by {sort}"


def test_equal_contenders_share_their_ranks(job: Job, board: Leaderboard) -> None:
    finish_all(HALF, HALF, HALF, HALF)
    factories.refresh(board)
    assert [row.rank for row in rows(board)] == ["1–2", "1–2"]
    assert {row.standing.value for row in rows(board)} == {0.5}


def test_the_version_grows_only_on_change(job: Job, board: Leaderboard) -> None:
    factories.refresh(board)
    started = board.version
    assert started > 0, "waiting runs are shown"
    assert services.refresh(board_id=board.pk) is False, "nothing landed"
    factories.refresh(board)
    assert board.version == started, "refreshed, and nothing was different"
    factories.finish(ALL)
    factories.refresh(board)
    assert board.version > started
    changed = dict(board.standings.values_list("contender__name", "changed_in"))
    assert changed["small@fp32"] > started
    assert changed["large@fp32"] <= started


def test_progress_is_a_mean_so_far_and_never_a_result(job: Job, board: Leaderboard) -> None:
    lease = factories.claim()
    factories.score(lease, [True, False])
    factories.refresh(board)
    cell = rows(board)[1].cells[0]
    assert (cell.state, cell.mean, cell.done, cell.total, cell.share) == ("running", 0.5, 2, 4, 0.5)
    assert not cell.complete
    column = selectors.board(board, View()).columns[0]
    assert (column.best, column.low, column.high) == (None, None, None)


def test_a_failed_run_shows_no_number(job: Job, board: Leaderboard) -> None:
    lease = factories.claim()
    factories.score(lease, [True, True])
    leases.end(lease=lease, state="failed", reason="Out of memory.")
    factories.refresh(board)
    cell = rows(board)[1].cells[0]
    assert (cell.state, cell.mean) == ("failed", None)


def test_a_finished_run_is_not_hidden_by_a_later_failure(
    bob: User, team: Team, suite: Suite, entry: EntryVersion, board: Leaderboard
) -> None:
    factories.job(bob, team, suite, [entry])
    finish_all(ALL, ALL)
    factories.job(bob, team, suite, [entry], settings={"repeat": 1})
    leases.end(lease=factories.claim(), state="failed", reason="Out of memory.")
    factories.refresh(board)
    assert [cell.state for cell in rows(board)[0].cells] == ["done", "done"]
    factories.finish(NONE)
    factories.refresh(board)
    assert rows(board)[0].cells[1].mean == 0.0, "a newer finished run replaces the older one"


def test_a_trial_on_a_few_samples_is_not_on_the_board(
    bob: User, team: Team, suite: Suite, entry: EntryVersion, board: Leaderboard
) -> None:
    factories.job(bob, team, suite, [entry], settings={"limit": 2})
    factories.refresh(board)
    assert rows(board) == []


def test_other_teams_runs_are_not_on_the_board(
    charlie: User, suite: Suite, entry: EntryVersion, board: Leaderboard
) -> None:
    factories.job(charlie, Team.objects.get(name="charlie"), suite, [entry])
    factories.finish(ALL)
    factories.refresh(board)
    assert rows(board) == []


def test_a_run_that_lands_during_a_refresh_is_not_lost(
    job: Job, board: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the order is computed another run lands: the board stays stale with its column, for the next ring."""
    services.run_landed(run=factories.finish(ALL))
    order, landed = ordering.order, []

    def and_another_lands(*asked: Any) -> Any:
        landed.append(factories.finish(HALF))
        services.run_landed(run=landed[0])
        return order(*asked)

    monkeypatch.setattr(ordering, "order", and_another_lands)
    services.refresh(board_id=board.pk)
    monkeypatch.undo()
    board.refresh_from_db()
    assert board.stale_versions == [landed[0].version_id]
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    assert board.stale_since is None
    assert [cell.mean for cell in rows(board)[0].cells] == [1.0, 0.5]


def test_a_run_changes_its_column_and_reads_no_other(job: Job, board: Leaderboard) -> None:
    finish_all(ALL, ALL, HALF)
    factories.refresh(board)
    Run.objects.filter(state=Run.State.DONE).update(mean=0.25)
    run = factories.finish(NONE)
    services.run_landed(run=run)
    board.refresh_from_db()
    assert board.stale_versions == [run.version_id]
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    means = {row.name: [cell.mean for cell in row.cells] for row in rows(board)}
    assert means == {"small@fp32": [1.0, 0.25], "large@fp32": [0.5, 0.0]}
    assert (board.stale_since, board.stale_versions) == (None, None)
    factories.refresh(board)
    assert {cell.mean for row in rows(board) for cell in row.cells} == {0.25, 0.0}, "the whole board is read"


def test_a_board_that_is_to_be_read_whole_stays_so(alice: User, job: Job, board: Leaderboard) -> None:
    factories.refresh(board)
    services.change_leaderboard(actor=alice, board=board, visibility="private")
    services.run_landed(run=factories.finish(ALL))
    board.refresh_from_db()
    assert board.stale_versions is None


def test_columns_add_up_until_they_are_read(job: Job, board: Leaderboard) -> None:
    factories.refresh(board)
    landed = [factories.finish(ALL), factories.finish(HALF)]
    for run in landed:
        services.run_landed(run=run)
    board.refresh_from_db()
    assert board.stale_versions == [run.version_id for run in landed]
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    assert sorted(cell.mean for cell in rows(board)[0].cells if cell.mean is not None) == [0.5, 1.0]


def test_what_another_harness_made_shows_in_the_whole_column(job: Job, board: Leaderboard) -> None:
    """A third result can make another version the usual one of its column."""
    finish_all(ALL, ALL, ALL)
    Run.objects.filter(state=Run.State.DONE).update(provenance={"environment": {"lm_eval": "1"}, "task_version": "1"})
    factories.refresh(board)
    run = factories.finish(ALL)
    Run.objects.filter(pk=run.pk).update(provenance={"environment": {"lm_eval": "2"}, "task_version": "1"})
    services.run_landed(run=run)
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    others = {row.name: [cell.other for cell in row.cells] for row in rows(board)}
    assert others == {"small@fp32": [False, True], "large@fp32": [False, False]}, "of equals the newest is usual"


def test_a_contender_whose_runs_are_gone_leaves_the_board(job: Job, board: Leaderboard) -> None:
    finish_all(ALL, ALL, HALF)
    last = factories.finish(ALL)
    factories.refresh(board)
    Run.objects.filter(contender=last.contender_id).exclude(pk=last.pk).delete()
    factories.refresh(board)
    assert len(rows(board)) == 2
    Run.objects.filter(pk=last.pk).update(visibility="private")
    services.run_landed(run=last)
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    assert names(board) == ["small@fp32"]


def test_the_order_is_left_to_whoever_computes_it(job: Job, board: Leaderboard) -> None:
    """Another process holds the lock: this one brings the cells only, and the board stays stale."""
    finish_all(ALL, ALL, HALF)
    services.run_landed(run=factories.finish(ALL))
    with contextlib.closing(connection.copy()) as elsewhere, elsewhere.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [Lock.ORDERING, board.pk])
        assert services.refresh(board_id=board.pk)
        cursor.execute("SELECT pg_advisory_unlock_all()")
    board.refresh_from_db()
    assert board.stale_since is not None
    assert [row.standing.position for row in rows(board)] == [None, None]
    assert rows(board)[0].complete == 2
    services.refresh(board_id=board.pk)
    board.refresh_from_db()
    assert [row.standing.position for row in rows(board)] == [1, 2]


def test_a_refresh_that_dies_between_cells_and_order_leaves_the_board_stale(
    job: Job, board: Leaderboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.run_landed(run=factories.finish(ALL))

    def die(*_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(services, "_refresh_order", die)
    with pytest.raises(KeyboardInterrupt):
        services.refresh(board_id=board.pk)
    board.refresh_from_db()
    assert board.stale_since is not None
    assert board.version == 1, "the cells are shown already"


def test_an_order_that_refuses_the_table_ranks_nobody(job: Job, board: Leaderboard) -> None:
    finish_all(ALL, ALL, HALF, HALF)
    BenchmarkVersion.objects.filter(benchmark__name="sums").update(higher_is_better=False)
    factories.refresh(board)
    assert [(row.standing.position, row.cells[0].state) for row in rows(board)] == [(None, "done"), (None, "done")]
    assert board.stale_since is None


def test_refreshing_a_board_that_is_gone_does_nothing(db: None) -> None:
    assert services.refresh(board_id=12345) is False


def test_the_report_behind_the_board_is_kept_up_to_date(job: Job, board: Leaderboard) -> None:
    finish_all(ALL, ALL)
    factories.refresh(board)
    first = board.report
    finish_all(HALF, HALF)
    factories.refresh(board)
    assert board.report == first
    report = Report.objects.get()
    assert report.analysis == "mean-score"
    assert sorted(report.result["contenders"]) == ["large@fp32", "small@fp32"]
    assert report.inputs["runs"] == [
        cell[1] for row in board.standings.order_by("contender__name") for cell in row.cells
    ]


def test_cancelled_runs_are_shown_as_such(alice: User, job: Job, board: Leaderboard) -> None:
    factories.refresh(board)
    jobs.cancel_job(actor=alice, job=job)
    factories.refresh(board)
    assert {cell.state for row in rows(board) for cell in row.cells} == {"cancelled"}


def test_boards_are_made_and_changed_by_those_who_may(bob: User, vera: User, team: Team, suite: Suite) -> None:
    board = services.create_leaderboard(actor=bob, team=team, name="b", title="B", suite=suite)
    with pytest.raises(Conflict):
        services.create_leaderboard(actor=bob, team=team, name="b", title="B", suite=suite)
    with pytest.raises(NotAllowed):
        services.create_leaderboard(actor=vera, team=team, name="c", title="C", suite=suite)
    with pytest.raises(NotAllowed):
        services.change_leaderboard(actor=vera, board=board, title="Mine")
    with pytest.raises(NotAllowed):
        services.change_leaderboard(actor=bob, board=board, visibility="public")
    with pytest.raises(Unprocessable):
        services.change_leaderboard(actor=bob, board=board, suite=suite)
    with pytest.raises(Unprocessable):
        services.create_leaderboard(actor=bob, team=team, name="d", title="D", suite=suite, order="luck")


@pytest.mark.parametrize("order", list(services.ORDERS))
def test_every_order_ranks_the_better_contender_first(alice: User, job: Job, board: Leaderboard, order: str) -> None:
    finish_all(HALF, NONE, ALL, HALF)
    services.change_leaderboard(actor=alice, board=board, order=order)
    factories.refresh(board)
    assert names(board) == ["large@fp32", "small@fp32"]
    assert [row.standing.position for row in rows(board)] == [1, 2]


def test_views_sort_and_filter(
    alice: User, team: Team, job: Job, board: Leaderboard, suite: Suite, tmp_path: Path
) -> None:
    third = factories.entry(alice, team, "medium", factories.checkpoint(tmp_path / "m", width=9), tags=["tiny", "new"])
    factories.job(alice, team, suite, [third])
    finish_all(ALL, NONE, HALF, HALF, NONE, ALL)
    factories.refresh(board)
    assert names(board, sort="sums") == ["small@fp32", "large@fp32", "medium@fp32"]
    assert names(board, sort="-sums") == ["medium@fp32", "large@fp32", "small@fp32"]
    assert names(board, sort="name") == ["large@fp32", "medium@fp32", "small@fp32"]
    assert names(board, sort="-name") == ["small@fp32", "medium@fp32", "large@fp32"]
    assert names(board, search="M") == ["medium@fp32", "small@fp32"]
    assert names(board, tag="new") == ["medium@fp32"]
    assert sorted(names(board, sort="no such column")) == ["large@fp32", "medium@fp32", "small@fp32"]
    shown = selectors.board(board, View(tag="new"))
    assert (shown.total, shown.table.tags) == (3, ["new", "tiny"])
    assert [(column.best, column.low, column.high) for column in shown.columns] == [(1.0, 0.0, 1.0)] * 2


def test_a_view_goes_into_the_address_and_back() -> None:
    view = View.of({"sort": "-sums", "q": " big ", "tag": "new", "complete": "1"})
    assert view == View(sort="-sums", search="big", tag="new", complete=True)
    assert view.query == "sort=-sums&q=big&tag=new&complete=1"
    assert View().query == ""
    assert View().sorted_by("name") == View(sort="name")
    assert View(sort="name").sorted_by("name") == View(sort="-name")


def test_of_several_runs_of_a_cell_the_furthest_is_shown() -> None:
    def run(pk: int, state: str, **more: Any) -> dict[str, Any]:
        empty = {"mean": None, "low": None, "high": None, "done": 0, "total": 4, "score_sum": 0.0}
        return {"pk": pk, "contender": 1, "version": 7, "state": state, **empty, **more}

    runs = [run(1, "failed"), run(2, "running"), run(3, "queued"), run(4, "cancelled")]
    assert grid(runs, [7, 8]) == {1: [cell_of(runs[1]), Cell("none")]}
    done = run(5, "done", mean=0.5, done=4)
    assert grid([*runs, done, run(6, "running")], [7]) == {1: [cell_of(done)]}
    assert cell_of(run(7, "running", done=0)).mean is None


def test_runs_of_the_board_are_counted(job: Job, board: Leaderboard) -> None:
    factories.claim()
    factories.refresh(board)
    shown = selectors.board(board, View()).table
    assert (shown.running, shown.queued) == (1, 3)
    assert Run.objects.count() == 4


def test_drawn_answers_stay_off_the_board(job: Job, board: Leaderboard) -> None:
    """A run at a temperature is for its own reports: beside greedy ones it would be another experiment."""
    finish_all(ALL, ALL, HALF, HALF)
    before = [row.standing.value for row in rows(factories.refresh(board))]
    drawn = Run.objects.order_by("pk").first()
    drawn.pk, drawn.identity, drawn.mean = None, "e" * 64, 0.0
    drawn.settings = {**drawn.settings, "temperature": 0.7, "attempts": 4}
    drawn.save()
    assert [row.standing.value for row in rows(factories.refresh(board))] == before
