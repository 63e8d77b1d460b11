"""Home, help, workers, health."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from webapp.jobs.models import Worker
from webapp.tests import factories


def test_a_visitor_reads_what_this_is_and_signs_in(client, db):
    page = client.get("/").content.decode()

    assert "Which language model should you ship?" in page
    assert "/sign-in/" in page
    assert "Sign in as demo" not in page


def test_the_demo_offers_one_click(client, db, settings):
    settings.DEMO = True

    assert "Sign in as demo" in client.get("/").content.decode()


def test_public_boards_stand_on_the_first_page(client, alice, team, suite):
    factories.public_board(alice, team, "open", suite)
    factories.board(alice, team, "closed", suite)

    page = client.get("/").content.decode()

    assert "/boards/lab/open/" in page
    assert "/boards/lab/closed/" not in page


def test_home_says_that_no_worker_runs(client, alice):
    client.force_login(alice)
    assert "No worker is running." in client.get("/").content.decode()

    factories.worker()
    assert "No worker is running." not in client.get("/").content.decode()


def test_setup_follows_the_installation(client, db, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    file = tmp_path / "worker-install.json"

    file.write_text(json.dumps({"state": "installing", "line": "Downloading torch", "started": 1}))
    page = client.get("/setup/").content.decode()
    assert "Downloading torch" in page
    assert "every 2s" in page

    file.write_text(json.dumps({"state": "ready", "line": "installed"}))
    factories.worker()
    assert "every 2s" not in client.get("/setup/").content.decode()


def test_a_broken_progress_file_breaks_no_page(client, alice, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    (tmp_path / "worker-install.json").write_text("[")
    client.force_login(alice)

    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({}, "Idle"),
        ({"stopped_at": timezone.now()}, "Stopped"),
        ({"seen_at": timezone.now() - timedelta(minutes=5)}, "Silent"),
    ],
)
def test_workers_are_shown_as_they_are(client, vera, change, word):
    Worker.objects.filter(name=factories.worker()).update(**change)
    client.force_login(vera)

    assert word in client.get("/workers/").content.decode()


def test_a_run_of_another_team_is_not_named(client, charlie, vera, job):
    factories.worker()
    factories.claim()

    client.force_login(charlie)
    assert "a run of another team" in client.get("/workers/").content.decode()
    client.force_login(vera)
    assert "small@fp32 on sums v1" in client.get("/workers/").content.decode()


def test_what_is_not_there_says_what_to_do(client, db):
    answer = client.get("/nowhere/")

    assert answer.status_code == 404
    assert "Check the address" in answer.content.decode()
    assert client.get("/api/v1/nowhere/").headers["Content-Type"] == "application/problem+json"
