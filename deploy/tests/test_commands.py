"""Compose, Kubernetes and systemd start the same programs with the same words."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from deploy.local.environment import ROOT

FOLDER = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]


def of_kubernetes(name: str) -> list[str]:
    document = yaml.safe_load((FOLDER / f"kubernetes/{name}.yaml").read_text())
    words: list[str] = document["spec"]["template"]["spec"]["containers"][0]["command"]
    return words


def of_systemd(name: str) -> list[str]:
    """Without the folder of the programs; a percent sign is doubled there."""
    unit = (FOLDER / f"systemd/crosstable-{name}.service").read_text()
    found = re.search(r"^ExecStart=/opt/crosstable/\.venv/bin/(.*)$", unit, re.MULTILINE)
    assert found
    return shlex.split(found[1].replace("%%", "%"))


def of_the_image() -> list[str]:
    found = re.search(r"^CMD (\[\"uvicorn.*?\])", (FOLDER / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    words: list[str] = yaml.safe_load(found[1].replace("\\\n", ""))
    return words


def test_the_analysis_worker() -> None:
    assert COMPOSE["analysis"]["command"] == of_kubernetes("analysis") == of_systemd("analysis")
    assert "--quiet" in of_systemd("analysis"), "its banner is no line of JSON"


@pytest.mark.parametrize("name", ["worker-cpu", "migrate"])
def test_what_compose_and_kubernetes_start(name: str) -> None:
    assert COMPOSE["prepare" if name == "migrate" else name]["command"] == of_kubernetes(name)


def test_the_web_differs_by_its_address_alone() -> None:
    address = {"0.0.0.0", "127.0.0.1"}  # noqa: S104 - that of the container
    image, unit = of_the_image(), of_systemd("web")
    assert [word for word in image if word not in address] == [word for word in unit if word not in address]


def test_the_web_keeps_connections_for_longer_than_proxies_do() -> None:
    """By default Caddy keeps those to the web for 120 s, nginx (and its ingress) for 60 s."""
    words = of_systemd("web")
    assert int(words[words.index("--timeout-keep-alive") + 1]) > 120
    for name in ("Caddyfile", "nginx.conf"):
        assert not re.search(r"keepalive_timeout|keepalive \d+[smh]", (FOLDER / "proxy" / name).read_text())


def test_an_image_holds_no_secret_and_no_checkpoint() -> None:
    """What people lay beside the files that they deploy: settings, folders of checkpoints, backups with their keys."""
    left_out = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    models = re.search(r"\$\{MODELS_FOLDER:-\./(\w+)\}", (FOLDER / "compose.yaml").read_text())
    assert models
    assert {"deploy/.env", f"deploy/{models[1]}", "**/*.tar.gz"} <= set(left_out)
