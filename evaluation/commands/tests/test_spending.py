"""The commands adaptive, estimate and route: documented keys, plain refusals."""

import json
from pathlib import Path

import numpy as np
import pytest

from evaluation.__main__ import BAD_INPUT, main


@pytest.fixture
def scores(tmp_path):
    rng = np.random.default_rng(1)
    lines = ["contender,sample,correct,cost_usd,subject,sure"]
    for row, skill in enumerate((0.5, 0.6, 0.9)):
        for sample in range(60):
            right = int(rng.random() < skill)
            lines.append(f"model-{row},{sample},{right},{0.1 * 3**row},{'uv'[sample % 2]},{right + rng.random():.3f}")
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(lines))
    return str(path)


def answered(capsys, *arguments):
    assert main([*arguments, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_adaptive(scores, capsys):
    data = answered(capsys, "adaptive", scores, "--budget", "0.5", "--method", "ucb-e", "--batch", "4", "--seeds", "20")
    assert data["found_best"] == 1.0
    assert data["best"] == ["model-2"]
    assert data["curve"][-1]["cells"] == 90
    assert set(data["curve"][0]) == {"budget", "cells", "found_best", "error"}
    assert main(["adaptive", scores, "--budget", "0.5"]) == 0
    assert "uniform" in capsys.readouterr().out


def test_estimate(scores, capsys):
    for method in ("lure", "aipw", "random"):
        data = answered(
            capsys, "estimate", scores, "--contender", "model-1", "--samples", "30", "--method", method, "--seeds", "50"
        )
        assert 0 < data["mean_error"] < 0.2
        assert abs(data["bias"]) < 0.1
        assert data["coverage"] > 0.8
    assert main(["estimate", scores, "--contender", "model-1"]) == 0
    assert "coverage" in capsys.readouterr().out


def test_route(scores, capsys):
    data = answered(capsys, "route", scores, "--category", "subject", "--confidence", "sure", "--weak", "model-0")
    assert {"pareto", "hull", "aiq", "oracle", "apgr", "cpt", "routers"} <= set(data)
    assert data["pair"]["weak"] == "model-0"
    assert set(data["cpt"]) == {"20", "50", "80"}
    assert data["oracle"]["quality"] >= max(data["quality"])
    assert [router["name"] for router in data["routers"]] == ["single", "category", "cascade", "chain", "bandit"]
    plain = answered(capsys, "route", scores)
    assert plain["apgr"] == pytest.approx(0.5)
    assert main(["route", scores]) == 0
    assert "APGR" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("correct", "right"), "no column “correct”"),
        (lambda text: text.replace("model-1,3,", "model-1,2,"), "on sample 2 already"),
        (lambda text: text.replace(",0.1,", ",much,", 1), "“much” is not a number"),
        (lambda text: text.replace("model-1,3,", ",3,"), "has no name"),
        (lambda text: text.splitlines()[0], "no score"),
    ],
)
def test_a_bad_file_is_refused_in_words(scores, capsys, tmp_path, change, said):
    path = tmp_path / "bad.csv"
    path.write_text(change(Path(scores).read_text()))
    assert main(["route", str(path), "--format", "json"]) == BAD_INPUT
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_a_hole_is_refused_by_the_replays_and_reported_by_routing(scores, capsys, tmp_path):
    path = tmp_path / "hole.csv"
    lines = Path(scores).read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("model-1,7,")))
    assert main(["adaptive", str(path)]) == BAD_INPUT
    assert "model-1" in capsys.readouterr().err
    assert main(["route", str(path), "--format", "json"]) == 0
    assert "model-1" in capsys.readouterr().err
