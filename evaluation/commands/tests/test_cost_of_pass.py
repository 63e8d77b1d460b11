"""`cost-of-pass`: the documented keys in the documented shape, infinity as text, refusals on stderr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.__main__ import BAD_INPUT, main

SCORES = """contender,sample,correct,cost_usd
B,1,1,3
B,2,1,3
B,3,0,3
A,1,1,2
A,2,0,2
A,3,0,2
"""
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    texts = {
        "SCORES": SCORES,
        "FAMILIES": "family,contender\nopen,B\n",
        "DATES": "contender,date\nA,2025-01-01\nB,2025-02-01\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return {name: str(tmp_path / f"{name}.csv") for name in texts}


def answered(capsys: Captured, *arguments: str) -> Any:
    assert main(["cost-of-pass", *arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_json_has_the_documented_keys(files: dict[str, str], capsys: Captured) -> None:
    data = answered(
        capsys, files["SCORES"], "--expert-cost", "10", "--families", files["FAMILIES"], "--dates", files["DATES"],
        "--bootstrap", "200", "--seed", "3",
    )  # fmt: skip
    assert (data["frontier_value"], data["frontier_value_without_expert"]) == (5, "inf")
    assert data["unsolved_share"] == 1 / 3
    b, a = data["contenders"]
    assert (b["name"], b["value_with_expert"], b["cost_per_pass"], b["unsolved_share"]) == ("B", 16 / 3, 4.5, 1 / 3)
    assert (a["name"], a["value_with_expert"], a["cost_per_pass"], a["accuracy"]) == ("A", 22 / 3, 6, 1 / 3)
    assert b["essentialness"] == pytest.approx(7 / 22)
    assert [(one["date"], one["contender"], one["value"]) for one in data["progress"]] == [
        ("2025-01-01", "A", 22 / 3), ("2025-02-01", "B", 5),
    ]  # fmt: skip
    assert [(one["name"], one["essentialness"]) for one in data["families"]] == [("open", pytest.approx(7 / 22))]
    assert any("n = 1" in warning for warning in data["warnings"])
    assert (data["resamples"], data["seed"]) == (200, 3)


def test_a_contender_that_never_passes_costs_infinitely_much(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "never.csv"
    path.write_text("contender,sample,correct,cost_usd\na,1,0,1\nb,1,,1\n")
    never, unknown = answered(capsys, str(path), "--expert-cost", "4", "--bootstrap", "0")["contenders"]
    assert (never["cost_per_pass"], never["unsolved_share"], never["value_interval"]) == ("inf", 1, [None, None])
    assert (unknown["cost_per_pass"], unknown["accuracy"], unknown["value_with_expert"]) == (None, None, 4)


def test_the_same_seed_prints_the_same_bytes(files: dict[str, str], capsys: Captured) -> None:
    printed = []
    for seed in ("1", "1"):
        assert main(["cost-of-pass", files["SCORES"], "--expert-cost", "10", "--seed", seed, "--format", "json"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_the_table_is_sorted_for_readers(files: dict[str, str], capsys: Captured) -> None:
    arguments = ["--expert-cost", "10", "--families", files["FAMILIES"], "--dates", files["DATES"]]
    assert main(["cost-of-pass", files["SCORES"], *arguments]) == 0
    printed = capsys.readouterr()
    assert [line.split()[1] for line in printed.out.splitlines()[3:5]] == ["B", "A"]
    assert "frontier 5 (" in printed.out
    assert "without expert ∞" in printed.out
    assert "2025-02-01  5  with B" in printed.out
    assert "without open: 7.333 (31.8 %)" in printed.out
    assert "warning: Every contender has one attempt" in printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv"], "There is no file absent.csv"),
        (["SCORES", "--expert-cost", "-1"], "“expert_cost” must be at least 0"),
        (["SCORES", "--bootstrap", "many"], "“bootstrap” must be a whole number"),
        (["SCORES", "--families", "DATES"], "no column “family”"),
        (["SCORES", "--dates", "FAMILIES"], "no column “date”"),
        (["SCORES", "--votes", "3"], "answers"),
    ],
)
def test_bad_input_is_refused(arguments: list[str], message: str, files: dict[str, str], capsys: Captured) -> None:
    assert main(["cost-of-pass", *(files.get(one, one) for one in arguments), "--format", "json"]) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
