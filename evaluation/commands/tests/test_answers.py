"""The commands over answers: documented keys, plain refusals, the planner both ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.__main__ import BAD_INPUT, main

ROWS = """contender,sample,answer,correct,p_A,p_B
a,1,A,1,0.9,0.1
a,2,A,1,0.8,0.2
a,3,B,0,0.4,0.6
b,1,A,1,0.7,0.3
b,2,B,0,0.3,0.7
b,3,A,1,0.6,0.4
c,1,B,0,0.2,0.8
c,2,B,0,0.2,0.8
c,3,B,0,0.2,0.8
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def answers(tmp_path: Path) -> str:
    path = tmp_path / "answers.csv"
    path.write_text(ROWS)
    return str(path)


def answered(capsys: Captured, *arguments: str) -> Any:
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_multiplicity(answers: str, capsys: Captured) -> None:
    data = answered(capsys, "multiplicity", answers, "--epsilon", "0.01", "--delta", "0.45", "--baseline", "b")
    assert (data["baseline"], data["level_set"]) == ("b", ["a", "b"])
    assert data["ambiguity"] == data["discrepancy"] == pytest.approx(2 / 3)
    assert (data["discrepancy_contender"], data["obscurity"]) == ("a", pytest.approx(2 / 3))
    assert data["pairwise_disagreement"] == pytest.approx(2 / 3)
    assert data["fleiss_kappa"] == pytest.approx(-0.5)
    assert data["probability_ambiguity"] == pytest.approx(1 / 3)
    assert 0 < data["capacity"] < 1
    assert data["contenders"] == ["a", "b", "c"]


def test_multiplicity_as_text(answers: str, capsys: Captured) -> None:
    assert main(["multiplicity", answers]) == 0
    printed = capsys.readouterr()
    assert "a (baseline)" in printed.out
    assert "discrepancy 0.6667 (b)" in printed.out
    assert "neither surely inside" in printed.err


def test_compare(answers: str, capsys: Captured) -> None:
    data = answered(capsys, "compare", answers, "a", "c")
    assert data["difference"] == pytest.approx(2 / 3)
    assert (data["only_first"], data["only_second"], data["answers_changed"]) == (2, 0, 2)
    assert data["mcnemar_p"] == 0.5
    assert data["interval"][0] < data["difference"] < data["interval"][1]
    assert "cannot tell" in data["verdict"]
    assert main(["compare", answers, "a", "c"]) == 0
    assert capsys.readouterr().out.startswith(data["verdict"])


def test_an_infinite_number_of_samples_is_text(answers: str, capsys: Captured) -> None:
    assert answered(capsys, "compare", answers, "a", "b")["samples_needed"] == "inf"


def test_power_both_ways(capsys: Captured) -> None:
    plan = answered(capsys, "power", "--flips", "0.2", "--difference", "0.03")
    assert plan["samples"] == 1737
    back = answered(capsys, "power", "--flips", "0.2", "--samples", "1737")
    assert back["difference"] == pytest.approx(0.03, abs=1e-4)
    assert main(["power", "--flips", "0.2", "--samples", "1737"]) == 0
    assert "1,737 samples show a difference of 0.0300" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["multiplicity", "absent.csv"], "There is no file absent.csv"),
        (["multiplicity", "ANSWERS", "--baseline", "z"], "no contender “z”"),
        (["multiplicity", "ANSWERS", "--epsilon", "-1"], "“epsilon” must be at least 0"),
        (["compare", "ANSWERS", "a", "z"], "no contender “z”"),
        (["compare", "ANSWERS", "a", "a"], "compared with itself"),
        (["compare", "ANSWERS", "a", "b", "--level", "1.5"], "confidence level"),
        (["compare", "ANSWERS", "a", "b", "--margin", "0"], "margin"),
        (["power", "--flips", "0.1", "--difference", "0.2"], "cannot exceed"),
        (["power", "--flips", "0.1", "--samples", "0"], "No sample"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], message: str, answers: str, capsys: Captured) -> None:
    assert main([answers if one == "ANSWERS" else one for one in arguments]) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_linear_multiplicity(tmp_path: Path, capsys: Captured) -> None:
    rows = ["size,label"] + [f"{number / 10},{int(number > 20 and number % 7 != 0)}" for number in range(40)]
    path = tmp_path / "data.csv"
    path.write_text("\n".join(rows))
    asked = ("linear-multiplicity", str(path), "--label", "label", "--epsilon", "0.01", "--delta", "0.1")
    data = answered(capsys, *asked, "--ridge", "0.01", "--standardize")
    assert len(data["ranges"]) == 40
    assert all(low <= high for low, high in data["ranges"])
    assert 0 <= data["discrepancy"][0] <= data["discrepancy"][1] <= data["ambiguity"] <= 1
    assert data["certificate_gap"] < 1e-8
    assert data["baseline_objective"] > 0
    assert main([*asked]) == 0
    assert "certificate gap" in capsys.readouterr().out
    assert main(["linear-multiplicity", str(path), "--label", "size"]) == BAD_INPUT
    assert "neither 0 nor 1" in capsys.readouterr().err
