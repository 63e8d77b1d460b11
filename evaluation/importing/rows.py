"""The exchange format: one row per contender, benchmark, sample and attempt. Exports write it, imports read it.

Three files hold the same rows. All are UTF-8 and name the columns of `COLUMNS`; their order is free, those that are
not required may be left out, and a column that is not known is refused.

* CSV (RFC 4180, header first): `cells` writes a row, `from_cells` reads it. Numbers are written by `repr`, so that a
  float comes back to its last bit. An empty cell is None in a column of numbers and "" in one of text; no column can be
  both. Lists and documents are JSON.
* JSON Lines: one object per line, `to_object` and `from_object`. null and a missing key are None, or "" for text.
* Parquet: `parquet_schema` in cells.py; the same values as in JSON Lines, documents and settings as JSON text.

A row that says nothing about the question (`QUESTION`: all of its columns empty) leaves that to an earlier row of the
same sample; a file may therefore write a prompt once. Rows of one run need not stand together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from evaluation.errors import EvaluationError

FORMAT = "crosstable-scores/1"
Kind = Literal["text", "whole", "number", "flag", "json", "numbers", "texts"]


class Row(NamedTuple):
    """One attempt at one sample, with what it was an attempt at. None: not known, which is never 0.

    A named tuple, not a dataclass: a file holds a million of them, and this is made in a fourth of the time.
    settings, document: JSON text of an object, "" where they are not known; settings are canonical, a document keeps
    the order of its fields, on which its hash depends. run: tells several runs of one contender on one benchmark apart;
    "" where there is one. log_likelihoods: nats, one per choice; -inf is possible.
    """

    entry: str
    benchmark: str
    sample: int
    score: float
    version: int | None = None
    scheme: str = ""
    benchmark_version: int | None = None
    benchmark_hash: str = ""
    metric: str = ""
    higher_is_better: bool | None = None
    run: str = ""
    settings: str = ""
    attempt: int = 0
    answer: str = ""
    output: str = ""
    choice: int | None = None
    log_likelihoods: tuple[float, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    seconds: float | None = None
    latency: float | None = None
    seconds_to_first: float | None = None
    cost_usd: float | None = None
    prompt: str = ""
    target: str = ""
    choices: tuple[str, ...] = ()
    subject: str = ""
    document: str = ""
    document_hash: str = ""
    prompt_hash: str = ""
    target_hash: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the format. low: the least number that it may hold."""

    name: str
    kind: Kind
    help: str
    required: bool = False
    low: float | None = None


COLUMNS: tuple[Column, ...] = (
    Column("entry", "text", "The language model.", required=True),
    Column("benchmark", "text", "The benchmark's name.", required=True),
    Column("sample", "whole", "Its index in the benchmark, from 0.", required=True, low=0),
    Column("score", "number", "The primary metric of this attempt; finite.", required=True),
    Column("version", "whole", "Number of the entry's version.", low=1),
    Column("scheme", "text", "How the weights were stored: bf16, int8, ...; empty: not stated."),
    Column("benchmark_version", "whole", "Number of the benchmark's version.", low=1),
    Column("benchmark_hash", "text", "sha256 of the benchmark's content, where it is known."),
    Column("metric", "text", "What the score measures: acc, exact_match, ..."),
    Column("higher_is_better", "flag", "true or false; empty: true."),
    Column("run", "text", "Tells repeated runs of a contender on a benchmark apart."),
    Column("settings", "json", "An object: seed, temperature, limit, ..."),
    Column("attempt", "whole", "From 0; empty: 0.", low=0),
    Column("answer", "text", "The extracted answer."),
    Column("output", "text", "What the model wrote, unchanged."),
    Column("choice", "whole", "Index of the chosen answer, in multiple choice.", low=0),
    Column("log_likelihoods", "numbers", "A list, one per choice, in nats; -inf is written as “-inf”."),
    Column("tokens_in", "whole", "Tokens read.", low=0),
    Column("tokens_out", "whole", "Tokens written.", low=0),
    Column("tokens_cached", "whole", "Of those read, what the server had read before.", low=0),
    Column("seconds", "number", "Of the device's time.", low=0),
    Column("latency", "number", "Seconds from asking to the whole answer.", low=0),
    Column("seconds_to_first", "number", "Seconds from asking to the first new token.", low=0),
    Column("cost_usd", "number", "US dollars.", low=0),
    Column("prompt", "text", "What the model was asked."),
    Column("target", "text", "The right answer."),
    Column("choices", "texts", "A list of the choices, in multiple choice."),
    Column("subject", "text", "A group of samples inside the benchmark."),
    Column("document", "json", "An object: the sample as its source has it."),
    Column("document_hash", "text", "sha256 of the document."),
    Column("prompt_hash", "text", "sha256 of the prompt."),
    Column("target_hash", "text", "sha256 of the target."),
)
NAMES: tuple[str, ...] = Row._fields
BY_NAME = {column.name: column for column in COLUMNS}
QUESTION = ("prompt", "target", "choices", "subject", "document", "document_hash", "prompt_hash", "target_hash")
EMPTY = dict(Row._field_defaults)


class BadRow(EvaluationError):
    """Results that cannot be read, with the file, the line (from 1; 0: the file as a whole) and the field."""

    def __init__(self, problem: str, *, file: str, line: int = 0, field: str = "", remedy: str = "") -> None:
        self.file, self.line, self.problem = file, line, problem
        where = ", ".join(filter(None, [file, f"line {line}" if line else "", f"“{field}”" if field else ""]))
        super().__init__(f"{where}: {problem}" if where else problem, field=field, remedy=remedy)


def canonical(value: Any) -> str:
    """JSON text that is the same for equal values: sorted, without spaces. Raises ValueError for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def compact(value: Any) -> str:
    """JSON text without spaces, in the order that the value has. Raises ValueError for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
