"""Tables of costs and their files: holes stay holes, every refusal says where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.cost_files import read_costs, read_dates
from evaluation.costs import CostTable, cells
from evaluation.errors import BadTable
from evaluation.tests.costs import worked

HEADER = "contender,sample,correct,cost_usd"
REPEATED = "contender,sample,attempt,correct,cost_usd"


def read(tmp_path: Path, text: str, **more: str) -> CostTable:
    paths = {}
    for name, content in {"scores": text, **more}.items():
        paths[name] = tmp_path / f"{name}.csv"
        paths[name].write_text(content)
    return read_costs(paths.pop("scores"), **paths)


def test_rows_become_arrays_in_order_of_first_appearance(tmp_path: Path) -> None:
    table = read(tmp_path, f"{HEADER}\nz,q2,1,0.5\na,q1,0,0.1\nz,q1,true,2\n")
    assert (table.contenders, table.samples, table.benchmarks) == (("z", "a"), (("all", "q2"), ("all", "q1")), ("all",))
    assert table.correct[:, :, 0].tolist()[0] == [1, 1]
    assert np.isnan(table.correct[1, 0, 0])
    assert table.cost_usd[1, 1, 0] == 0.1
    assert not table.correct.flags.writeable


def test_a_sample_is_the_pair_of_benchmark_and_name(tmp_path: Path) -> None:
    table = read(tmp_path, f"{HEADER},benchmark,note\na,1,1,1,x,hm\na,1,0,1,y,\n")
    assert table.samples == (("x", "1"), ("y", "1"))
    assert table.benchmark_of.tolist() == [0, 1]


def test_rows_without_numbers_of_attempts_are_attempts_too(tmp_path: Path) -> None:
    assert read(tmp_path, f"{HEADER}\na,1,1,2\na,1,0,4\n").correct[0, 0].tolist() == [1, 0]


def test_an_attempt_of_which_a_number_is_missing_undoes_its_cell(tmp_path: Path) -> None:
    rows = "a,1,0,1,2\na,1,1,,2\na,2,0,1,2\na,2,1,1,\na,3,0,1,2\na,3,1,,\na,4,7,1,2\n"
    table = read(tmp_path, f"{REPEATED}\n{rows}")
    assert np.isnan(cells(table.correct, table.cost_usd).value[0, :3]).all()
    assert cells(table.correct, table.cost_usd).value[0, 3] == 2


def test_answers_rewards_families_and_dates(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        f"{HEADER},answer,reward\na,1,1,1,42,0.5\na,1,0,1,7,\na,1,1,1,42,0.1\nb,1,0,1,,1\n",
        families="family,contender\nopen,a\nopen,a\nsmall,b\nsmall,a\n",
        dates="contender,date\na,2025-01-31\nother,2024-01-01\n",
    )
    assert table.answers is not None
    assert table.reward is not None
    assert table.answers[:, 0].tolist() == [[0, 1, 0], [-1, -1, -1]]
    assert table.reward[0, 0, 0] == 0.5
    assert dict(table.families) == {"open": ("a",), "small": ("b", "a")}
    assert table.released == ("2025-01-31", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contender,sample,correct\na,1,1\n", "scores.csv has no column “cost_usd”"),
        (HEADER, "no attempt"),
        (f"{HEADER}\na,1,2,1\n", "row 2, column “correct”: “2” is neither"),
        (f"{HEADER}\na,1,1,-1\n", "row 2, column “cost_usd”: -1 is negative"),
        (f"{HEADER}\na,1,1,inf\n", "“inf” is not a number"),
        (f"{HEADER}\na,1,1,free\n", "row 2, column “cost_usd”: “free” is not a number"),
        (f"{HEADER}\n,1,1,1\n", "column “contender”: the name is missing"),
        (f"{HEADER}\na,,1,1\n", "column “sample”: the name is missing"),
        (f"{HEADER},benchmark\na,1,1,1,\n", "column “benchmark”: the name is missing"),
        (f"{REPEATED}\na,1,0,1,1\na,1,0,1,1\n", "row 3: attempt 0 of a at sample 1 comes twice"),
        (f"{REPEATED}\na,1,,1,1\n", "column “attempt”"),
        (f"{HEADER}\na,1,1\n", "row 2 has 3 cells, the header 4"),
        (f"{HEADER},correct\na,1,1,1,1\n", "comes twice"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "families",
            "family,contender\nopen,z\n",
            "families.csv, row 2, column “contender”: there is no contender “z”",
        ),
        ("families", "family,contender\n,a\n", "families.csv, row 2, column “family”"),
        ("families", "family\nx\n", "no column “contender”"),
        ("dates", "contender,date\na,2025-13-01\n", "dates.csv, row 2, column “date”: “2025-13-01” is not a date"),
        ("dates", "contender,date\na,20250131\n", "is not a date"),
        ("dates", "contender,date\na,2025-01-01\na,2025-01-02\n", "row 3: a has a date already"),
    ],
)
def test_small_files_are_checked_too(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=message):
        read(tmp_path, f"{HEADER}\na,1,1,1\n", **{name: text})


def test_dates_of_parquet_are_dates(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from datetime import date

    from pyarrow.parquet import write_table

    write_table(pyarrow.table({"contender": ["a"], "date": [date(2025, 1, 31)]}), tmp_path / "dates.parquet")
    assert read_dates(tmp_path / "dates.parquet") == {"a": "2025-01-31"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"contenders": ("A", "A")}, "contenders"),
        ({"contenders": ("A", "")}, "contenders"),
        ({"benchmarks": ()}, "benchmarks"),
        ({"samples": (("x", "0"), ("b", "1"), ("b", "2"))}, "samples"),
        ({"samples": (("b", "0"), ("b", "0"), ("b", "2"))}, "samples"),
        ({"correct": np.zeros((2, 3))}, "correct"),
        ({"correct": np.full((2, 3, 1), 0.5)}, "correct"),
        ({"cost_usd": np.zeros((2, 2, 1))}, "cost_usd"),
        ({"cost_usd": np.full((2, 3, 1), -1.0)}, "cost_usd"),
        ({"cost_usd": np.full((2, 3, 1), np.inf)}, "cost_usd"),
        ({"expert_cost_usd": [-1.0]}, "expert_cost_usd"),
        ({"chance": [1.5]}, "chance"),
        ({"families": {"x": ("C",)}}, "families"),
        ({"families": {"x": ()}}, "families"),
        ({"released": ("2025-01-01",)}, "released"),
        ({"released": ("soon", "")}, "released"),
        ({"answers": np.zeros((1, 1, 1))}, "answers"),
        ({"reward": np.zeros((1, 1, 1))}, "reward"),
    ],
)
def test_a_table_refuses_what_does_not_fit_and_names_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadTable) as refused:
        replace(worked(), **change)
    assert refused.value.field == field
