"""What compose.yaml and its settings must say because something went wrong without it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml

from deploy.local.environment import ROOT

FOLDER = ROOT / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
EXAMPLE = (FOLDER / "env.example").read_text()


def test_an_image_is_built_once() -> None:
    """Built by several services it is several images, which differ by their labels: the name changes from one to the
    other, and containers with it."""
    built = Counter(service["image"] for service in SERVICES.values() if "build" in service)
    assert set(built.values()) == {1}
    for service in SERVICES.values():
        if "build" not in service and service["image"] in built:
            assert service["pull_policy"] == "never", "a registry has it not, or somebody else's"


def test_postgres_is_healthy_when_it_listens() -> None:
    """The image sets its first database up with a server that is there on the socket alone, and ends it."""
    test = SERVICES["postgres"]["healthcheck"]["test"]
    assert test[test.index("-h") + 1] == "127.0.0.1"


def test_rabbitmq_finds_its_messages_in_a_new_container() -> None:
    assert SERVICES["rabbitmq"]["hostname"]


def test_imports_are_spooled_on_a_disk() -> None:
    """Several GB each: a temporary file system is memory."""
    analysis = SERVICES["analysis"]
    volumes = {volume.split(":")[1] for volume in analysis["volumes"]}
    assert analysis["environment"]["TMPDIR"] in volumes - set(analysis["tmpfs"])


def test_a_build_asks_a_registry_for_nothing_but_what_it_builds_on() -> None:
    """A syntax directive has a program fetched that reads the file, which Docker can by itself."""
    first = (FOLDER / "Dockerfile").read_text().partition("\n")[0]
    assert "syntax=" not in first


def test_what_a_setting_quotes_stands_above_it() -> None:
    """Compose fills in what it has read so far, and complains of the rest."""
    quoted = list(re.finditer(r"[A-Z_]+=\S*\$\{([A-Z_]+)\}", EXAMPLE))
    assert {match[1] for match in quoted} == {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"}
    for match in quoted:
        listed = re.search(rf"^(?:# )?{match[1]}=", EXAMPLE, re.MULTILINE)
        assert listed
        assert listed.start() < match.start(), match[1]


def test_rabbitmq_is_addressed_as_the_user_that_it_makes() -> None:
    user = SERVICES["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_USER"]
    assert f"BROKER_URL=amqp://{user}:${{RABBITMQ_PASSWORD}}@rabbitmq//" in EXAMPLE
