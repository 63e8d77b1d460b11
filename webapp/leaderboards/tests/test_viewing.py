"""Views of a board: addresses, columns, several sort keys, pages, comparability, saved views, drawings."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from webapp.errors import NotAllowed, Unprocessable
from webapp.jobs.models import Run
from webapp.leaderboards import charts, saved_views, selectors
from webapp.leaderboards.cells import Line
from webapp.leaderboards.models import SavedView
from webapp.leaderboards.tables import Facts, Row
from webapp.leaderboards.viewing import View
from webapp.tests import factories

ALL, HALF, NONE = [True] * 4, [True, False] * 2, [False] * 4


@pytest.fixture
def filled(job, board):
    """Both complete: small has 100 and 50 per cent, large 100 and 0."""
    for rights in (ALL, HALF, ALL, NONE):
        factories.finish(rights)
    return factories.refresh(board)


def names(board, **view):
    return [row.name.partition("@")[0] for row in selectors.board(board, View(**view)).rows]


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("sort=a,-b,a,-c,d,e", "sort=a,-b,-c,d"),
        ("comparable=0&comparable=1", ""),
        ("comparable=0", "comparable=0"),
        ("cols=a, b&view=heatmap&page=2", "cols=a,b&view=heatmap&page=2"),
        ("view=nonsense&page=-3&sort=rank&q=%20x%20", "q=x"),
        ("page=99999999999999999999", ""),
    ],
)
def test_an_address_has_one_shortest_form(query, canonical):
    view = View.of(QueryDict(query))
    assert view.query == canonical
    assert View.of(QueryDict(view.query)) == view


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [("", [0, 1, 2]), ("b", [1]), ("-b", [0, 2]), ("@x", [0, 1]), ("@x,-a", [1]), ("-@x", [2]), ("zebra", [])],
)
def test_columns_are_chosen_by_name_and_group(chosen, shown):
    assert View(columns=chosen).shows([("a", "x"), ("b", "x"), ("c", "y")]) == shown


def test_the_second_key_decides_between_equals(filled):
    assert names(filled, sort="sums,name") == ["large", "small"]
    assert names(filled, sort="sums,-name") == ["small", "large"]
    assert names(filled, sort="sums,written") == ["small", "large"]
    assert names(filled, sort="sums,-written") == ["large", "small"]


def test_a_page_holds_so_many_cells_and_ends(filled, monkeypatch):
    monkeypatch.setattr(selectors, "FEWEST_ROWS", 1)
    monkeypatch.setattr(selectors, "PAGE_CELLS", 2)
    second = selectors.board(filled, View(page=2))
    assert (second.pages, second.first, second.last) == (2, 2, 2)
    assert [row.name for row in second.shown] == ["large@fp32"]
    assert selectors.board(filled, View(page=9)).page == 2


def test_a_result_of_another_harness_is_marked_and_not_ranked(filled, alice, team, suite, tmp_path):
    """Two of three were made by one version, so the third is the other one; not to know is not to differ."""
    third = factories.entry(alice, team, "medium", factories.checkpoint(tmp_path / "m", width=9))
    factories.job(alice, team, suite, [third])
    factories.finish(NONE)
    factories.finish(NONE)
    factories.refresh(filled)
    assert not any(cell.other for row in selectors.board(filled, View()).rows for cell in row.cells), "unknown"
    made = {"small": "0.4.13", "large": "0.4.13", "medium": "0.4.11"}
    for run in Run.objects.select_related("contender"):
        version = made[run.contender.name.partition("@")[0]]
        run.provenance = {"environment": {"lm_eval": version}, "task_version": "1"}
        run.save()
    factories.refresh(filled)

    board = selectors.board(filled, View())
    assert {row.name: [cell.other for cell in row.cells] for row in board.rows} == {
        "small@fp32": [False, False], "large@fp32": [False, False], "medium@fp32": [True, True],
    }  # fmt: skip
    assert [row.name for row in board.unranked] == ["medium@fp32"]
    assert board.table.incomparable == 1
    assert selectors.board(filled, View(comparable=False)).unranked == []


def test_a_view_is_kept_and_seen_by_whom_it_was_meant_for(filled, vera, bob, charlie):
    mine = saved_views.save_view(actor=vera, board=filled, name="Mine", query="sort=-name&page=7&junk=1")
    assert mine.query == "sort=-name"
    saved_views.save_view(actor=bob, board=filled, name="Ours", query="view=ranks", shared=True)
    assert [one.name for one in selectors.saved_views(filled, vera)] == ["Mine", "Ours"]
    assert [one.name for one in selectors.saved_views(filled, bob)] == ["Ours"]
    assert list(selectors.saved_views(filled, charlie)) == []
    saved_views.save_view(actor=vera, board=filled, name="Mine", query="q=small")
    assert SavedView.objects.get(name="Mine").query == "q=small"
    with pytest.raises(NotAllowed):
        saved_views.delete_view(actor=vera, view=SavedView.objects.get(name="Ours"))


def test_strangers_share_nothing_and_names_are_needed(filled, charlie):
    with pytest.raises(NotAllowed):
        saved_views.save_view(actor=charlie, board=filled, name="Mine", query="", shared=True)
    with pytest.raises(Unprocessable):
        saved_views.save_view(actor=charlie, board=filled, name="  ", query="")


def test_saving_and_deleting_on_the_page(client, vera, filled):
    client.force_login(vera)
    answer = client.post("/boards/lab/main/views/", {"name": "Ranks", "query": "view=ranks"})
    assert answer.headers["Location"] == "/boards/lab/main/?view=ranks"
    assert ">Ranks</a>" in client.get("/boards/lab/main/").content.decode()
    wrong = client.post("/boards/lab/main/views/", {"name": "", "query": "q=large"})
    assert wrong.status_code == 422
    assert "This field is required." in wrong.content.decode()
    saved = SavedView.objects.get()
    assert client.post(f"/boards/lab/main/views/{saved.pk}/delete/").status_code == 302
    assert not SavedView.objects.exists()


def row(pk, low, high):
    nothing = Facts(*[None] * len(Facts._fields))
    return Row(nothing._replace(contender_id=pk, rank_low=low, rank_high=high, position=low), Line([]))


def test_a_tie_group_ends_where_no_interval_reaches_across():
    rows = [row(1, 1, 2), row(2, 1, 3), row(3, 3, 3), row(4, 4, 5), row(5, 4, 5), row(6, 6, 6)]
    assert charts.tie_groups(rows) == {1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 2}


def test_drawings_hold_the_numbers_of_the_board(client, vera, filled):
    board = selectors.board(filled, View())
    heat = charts.heatmap(board)
    assert [(line.row.name, line.values) for line in heat.lines] == [
        ("small@fp32", ["100.0", "50.0"]), ("large@fp32", ["100.0", "0.0"]),
    ]  # fmt: skip
    assert [shade for shade, _ in heat.lines[1].paths] == [0, 10]
    assert [(bar.row.rank, bar.group) for bar in charts.ranks(board).bars] == [
        (one.rank, charts.tie_groups(board.rows)[one.standing.contender_id]) for one in board.ranked
    ]
    client.force_login(vera)
    page = client.get("/boards/lab/main/?view=heatmap").content.decode()
    assert '<th scope="row">large@fp32</th><td class="num">100.0</td><td class="num">0.0</td>' in page
    assert 'data-drawing="ranks"' in client.get("/boards/lab/main/standings/?view=ranks").content.decode()
