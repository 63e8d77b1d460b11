"""The exchange format: what is written is read, to the last bit, and a bad cell is named by file, line and column."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import Table

from evaluation.importing import detect, read
from evaluation.importing.cells import cells, parquet_schema, to_object, to_record
from evaluation.importing.limits import Limits
from evaluation.importing.rows import COLUMNS, NAMES, BadRow, Row, canonical

LEAST = Row("a", "b", 0, 1.0)
SMALL = Limits(rows=100, cell=20, line=2000, nesting=4)


def as_csv(rows: Sequence[Row]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(NAMES)
    writer.writerows(map(cells, rows))
    return file.getvalue().encode()


def as_jsonl(rows: Sequence[Row]) -> bytes:
    return b"".join(json.dumps(to_object(row), ensure_ascii=False).encode() + b"\n" for row in rows)


def as_parquet(rows: Sequence[Row]) -> bytes:
    file = io.BytesIO()
    pq.write_table(Table.from_pylist([to_record(row) for row in rows], schema=parquet_schema()), file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Sequence[Row]], bytes]] = {"csv": as_csv, "jsonl": as_jsonl, "parquet": as_parquet}


def rows_of(data: bytes, kind: str = "csv", limits: Limits | None = None) -> list[tuple[int, Row]]:
    return [pair for source in read(io.BytesIO(data), name=f"scores.{kind}", limits=limits) for pair in source.rows]


def problem(data: bytes, kind: str = "csv", limits: Limits | None = None) -> BadRow:
    with pytest.raises(BadRow) as caught:
        rows_of(data, kind, limits)
    return caught.value


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
COUNT = st.none() | st.integers(0, 2**31 - 1)
NUMBER = st.none() | st.floats(0, 1e307)
DOCUMENT = st.just("") | st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.floats(-1e9, 1e9), max_size=3).map(
    canonical
)
ROW = st.builds(
    Row,
    entry=NAME, benchmark=NAME, sample=st.integers(0, 2**31 - 1), score=st.floats(-1e307, 1e307),
    version=st.none() | st.integers(1, 2**31 - 1), scheme=TEXT, benchmark_version=st.none() | st.integers(1, 99),
    benchmark_hash=TEXT, metric=TEXT, higher_is_better=st.none() | st.booleans(), run=TEXT, settings=DOCUMENT,
    attempt=st.integers(0, 2**15 - 1), answer=TEXT, output=TEXT, choice=st.none() | st.integers(0, 2**15 - 1),
    log_likelihoods=st.lists(st.just(-inf) | st.floats(-1e300, 0), max_size=3).map(tuple),
    tokens_in=COUNT, tokens_out=COUNT, tokens_cached=COUNT, seconds=NUMBER, latency=NUMBER, seconds_to_first=NUMBER,
    cost_usd=NUMBER, prompt=TEXT, target=TEXT, choices=st.lists(TEXT, max_size=3).map(tuple), subject=TEXT,
    document=DOCUMENT, document_hash=TEXT, prompt_hash=TEXT, target_hash=TEXT,
)  # fmt: skip


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=4))
def test_every_row_comes_back_to_the_last_bit(kind: str, rows: list[Row]) -> None:
    found = [row for _, row in rows_of(WRITERS[kind](rows), kind)]
    assert [repr(row) for row in found] == [repr(row) for row in rows]


def test_columns_and_fields_are_the_same() -> None:
    assert tuple(column.name for column in COLUMNS) == NAMES
    assert {column.name for column in COLUMNS if column.required} == set(NAMES) - set(Row._field_defaults)


def test_a_row_is_on_the_line_where_it_begins() -> None:
    text = 'entry,benchmark,sample,score,prompt\n\na,b,0,1,"two\nlines"\na,b,1,0.5,\n'
    assert [(line, row.sample, row.prompt) for line, row in rows_of(text.encode())] == [
        (3, 0, "two\nlines"),
        (5, 1, ""),
    ]


def test_columns_may_come_in_any_order_and_most_may_be_left_out() -> None:
    data = "\ufeffscore,sample,benchmark,entry\n0.1,7,b,a\n".encode()
    assert rows_of(data) == [(2, replace_score(LEAST, 0.1)._replace(sample=7))]


def replace_score(row: Row, score: float) -> Row:
    return row._replace(score=score)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("score", "nan", "not a finite number"),
        ("score", "inf", "not a finite number"),
        ("score", "-Infinity", "not a finite number"),
        ("score", "1e999", "not a finite number"),
        ("score", "1_0", "not a finite number"),
        ("score", "", "the cell is empty"),
        ("score", "1.2.3", "not a number"),
        ("sample", "-1", "not a whole number"),
        ("sample", "1.0", "not a whole number"),
        ("sample", "٣", "not a whole number"),
        ("sample", "2147483648", "does not lie between"),
        ("attempt", "40000", "does not lie between"),
        ("tokens_in", "x", "not a whole number"),
        ("seconds", "-0.5", "is less than 0"),
        ("higher_is_better", "yes", "neither true nor false"),
        ("document", "[1]", "not a JSON object"),
        ("document", '{"a": NaN}', "NaN is not a finite number"),
        ("document", '{"a": 1, "a": 2}', "names a field twice"),
        ("document", '{"a":[[[[1]]]]}', "nested deeper than 4 levels"),
        ("document", "{" * 100_0, "not JSON"),
        ("log_likelihoods", "[NaN]", "not a finite number"),
        ("log_likelihoods", '["x"]', "not a log-likelihood"),
        ("log_likelihoods", "7", "not a list of numbers"),
        ("choices", "[1]", "not a text"),
        ("output", "x" * 21, "more than 20 characters"),
        ("entry", "", "the cell is empty"),
    ],
)
def test_a_bad_cell_is_named_by_file_line_and_column(column: str, cell: str, said: str) -> None:
    good, bad = cells(LEAST), dict(zip(NAMES, cells(LEAST), strict=True)) | {column: cell}
    file = io.StringIO(newline="")
    csv.writer(file).writerows([NAMES, good, good, bad.values()])
    found = problem(file.getvalue().encode(), limits=SMALL)
    assert (found.file, found.line, found.field) == ("scores.csv", 4, column)
    assert said in str(found)
    assert str(found).startswith(f"scores.csv, line 4, “{column}”: ")


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1e999", '"1"', "true", "null", "[1]"])
def test_a_score_of_json_is_a_finite_number(score: str) -> None:
    line = f'{{"entry": "a", "benchmark": "b", "sample": 0, "score": {score}}}\n'
    found = problem(line.encode() * 2, "jsonl")
    assert (found.file, found.line) == ("scores.jsonl", 1)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("entry,benchmark,sample", "score"),
        ("entry,benchmark,sample,score,colour", "colour"),
        ("entry,benchmark,sample,score,score", "score"),
    ],
)
def test_the_header_is_checked(header: str, field: str) -> None:
    assert problem(f"{header}\n".encode()).field == field


@pytest.mark.parametrize(
    "data",
    [b"", b"\n\n", b"\xff\xfe", b'entry,"benchmark', b"entry,benchmark,sample,score\na,b,1\n", b"x" * 3000],
    ids=["empty", "blank", "not UTF-8", "open quote", "short row", "endless line"],
)
def test_what_is_no_table_is_refused(data: bytes) -> None:
    assert problem(data, limits=SMALL).file == "scores.csv"


def test_what_is_no_parquet_is_refused() -> None:
    assert "Parquet" in str(problem(b"PAR1 and more", "parquet"))
    assert "more than 1 rows" in str(problem(as_parquet([LEAST, LEAST]), "parquet", replace(SMALL, rows=1)))


def test_half_a_surrogate_and_nul_become_what_a_database_stores() -> None:
    line = json.dumps(
        {"entry": "a", "benchmark": "b", "sample": 0, "score": 1, "output": "\0\ud800", "document": {"x": "\0"}}
    )
    row = rows_of(line.encode(), "jsonl")[0][1]
    assert row.output == "\N{SYMBOL FOR NULL}?"
    assert row.document == '{"x":"\N{SYMBOL FOR NULL}"}'


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\", "\0", "\\\0", "\0\0", "x\\\\\0\\u0000"])
def test_the_letters_of_an_escaped_nul_stay_letters(text: str) -> None:
    """A question about C may hold them."""
    line = json.dumps({"entry": "a", "benchmark": "b", "sample": 0, "score": 1, "document": {"x": text}})
    row = rows_of(line.encode(), "jsonl")[0][1]
    assert json.loads(row.document) == {"x": text.replace("\0", "\N{SYMBOL FOR NULL}")}


def test_formats_are_told_by_name() -> None:
    names = {"a.csv": "csv", "A.JSONL": "jsonl", "x.tar.gz": "lm-eval", "x.zip": "lm-eval", "x.eval": "inspect"}
    assert {name: detect(name) for name in names} == names
    with pytest.raises(BadRow, match="does not tell"):
        detect("scores.pkl")
