"""The container files are read, not built: what they name must be in the project."""

from __future__ import annotations

import re
import subprocess
import sys

import yaml

from deploy.local.environment import ROOT, Environment

COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def test_every_built_service_names_a_target_of_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE))
    named = {service["build"]["target"] for service in COMPOSE["services"].values() if "build" in service}
    assert named == {"web", "worker"} <= targets


def test_exactly_one_service_sweeps() -> None:
    commands = [service.get("command", []) for service in COMPOSE["services"].values()]
    assert sum("-B" in command for command in commands) == 1


def test_the_listed_requirements_are_those_of_pyproject() -> None:
    command = [sys.executable, "deploy/local/environment.py", "--list", "worker"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert printed == Environment().requirements("base") + Environment().requirements("worker")
    assert not any(line.startswith("torch") for line in Environment().requirements("base"))
