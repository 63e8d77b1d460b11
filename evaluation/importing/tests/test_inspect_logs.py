"""Logs that Inspect 0.3.285 wrote (`data/`), packed and as one document, and logs that are not what they should be."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from evaluation.importing import read
from evaluation.importing.rows import BadRow, Row
from evaluation.importing.sources import Source

DATA = Path(__file__).parent / "data"


def source(name: str, data: bytes | None = None) -> tuple[Source, list[tuple[int, Row]]]:
    found = next(read(io.BytesIO(data or (DATA / name).read_bytes()), name=name))
    return found, list(found.rows)


def document(**changes: Any) -> bytes:
    return json.dumps(json.loads((DATA / "choices.json").read_text()) | changes).encode()


def with_scores(*values: Any) -> bytes:
    """The log with these values as the scores of its first samples."""
    log = json.loads((DATA / "choices.json").read_text())
    for sample, value in zip(log["samples"], values, strict=False):
        sample["scores"]["choice"]["value"] = value
    return json.dumps(log).encode()


@pytest.mark.parametrize("name", ["choices.eval", "choices.json"])
def test_epochs_are_attempts_and_grades_are_scores(name: str) -> None:
    found, rows = source(name)
    assert [(row.sample, row.attempt, row.score) for _, row in rows] == [(0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0)]
    row = rows[1][1]
    assert (row.entry, row.benchmark, row.metric) == ("mockllm/model", "fx_choices", "choice")
    assert (row.prompt, row.target, row.choices) == ("3+3?", "6", ("7", "6"))
    assert (row.answer, row.choice, row.output) == ("6", 1, "ANSWER: B")
    assert (row.tokens_in, row.tokens_out, row.cost_usd) == (12, 3, None)
    assert json.loads(row.document)["metadata"] == {"subject": "sums"}
    assert found.facts["inspect_ai"] == "0.3.285"


def test_the_first_scorer_counts() -> None:
    _, rows = source("words.eval")
    assert [(row.metric, row.score, row.target) for _, row in rows] == [
        ("includes", 1, "hello"),
        ("includes", 0, "bye\ngoodbye"),
    ]


def test_grades_and_numbers() -> None:
    _, rows = source("x.json", with_scores("C", "P", 0.25, True))
    assert [row.score for _, row in rows] == [1, 0.5, 0.25, 1]


def test_a_sample_that_was_not_scored_is_a_hole() -> None:
    found, rows = source("x.json", with_scores("C", None, float("nan")))
    assert [(row.sample, row.attempt) for _, row in rows] == [(0, 0), (1, 1)]
    assert found.facts["samples_without_score"] == 2


@pytest.mark.parametrize("value", [{"a": 1}, [1, 2], "excellent", 1e999])
def test_a_score_that_is_not_one_number_is_refused(value: Any) -> None:
    data = with_scores("C", value).replace(b"Infinity", b"1e999")
    with pytest.raises(BadRow, match=r"x\.json, line 2, “scores\.choice\.value”"):
        source("x.json", data)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "error"}, "ended as “error”"),
        ({"status": "started"}, "ended as “started”"),
        ({"samples": ["x"]}, "not a sample of Inspect"),
        ({"samples": [{"id": 1, "epoch": 0, "scores": {"choice": {"value": 1}}}]}, "not the number of an epoch"),
    ],
)
def test_logs_that_are_not_whole_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRow, match=said):
        source("x.json", document(**changes))


def test_other_documents_are_refused() -> None:
    with pytest.raises(BadRow, match="no samples"):
        source("x.json", b'{"results": {"arc": {"acc": 1}}, "versions": {}}')
    with pytest.raises(BadRow, match="not a log of Inspect"):
        source("x.json", b'{"a": 1}')
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("_journal/start.json", "{}")
    with pytest.raises(BadRow, match="was not finished"):
        source("x.eval", file.getvalue())


def test_long_texts_and_conversations_are_put_together() -> None:
    log = json.loads((DATA / "choices.json").read_text())
    sample = log["samples"][0] | {"attachments": {"abc": "A long text"}, "choices": None}
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "attachment://abc"}]},
    ]
    log["samples"] = [sample | {"input": talk, "output": {"completion": "attachment://abc"}}]
    _, rows = source("x.json", json.dumps(log).encode())
    assert rows[0][1].prompt == "system: Be brief.\n\nuser: A long text"
    assert rows[0][1].output == "A long text"
