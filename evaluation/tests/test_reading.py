"""Reading score files: every error names row and column."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import BadTable, MissingPackage
from evaluation.reading import read_means

GOOD = "contender,x,y\na,1,2.5\nb,,-3e2\n"


def written(folder: Path, text: str | bytes, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("text", [GOOD, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), GOOD + "\n,,\n", GOOD.strip()])
def test_an_empty_cell_is_a_hole(tmp_path: Path, text: str) -> None:
    table = read_means(written(tmp_path, text))
    assert (table.contenders, table.benchmarks) == (("a", "b"), ("x", "y"))
    assert np.array_equal(table.mean, [[1, 2.5], [np.nan, -300]], equal_nan=True)


def test_names_may_be_quoted(tmp_path: Path) -> None:
    table = read_means(written(tmp_path, 'contender,"x, y"\n"a ""b"", c",1\n'))
    assert (table.contenders, table.benchmarks) == (('a "b", c',), ("x, y",))


def test_directions_and_standard_errors(tmp_path: Path) -> None:
    errors = written(tmp_path, "contender,y,x\nb,0.1,\na,0.3,0.4\n", "errors.csv")
    table = read_means(written(tmp_path, GOOD), lower_is_better=["y"], standard_errors=errors)
    assert table.higher_is_better == (True, False)
    assert table.standard_error is not None
    assert np.array_equal(table.standard_error, [[0.4, 0.3], [np.nan, 0.1]], equal_nan=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "scores.csv is empty"),
        ("\n\n", "scores.csv is empty"),
        ("contender,x\n", "has a header but no contender"),
        ("contender\na\n", "no column for a benchmark"),
        ("model,x\na,1\n", "first column must be “contender”, not “model”"),
        ("contender,x,\na,1,2\n", "column 3 has no name"),
        ("contender,x,x\na,1,2\n", "the column “x” comes twice"),
        ("contender,x,y\na,1,2\nb,1,two\n", r"row 3 \(contender “b”\), column “y”: “two” is not a number"),
        ("contender,x\na,1\n\nb,NaN\n", r"row 4 \(contender “b”\), column “x”: “NaN” is not a number"),
        ("contender,x\na,nan\n", r"row 2 \(contender “a”\), column “x”: “nan”"),
        ("contender,x\na,inf\n", r"row 2 .*column “x”: “inf”"),
        ("contender,x\na,1e999\n", r"row 2 .*column “x”: “1e999”"),
        ("contender,x\na,1_000\n", r"row 2 .*column “x”: “1_000”"),
        ("contender,x\na,N/A\n", r"row 2 .*column “x”: “N/A”"),
        ("contender,x\na,1\nb,2\na,3\n", "row 4: the contender “a” stands in row 2 already"),
        ("contender,x\n,1\n", "row 2, column “contender”: the name is missing"),
        ("contender,x,y\na,1\n", r"row 2 \(contender “a”\) has 2 cells, the header 3"),
        ("contender,x\na,1,2\n", "has 3 cells, the header 2"),
        ('contender,x\n"a,1\n', "not a CSV file"),
        (b"contender,x\n\xff,1\n", "not UTF-8"),
    ],
)
def test_bad_files_are_refused_with_the_place(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(BadTable, match=message):
        read_means(written(tmp_path, text))


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    with pytest.raises(BadTable, match=r"no benchmark “z” in scores.csv\. Known: x, y"):
        read_means(path, lower_is_better=["z"])
    with pytest.raises(BadTable, match="no contender “b”"):
        read_means(path, standard_errors=written(tmp_path, "contender,x,y\na,1,2\n", "errors.csv"))
    with pytest.raises(BadTable, match="There is no file"):
        read_means(tmp_path / "absent.csv")


@pytest.mark.oracle
def test_parquet_is_the_same_table(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    path = tmp_path / "scores.parquet"
    write_table(pyarrow.table({"contender": ["a", "b"], "x": [1, None], "y": [2.5, -300.0]}), path)
    parquet, text = read_means(path), read_means(written(tmp_path, GOOD))
    assert (parquet.contenders, parquet.benchmarks) == (text.contenders, text.benchmarks)
    assert np.array_equal(parquet.mean, text.mean, equal_nan=True)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"contender": ["a", "b"], "x": [1.0, float("nan")]}, r"row 2 \(contender “b”\), column “x”: “nan”"),
        ({"contender": ["a", "a"], "x": [1.0, 2.0]}, "row 2: the contender “a” stands in row 1 already"),
        ({"contender": ["a", None], "x": [1.0, 2.0]}, "row 2, column “contender”: the name is missing"),
        ({"contender": ["a"], "x": [True]}, "“True” is not a number"),
    ],
)
def test_bad_parquet_is_refused_with_the_place(tmp_path: Path, columns: dict[str, list[object]], message: str) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    path = tmp_path / "scores.parquet"
    write_table(pyarrow.table(columns), path)
    with pytest.raises(BadTable, match=message):
        read_means(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD, "scores.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackage, match="pyarrow"):
        read_means(path)


@pytest.mark.oracle
def test_a_broken_parquet_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="not a Parquet file"):
        read_means(written(tmp_path, GOOD, "scores.parquet"))
