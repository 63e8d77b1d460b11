from __future__ import annotations

import hashlib
import re

from deploy.local.environment import ROOT

VENDOR = ROOT / "static/vendor"


def listed() -> dict[str, str]:
    rows = re.findall(r"^\| (\S+\.js) \|.*\| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.MULTILINE)
    return dict(rows)


def test_every_file_of_others_is_listed_with_its_checksum() -> None:
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.glob("*.js")}
    assert there == listed()
    assert {"htmx.min.js", "echarts.min.js"} <= there.keys()


def test_no_file_asks_for_a_source_map_that_is_not_here() -> None:
    assert not [path.name for path in VENDOR.glob("*.js") if "sourceMappingURL" in path.read_text()]
