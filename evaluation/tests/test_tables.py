"""Tables: validated, read-only, and holes that stay holes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from evaluation.errors import BadTable, NotEnoughData
from evaluation.tables import BenchmarkTable, Row, ScoreTable

NAN = float("nan")
ROWS: list[Row] = [
    ("b", "x", 1, 0, 1.0),
    ("a", "x", 0, 0, 0.0),
    ("a", "x", 0, 1, 1.0),
    ("a", "x", 1, 0, 1.0),
    ("b", "x", 0, 0, 0.0),
    ("b", "w", 7, 0, 3.0),
]


def means(**changes: object) -> BenchmarkTable:
    fields: dict[str, object] = {
        "contenders": ("a", "b"),
        "benchmarks": ("x", "y"),
        "mean": np.array([[1.0, NAN], [2.0, 3.0]]),
    }
    return BenchmarkTable(**(fields | changes))  # type: ignore[arg-type]


def test_a_table_is_frozen_and_its_arrays_are_read_only() -> None:
    table = means(standard_error=np.ones((2, 2)), n=np.ones((2, 2), dtype=np.int64))
    with pytest.raises(FrozenInstanceError):
        table.contenders = ()  # type: ignore[misc]
    assert not any(array.flags.writeable for array in (table.mean, table.standard_error, table.n) if array is not None)


def test_a_table_keeps_its_own_copy() -> None:
    given = np.zeros((2, 2))
    table = means(mean=given)
    given[0, 0] = 5
    assert table.mean[0, 0] == 0


def test_holes_are_listed_and_counted() -> None:
    assert means().holes == (("a", "y"),)
    assert means().benchmarks_used.tolist() == [1, 2]
    assert means().complete().contenders == ("b",)


def test_directions_turn_the_scores() -> None:
    assert means().higher_is_better == (True, True)
    assert means(higher_is_better=(True, False)).turned[1].tolist() == [2, -3]


def test_select_follows_the_names_in_every_array() -> None:
    table = means(
        standard_error=np.array([[1.0, 2], [3, 4]]), n=np.array([[5, 6], [7, 8]]), higher_is_better=(True, False)
    )
    chosen = table.select(["b", "a"], ["y"])
    assert (chosen.contenders, chosen.benchmarks, chosen.higher_is_better) == (("b", "a"), ("y",), (False,))
    assert chosen.mean[0, 0] == 3
    assert np.isnan(chosen.mean[1, 0])
    assert chosen.standard_error is not None
    assert chosen.standard_error[:, 0].tolist() == [4, 2]
    assert chosen.n is not None
    assert chosen.n[:, 0].tolist() == [8, 6]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contenders": ("a", "a")}, "“a” is listed twice"),
        ({"contenders": ("a", "")}, "contender 2 is empty"),
        ({"contenders": ()}, "at least one contender"),
        ({"benchmarks": ("x", "x")}, "“x” is listed twice"),
        ({"mean": np.zeros((2, 3))}, "shape"),
        ({"mean": np.array([[1.0, np.inf], [0, 0]])}, "infinite"),
        ({"standard_error": -np.ones((2, 2))}, "negative"),
        ({"n": np.ones((1, 2))}, "shape"),
        ({"higher_is_better": (True,)}, "one direction per benchmark"),
    ],
)
def test_bad_tables_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadTable, match=message):
        means(**changes)


def test_unknown_names_are_refused_with_what_is_known() -> None:
    with pytest.raises(BadTable, match=r"no benchmark “z”.*x, y"):
        means().select(benchmarks=["z"])


def test_nobody_complete_is_not_enough() -> None:
    with pytest.raises(NotEnoughData):
        means(mean=np.full((2, 2), NAN)).complete()


def test_strict_refuses_a_hole_and_nobody_may_have_nothing() -> None:
    means().refuse_holes("available")
    with pytest.raises(NotEnoughData, match="no score of a on y"):
        means().refuse_holes("strict")
    with pytest.raises(NotEnoughData, match="not a single score of b"):
        means(mean=np.array([[1.0, 2.0], [NAN, NAN]])).refuse_holes("available")


def test_rows_become_arrays_with_holes() -> None:
    table = ScoreTable.from_rows(ROWS, lower_is_better=["w"])
    assert (table.contenders, table.benchmarks) == (("b", "a"), ("x", "w"))
    assert table.samples == (("x", 0), ("x", 1), ("w", 7))
    assert table.benchmark_of.tolist() == [0, 0, 1]
    assert table.higher_is_better == (True, False)
    assert np.array_equal(table.values[1], np.array([[0.0, 1], [1, NAN], [NAN, NAN]]), equal_nan=True)
    assert not table.values.flags.writeable


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "not a single score"),
        ([ROWS[0], ROWS[0]], "comes twice"),
        ([("a", "x", 0, 0, NAN)], "not a finite number"),
        ([("a", "x", 0, 0, float("inf"))], "not a finite number"),
    ],
)
def test_bad_rows_are_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(BadTable, match=message):
        ScoreTable.from_rows(rows)


def test_score_tables_are_validated() -> None:
    values = np.zeros((1, 2, 1))
    with pytest.raises(BadTable, match="unknown benchmark"):
        ScoreTable(("a",), ("x",), (("x", 0), ("y", 0)), values)
    with pytest.raises(BadTable, match="neighbours"):
        ScoreTable(("a",), ("x", "y"), (("y", 0), ("x", 0)), values)
    with pytest.raises(BadTable, match="twice"):
        ScoreTable(("a",), ("x",), (("x", 0), ("x", 0)), values)
    with pytest.raises(BadTable, match="three axes"):
        ScoreTable(("a",), ("x",), (("x", 0),), np.zeros((1, 1)))


def test_means_are_over_samples_of_means_over_attempts() -> None:
    table = ScoreTable.from_rows(ROWS).by_benchmark()
    assert table.mean[1, 0] == (0.5 + 1) / 2
    assert table.standard_error is not None
    assert table.standard_error[1, 0] == pytest.approx(0.25)
    assert table.n is not None
    assert table.n.tolist() == [[2, 1], [2, 0]]


def test_one_sample_has_no_standard_error_and_no_sample_no_mean() -> None:
    table = ScoreTable.from_rows(ROWS).by_benchmark()
    assert table.standard_error is not None
    assert np.isnan(table.standard_error[0, 1])
    assert table.mean[0, 1] == 3
    assert table.holes == (("a", "w"),)


def test_an_unanswered_sample_makes_the_cell_a_hole_unless_partial_is_asked_for() -> None:
    table = ScoreTable.from_rows([row for row in ROWS if row[:3] != ("b", "x", 1)])
    assert ("b", "x") in table.by_benchmark().holes
    partial = table.by_benchmark(partial=True)
    assert partial.mean[partial.contenders.index("b"), 0] == 0
    assert ("a", "w") in partial.holes


def test_a_sample_with_other_numbers_of_attempts_keeps_its_own_mean() -> None:
    values = np.array([[[1.0, 0.0, 1.0], [1.0, np.nan, np.nan], [np.nan, np.nan, np.nan]]])
    table = ScoreTable(("a",), ("b",), (("b", 0), ("b", 1), ("b", 2)), values)
    np.testing.assert_allclose(table.per_sample, [[2 / 3, 1.0, np.nan]])
