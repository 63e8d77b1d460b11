"""`python -m evaluation quantization`: the report as JSON, as a table, and its refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.__main__ import BAD_INPUT, main

ROWS = """contender,sample,answer,correct,p_A,p_B
m@bf16,1,A,1,0.9,0.1
m@bf16,2,A,1,0.6,0.4
m@bf16,3,B,0,0.4,0.6
m@int4,1,A,1,0.8,0.2
m@int4,2,B,0,0.4,0.6
m@int4,3,B,0,0.3,0.7
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def answers(tmp_path: Path) -> str:
    path = tmp_path / "answers.csv"
    path.write_text(ROWS)
    return str(path)


def test_as_json(answers: str, capsys: Captured) -> None:
    assert main(["quantization", answers, "--reference", "m@bf16", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["reference"] == ["m@bf16", "m@bf16"]
    assert data["difference"] == [None, pytest.approx(-1 / 3)]
    assert (data["lost"]["count"], data["won"]["count"]) == ([0, 1], [0, 0])
    assert data["p"] == [None, 1.0]
    assert data["margins"]["of_flips"] == [None, pytest.approx(0.2)]


def test_as_a_table(answers: str, capsys: Captured) -> None:
    assert main(["quantization", answers]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert "reference" in printed[1]
    assert "m@int4" in printed[2]
    assert printed[-1] == "m@int4 is indistinguishable at 3 samples (33 % of the answers change)."


def test_an_unknown_reference_is_refused(answers: str, capsys: Captured) -> None:
    assert main(["quantization", answers, "--reference", "x"]) == BAD_INPUT
    assert "no contender “x”" in capsys.readouterr().err
