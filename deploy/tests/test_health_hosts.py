"""Whoever asks how the web is calls it by a name of its ALLOWED_HOSTS: else each answer is 400, and no page comes."""

from __future__ import annotations

import re

import pytest
import yaml
from django.http.request import validate_host

from deploy.local.environment import ROOT

EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "deploy/env.example").read_text(), re.MULTILINE))
SETTINGS = next(iter(yaml.safe_load_all((ROOT / "deploy/kubernetes/settings.yaml").read_text())))["data"]
CADDY = r"health_headers \{\s+Host (\S+)"
DOCKER = r"HEALTHCHECK.*\n.*http://([^:/']+)[:/]"
KUBERNETES = r"httpGet:.*\{name: Host, value: ([^}]+)\}"


@pytest.mark.parametrize(
    ("file", "pattern", "allowed"),
    [
        ("Dockerfile", DOCKER, EXAMPLE["ALLOWED_HOSTS"]),
        ("proxy/Caddyfile", CADDY, EXAMPLE["ALLOWED_HOSTS"]),
        ("kubernetes/web.yaml", KUBERNETES, SETTINGS["ALLOWED_HOSTS"]),
    ],
)
def test_health_checks_ask_by_a_name_that_is_allowed(file: str, pattern: str, allowed: str) -> None:
    asked = re.findall(pattern, (ROOT / "deploy" / file).read_text())
    assert asked
    assert [name for name in asked if not validate_host(name, allowed.split(","))] == []
