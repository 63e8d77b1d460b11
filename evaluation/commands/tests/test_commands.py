"""The command line as people use it: real processes, JSON alone on stdout, clear refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluation.__main__ import BAD_INPUT, main
from evaluation.analyses import ANALYSES
from evaluation.commands import COMMANDS

GOLDEN = "contender,x,y,z\nd,9,1,5\nc,7,8,2\nb,5,6,9\na,3,4,7\n"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def golden(tmp_path: Path) -> str:
    path = tmp_path / "golden.csv"
    path.write_text(GOLDEN)
    return str(path)


def answered(capsys: Captured, *arguments: str) -> Any:
    """The JSON of a command that succeeds."""
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_fresh_process_prints_json_alone(golden: str) -> None:
    command = [sys.executable, "-m", "evaluation", "swiss", golden, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["contenders"] == ["d", "c", "b", "a"]
    assert done.stderr.startswith("warning: ")


def test_help_lists_commands_and_analyses(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    text = capsys.readouterr().out
    assert done.value.code == 0
    assert all(name in text for name in [*COMMANDS, *ANALYSES])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_its_options(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--format" in capsys.readouterr().out


def test_swiss_json_has_the_documented_shape(golden: str, capsys: Captured) -> None:
    data = answered(capsys, "swiss", golden)
    assert data["exact"] is True
    assert data["rounds"] == [["x"], ["y"], ["z"]]
    assert list(data["eliminations"]) == ["0", "1", "2"]
    assert data["eliminations"]["0"]["expected_points"] == [4 / 3, 5 / 3, 2, 0]
    assert data["eliminations"]["1"]["expected_points"] == [1, 4 / 3, 2 / 3, 0]
    assert data["eliminations"]["0"]["standard_error"] == [0, 0, 0, 0]
    assert data["sensitivity"]["relative_drop"][3] is None


def test_swiss_options_reach_the_tournament(golden: str, capsys: Captured) -> None:
    data = answered(
        capsys, "swiss", golden, "--rounds", "x,y;z", "--eliminate", "0/1,1", "--iterations", "500", "--seed", "7",
        "--lower-is-better", "y", "z", "--no-exact", "--no-crosstable",
    )  # fmt: skip
    assert data["rounds"] == [["x", "y"], ["z"]]
    assert [one["eliminate"] for one in data["eliminations"].values()] == [[0, 1], [1, 1]]
    assert list(data["eliminations"]) == ["0/1", "1"]
    assert (data["iterations"], data["seed"], data["exact"], data["crosstable"]) == (500, 7, False, None)


def test_the_same_seed_prints_the_same_bytes_for_any_number_of_processes(golden: str, capsys: Captured) -> None:
    arguments = ["swiss", golden, "--no-exact", "--iterations", "40000", "--format", "json"]
    printed = []
    for more in ([], ["--processes", "2"], ["--seed", "2"]):
        assert main([*arguments, *more]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


def test_swiss_table_is_sorted_for_readers(golden: str, capsys: Captured) -> None:
    assert main(["swiss", golden]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "4 contenders, 3 rounds, exact" in lines[0]
    assert [line.split()[:3] for line in lines[3:]] == [
        ["1", "b", "2.0000"], ["2", "c", "1.6667"], ["3", "d", "1.3333"], ["4", "a", "0.0000"],
    ]  # fmt: skip


def test_missing_scores_on_the_command_line(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "holes.csv"
    path.write_text(GOLDEN.replace("c,7,8,2", "c,7,,2"))
    assert main(["swiss", str(path)]) == BAD_INPUT
    assert "c on y" in capsys.readouterr().err
    assert answered(capsys, "swiss", str(path), "--missing", "lose")["benchmarks_used"] == [3, 2, 3, 3]


@pytest.mark.parametrize(
    ("method", "best"), [("mean", "b"), ("z-score", "b"), ("win-rate", "b"), ("bradley-terry", "b")]
)
def test_aggregates(method: str, best: str, golden: str, capsys: Captured) -> None:
    data = answered(capsys, "aggregate", golden, "--method", method)
    assert data["contenders"] == ["d", "c", "b", "a"]
    assert data["contenders"][max(range(4), key=data["value"].__getitem__)] == best
    assert main(["aggregate", golden, "--method", method]) == 0
    assert capsys.readouterr().out.splitlines()[3].split()[1] == best


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swiss", "absent.csv"], "There is no file absent.csv"),
        (["swiss", "GOLDEN", "--rounds", "x;q"], "Round 2 names the unknown benchmark “q”"),
        (["swiss", "GOLDEN", "--lower-is-better", "q"], "no benchmark “q”"),
        (["swiss", "GOLDEN", "--eliminate", "0,a"], "“a” is not a number of eliminations"),
        (["swiss", "GOLDEN", "--iterations", "0"], "“iterations” must be at least 2"),
        (["swiss", "GOLDEN", "--iterations", "many"], "“iterations” must be a whole number"),
        (["swiss", "GOLDEN", "--missing", "guess"], "“missing” must be one of strict, available, lose"),
        (["swiss", "GOLDEN", "--processes", "0"], "At least one process"),
        (["swiss", "GOLDEN", "--resample"], "standard errors"),
        (["aggregate", "GOLDEN", "--method", "mean", "--ridge", "1"], "no parameter “ridge”"),
    ],
)
def test_bad_input_is_refused_on_stderr(arguments: list[str], message: str, golden: str, capsys: Captured) -> None:
    given = [golden if argument == "GOLDEN" else argument for argument in arguments]
    assert main([*given, "--format", "json"]) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


def test_the_tournament_needs_numpy_only(golden: str) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['scipy', 'pyarrow', 'pandas', 'torch', 'django']));"
        f"from evaluation.__main__ import main; sys.exit(main(['swiss', {golden!r}, '--no-exact']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
