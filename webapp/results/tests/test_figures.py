"""Results as tables: of any shape, and of the tournament."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.analyses.base import to_json
from evaluation.analyses.swiss import SwissParams, compute
from evaluation.tables import BenchmarkTable
from webapp.results.figures import figures, written
from webapp.results.tournament import TournamentView, signed

GOLDEN = [[9.0, 1, 5], [7, 8, 2], [5, 6, 9], [3, 4, 7]]


def view(scores: Any, **parameters: Any) -> TournamentView:
    table = np.array(scores, dtype=float)
    names = tuple("abcdefghijkl"[: len(table)])
    rounds = tuple(f"r{k}" for k in range(table.shape[1]))
    params = SwissParams(**parameters)
    return TournamentView(to_json(compute(BenchmarkTable(names, rounds, table), params)), to_json(params))


def test_what_has_one_value_per_contender_is_a_column() -> None:
    result = {
        "contenders": ["a", "b"],
        "value": [1.5, None],
        "wins": [[0, 3], [1, 0]],
        "exact": True,
        "notes": ["one"],
        "inner": {"drop": [1e-7, "inf"], "seed": 12345},
    }
    found = figures(result)
    assert [(table.title, table.heads, table.rows) for table in found.tables] == [
        ("Contenders", ["value"], [("a", ["1.5"]), ("b", ["—"])]),
        ("wins", ["a", "b"], [("a", ["0", "3"]), ("b", ["1", "0"])]),
        ("inner", ["drop"], [("a", ["1e-07"]), ("b", ["∞"])]),
    ]
    assert found.facts == [("exact", "yes"), ("inner seed", "12,345")]
    assert found.lists == [("notes", ["one"])]
    assert written([1, 2.0]) == "1, 2"


def test_the_golden_case_is_drawn_as_it_is() -> None:
    drawn = view(GOLDEN)
    assert [row.name for row in drawn.rows] == ["c", "b", "a", "d"]
    assert [round(row.points[0][0], 4) for row in drawn.rows] == [2, 1.6667, 1.3333, 0]
    assert [row.rank for row in drawn.rows] == ["1", "2", "3", "4"]
    assert drawn.verdict[0] == "c leads with 2.00 expected points of at most 2, 0.33 more than b."
    assert drawn.verdict[-1].startswith("These are exact expectations")
    strip = drawn.strips[0]
    assert [cell["text"] for cell in strip["cells"]] == ["", "", "100"]
    assert strip["cells"][2]["shade"] == 10


def test_equals_share_the_place_and_the_shade() -> None:
    drawn = view([[1, 1, 1]] * 3, iterations=500, exact=False)
    assert {row.rank for row in drawn.rows} == {"1–3"}
    assert {(row.bar.start, row.bar.length) for row in drawn.rows} == {(0.0, 100.0)}
    assert [row.leads_group for row in drawn.rows] == [True, False, False]
    assert drawn.verdict[0].startswith("All contenders share the first place")
    assert view([[3.0, 1.0]]).verdict[0] == "a is alone: a tournament needs somebody to play against."


def test_the_crosstable_is_one_tournament() -> None:
    drawn = view(np.random.default_rng(3).random((9, 5)), iterations=2_000)
    lines = {line.number: line for line in drawn.lines}
    assert len(lines) == 9
    for line in lines.values():
        assert line.points == sum(game.letter == "W" for game in line.games)
        for at, game in enumerate(line.games):
            if game.opponent is not None:
                met = lines[game.opponent].games[at]
                assert met.opponent == line.number
                assert {game.letter, met.letter} == {"W", "L"}
        opponents = [lines[game.opponent].points for game in line.games if game.opponent]
        assert line.buchholz == sum(opponents)
    assert sum(game.letter == "B" for line in drawn.lines for game in line.games[:1]) == 1, "nine are odd"
    assert [line.points for line in drawn.lines] == sorted((line.points for line in drawn.lines), reverse=True)


def test_generalists_and_specialists_are_in_the_better_half() -> None:
    drawn = view(np.random.default_rng(5).random((12, 8)), iterations=5_000)
    assert drawn.medians is not None
    x, y = drawn.medians
    for row in drawn.rows:
        assert row.drop is not None
        better = row.points[0][0] >= x
        wanted = (
            "" if not better or row.drop == y else ("robust generalist" if row.drop > y else "aggressive specialist")
        )
        assert row.kind == wanted
    assert {row.kind for row in drawn.rows} == {"", "robust generalist", "aggressive specialist"}


def test_byes_above_a_quarter_are_marked() -> None:
    rounds = view(np.random.default_rng(1).random((3, 4)), eliminate="0,2").rounds
    assert [bye["much"] for bye in (one["byes"][0] for one in rounds)] == [True] * 4
    assert [one["byes"][1] is None for one in rounds] == [False, True, True, True], "two leave, and it is over"


def test_minus_is_a_minus() -> None:
    assert (signed(-0.5), signed(0.001), signed(-0.001), signed(-12.3, 0)) == ("−0.50", "0.00", "0.00", "−12")
