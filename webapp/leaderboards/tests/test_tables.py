"""A version of a board in memory: of the next one only what changed is read, and it is what a fresh reading shows."""

from __future__ import annotations

import pytest

from webapp.accounts.models import User
from webapp.catalog.models import EntryVersion
from webapp.catalog.services import describe_entry
from webapp.jobs.models import Job
from webapp.leaderboards import services, tables
from webapp.leaderboards.cells import STORED, Cell, Line
from webapp.leaderboards.models import Leaderboard
from webapp.leaderboards.services import change_leaderboard
from webapp.leaderboards.tables import Table, table
from webapp.tests import factories


@pytest.fixture
def half(job: Job, board: Leaderboard) -> Leaderboard:
    """small is complete, large waits."""
    for rights in ([True, True, True, False], [True] * 4):
        factories.finish(rights)
    return factories.refresh(board)


def shown(found: Table) -> list[object]:
    rows = [(row.name, row.rank, row.standing.value, row.cells, row.score, row.complete) for row in found.rows]
    ends = [(column.name, column.best, column.low, column.high) for column in found.columns]
    return [found.version, rows, ends, found.running, found.queued, found.tags]


def fresh(board: Leaderboard) -> Table:
    tables._tables.forget((board.pk, board.created_at))
    return table(board)


def test_the_next_version_reads_the_cells_of_changed_rows_only(half: Leaderboard) -> None:
    before = {row.name: row.line for row in fresh(half).rows}
    factories.finish([True, False, False, False])
    board = factories.refresh(half)

    after = table(board)

    lines = {row.name: row.line for row in after.rows}
    assert lines["small@fp32"] is before["small@fp32"]
    assert lines["large@fp32"] is not before["large@fp32"]
    assert shown(after) == shown(fresh(board))


def test_ranks_that_move_are_read_without_their_cells(half: Leaderboard, monkeypatch: pytest.MonkeyPatch) -> None:
    for rights in ([True] * 4, [True] * 4):
        factories.finish(rights)
    monkeypatch.setattr(services.ordering, "order", lambda *_: None)
    first = table(factories.refresh(half))
    monkeypatch.undo()
    change_leaderboard(actor=half.created_by, board=half, order="mean-score")
    board = factories.refresh(half)
    after = table(board)
    assert [row.rank for row in first.rows] != [row.rank for row in after.rows]
    assert {id(row.line) for row in first.rows} == {id(row.line) for row in after.rows}
    assert shown(after) == shown(fresh(board))


def test_a_contender_that_left_is_gone(half: Leaderboard) -> None:
    assert len(table(half).rows) == 2
    half.standings.filter(contender__name="large@fp32").delete()
    half.version += 1
    half.save()
    assert [row.name for row in table(half).rows] == ["small@fp32"]


def test_a_line_tells_results_from_means_so_far() -> None:
    line = Line([Cell("done", 1, 0.5, 0.4, 0.6, 9, 9), Cell("running", 2, 0.7, None, None, 3, 9), Cell("none")])
    assert (line.results, line.runs, line.done, line.is_complete) == ([0.5, None, None], (1, 2, None), 1, False)
    assert line.comparable
    assert not Line([Cell("done", 1, 0.5, other=True)]).comparable


def test_cells_of_earlier_versions_have_fewer_parts() -> None:
    stored = STORED.decode('[["done",1,0.5,0.4,0.6,9,9],["none",null,null,null,null,0,null,false]]')
    line = Line(stored)
    assert line.comparable
    assert line.cells == [Cell("done", 1, 0.5, 0.4, 0.6, 9, 9), Cell("none")]


def test_a_board_without_contenders_has_columns_without_ends(board: Leaderboard) -> None:
    found = table(board)
    assert found.rows == []
    assert [(column.best, column.low) for column in found.columns] == [(None, None)] * 2


def test_what_people_say_of_an_entry_is_shown_at_once(half: Leaderboard, alice: User, entry: EntryVersion) -> None:
    elsewhere = factories.board(alice, half.team, "empty", half.suite)
    before = table(half).version
    describe_entry(actor=alice, entry=entry.entry, title="The small one", tags=["fresh"])
    half.refresh_from_db()
    [row] = [row for row in table(half).rows if row.name == "small@fp32"]
    assert (row.standing.title, row.standing.tags, table(half).tags) == ("The small one", ["fresh"], ["fresh"])
    assert half.version == before + 1
    describe_entry(actor=alice, entry=entry.entry, description="No board shows this.")
    half.refresh_from_db()
    elsewhere.refresh_from_db()
    assert (half.version, elsewhere.version) == (before + 1, 0)
