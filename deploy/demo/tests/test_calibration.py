"""The demo's calibration set as it is kept is the one that its recipe makes."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.demo.calibration import calibration

KEPT = Path(__file__).parents[1] / "calibration.jsonl"


def test_the_file_holds_what_the_recipe_makes() -> None:
    lines = KEPT.read_text(encoding="utf-8").splitlines()
    assert tuple(json.loads(line)["text"] for line in lines) == calibration().texts
