"""The examples of the guide's page on REST, taken from its Markdown and run against a live server with a real token."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from webapp.accounts import services as accounts
from webapp.accounts.models import Scope
from webapp.pages.guide.reading import FOLDER
from webapp.tests import factories

BLOCK = re.compile(r"^```(?P<language>sh|python) run\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [(found["language"], found["code"]) for found in BLOCK.finditer((FOLDER / "rest.md").read_text())]
SHELL = [code for language, code in EXAMPLES if language == "sh"]
PYTHON = "\n".join(code for language, code in EXAMPLES if language == "python")


@pytest.fixture
def environment(request, transactional_db, quick_settings, tmp_path):
    """The demo's names: a suite with two contenders, their finished runs, and a board over them."""
    live_server = request.getfixturevalue("live_server")  # late: it looks for the folder that quick_settings makes
    alice = factories.person("alice")
    team = accounts.create_team(actor=alice, name="demo", title="Demo team")
    versions = [factories.benchmark(alice, team, "sums"), factories.benchmark(alice, team, "written", kind="text")]
    suite = factories.suite(alice, team, "small-world", versions)
    entries = [
        factories.entry(alice, team, name, factories.checkpoint(tmp_path / name, width=width))
        for width, name in enumerate(("tiny-m", "tiny-s"), 2)
    ]
    factories.worker()
    factories.job(alice, team, suite, entries)
    for right in ([True] * 4, [True, False] * 2) * 2:
        factories.finish(right)
    factories.refresh(factories.board(alice, team, "small-world", suite))
    _, secret = accounts.create_token(actor=alice, name="guide", scopes=list(Scope.values), days=1)
    return {**os.environ, "CROSSTABLE_URL": live_server.url, "CROSSTABLE_TOKEN": secret}


def finished(command, environment, folder=None):
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_examples_of_both_kinds():
    assert len(SHELL) >= 4
    assert PYTHON.count("api.") >= 10
    assert all("api/v1/" in code for code in SHELL)


def test_examples_for_the_shell_do_what_they_say(environment, tmp_path):
    said = [finished(["bash", "-euo", "pipefail", "-c", code], environment, tmp_path) for code in SHELL]

    assert '"username":"alice"' in said[0]
    assert '"ct_' in said[1]
    assert '"runs":' in said[2]
    assert len((tmp_path / "scores.csv").read_text().splitlines()) > 16


def test_examples_in_python_do_what_they_say(environment):
    said = finished([sys.executable, "-c", PYTHON], environment)

    assert "tiny-m@bf16 sums queued" in said
    assert "cancel: cancelled\nretry: queued\n" in said
    assert "tiny-m@fp32 tiny-s@fp32" in said
    assert "swiss Swiss-system tournament" in said
    assert "tiny-m sums 0 1" in said
    assert "queued\n" in said
    assert "/join/" in said


def test_an_example_that_fails_is_noticed(environment):
    with pytest.raises(AssertionError):
        finished(["bash", "-euo", "pipefail", "-c", SHELL[0]], {**environment, "CROSSTABLE_TOKEN": "ct_wrong"})
