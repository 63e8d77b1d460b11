"""Settings come from the environment alone: what the code reads and what deploy/env.example lists are the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from deploy.local.environment import ROOT

EXAMPLE = (ROOT / "deploy/env.example").read_text()
LISTED = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
# Said by one of our processes to another, or for the tests and the one-machine platform: nobody sets them.
INTERNAL = {
    "CROSSTABLE_PULSE", "CROSSTABLE_DEVICE", "CROSSTABLE_DEMO", "DJANGO_SETTINGS_MODULE",
    "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM", "DISABLE_MULTIPROC",
    "VALKEY_SERVER",
}  # fmt: skip
# Read by the programs that run us.
BY_OTHERS = {"FORWARDED_ALLOW_IPS": "uvicorn", "PROMETHEUS_MULTIPROC_DIR": "prometheus_client"}
READERS = {"text", "flag", "words", "days", "number", "limit", "networks"}  # of webapp/env.py


def sources() -> Iterator[Path]:
    for package in ("webapp", "workers", "evaluation"):
        yield from (path for path in (ROOT / package).rglob("*.py") if "tests" not in path.parts)
    yield from (ROOT / "deploy/local" / name for name in ("backup.py", "binaries.py"))  # what production calls, too


def names_in(path: Path) -> Iterator[str]:
    """What env.text("NAME") and its like, or os.environ.get("NAME") and its like, take first."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            asked, value = ast.unparse(node.func), node.args[0].value
            ours = asked.removeprefix("env.") in READERS
            if (ours or "environ." in asked or asked.endswith("getenv")) and isinstance(value, str) and value.isupper():
                yield value


def read_by_the_code() -> set[str]:
    return {name for path in sources() for name in names_in(path)} - INTERNAL


def read_by_compose() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "deploy/compose.yaml").read_text()))


def test_every_setting_that_is_read_is_listed_and_the_other_way_round() -> None:
    read = read_by_the_code()
    assert {"SECRET_KEY", "CROSSTABLE_LEASE_SECONDS", "CHANNEL_LAYER_URL", "CROSSTABLE_FROZEN_SECONDS"} <= read
    assert sorted((read | read_by_compose()) - set(LISTED)) == [], "not in deploy/env.example"
    assert sorted(set(LISTED) - read - read_by_compose() - set(BY_OTHERS)) == [], "read nowhere"


def test_nothing_is_listed_twice() -> None:
    assert sorted(LISTED) == sorted(set(LISTED))


def test_the_manifests_set_only_what_is_listed() -> None:
    documents = yaml.safe_load_all((ROOT / "deploy/kubernetes/settings.yaml").read_text())
    named = {name for document in documents for name in document.get("data", document.get("stringData"))}
    assert {"SECRET_KEY", "DATABASE_URL", "BROKER_URL", "ALLOWED_HOSTS"} <= named
    assert sorted(named - set(LISTED)) == []


def test_the_example_holds_no_secret() -> None:
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert given["SECRET_KEY"] == given["POSTGRES_PASSWORD"] == ""
