"""`manage.py demo`: a world that real workers fill."""

from __future__ import annotations

from io import StringIO

import pytest
from django.conf import settings as conf
from django.core.management import call_command
from pytest_django import Settings

from webapp.accounts.models import User
from webapp.catalog.models import EntryVersion
from webapp.jobs.models import Run
from webapp.leaderboards.models import Leaderboard
from webapp.results.models import Score

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def checkpoints_are_allowed(settings: Settings):
    settings.MODEL_ROOTS = [conf.BASE_DIR / "deploy/demo/checkpoints"]


def test_the_demo_asks_for_real_runs_and_brings_no_numbers():
    call_command("demo", stdout=StringIO())
    assert set(Run.objects.values_list("state", flat=True)) == {"queued"}
    assert Run.objects.count() == 30
    assert not Score.objects.exists()
    assert all(version.weights_hash for version in EntryVersion.objects.all())
    assert Leaderboard.objects.get().visibility == "public"
    assert not User.objects.get(username="demo").has_usable_password()


def test_a_second_call_changes_nothing():
    call_command("demo", stdout=StringIO())
    said = StringIO()
    call_command("demo", stdout=said)
    assert "is there" in said.getvalue()
    assert Run.objects.count() == 30
