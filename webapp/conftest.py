"""People and things of the tests: alice owns the team, bob submits, rita reviews, vera views, charlie is a stranger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.cache import caches
from pytest_django import Settings
from rest_framework.test import APIClient

from webapp.accounts import services as accounts
from webapp.accounts.models import Role, Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.jobs.models import Job
from webapp.leaderboards.models import Leaderboard
from webapp.tests import factories


@pytest.fixture(autouse=True)
def quick_settings(settings: Settings, tmp_path: Path) -> None:
    """Cheap password hashes, static files without a manifest, checkpoints below the test's own folder."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MODEL_ROOTS = [tmp_path]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    for shared in caches.all():
        shared.clear()


@pytest.fixture
def alice(db: None) -> User:
    return factories.person("alice")


@pytest.fixture
def team(alice: User) -> Team:
    return accounts.create_team(actor=alice, name="lab", title="The lab")


@pytest.fixture
def bob(team: Team, alice: User) -> User:
    return _member(team, alice, "bob", Role.SUBMITTER)


@pytest.fixture
def vera(team: Team, alice: User) -> User:
    return _member(team, alice, "vera", Role.VIEWER)


@pytest.fixture
def rita(team: Team, alice: User) -> User:
    return _member(team, alice, "rita", Role.REVIEWER)


@pytest.fixture
def charlie(db: None) -> User:
    return factories.person("charlie")


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    """A client of the REST API, signed in as somebody or as nobody."""

    def client(user: User | None = None) -> APIClient:
        caller = APIClient()
        if user is not None:
            caller.force_login(user)
        return caller

    return client


def _member(team: Team, owner: User, name: str, role: str) -> User:
    user = factories.person(name)
    accounts.set_member(actor=owner, team=team, username=name, role=role)
    return user


@pytest.fixture
def entry(alice: User, team: Team, tmp_path: Path) -> EntryVersion:
    return factories.entry(
        alice, team, "small", factories.checkpoint(tmp_path / "small"), title="Small one", tags=["tiny"]
    )


@pytest.fixture
def other_entry(alice: User, team: Team, tmp_path: Path) -> EntryVersion:
    return factories.entry(alice, team, "large", factories.checkpoint(tmp_path / "large", width=4))


@pytest.fixture
def benchmark(alice: User, team: Team) -> BenchmarkVersion:
    """Four sums with two choices."""
    return factories.benchmark(alice, team, "sums")


@pytest.fixture
def written(alice: User, team: Team) -> BenchmarkVersion:
    """Four sums whose result is written."""
    return factories.benchmark(alice, team, "written", kind="text")


@pytest.fixture
def suite(alice: User, team: Team, benchmark: BenchmarkVersion, written: BenchmarkVersion) -> Suite:
    return factories.suite(alice, team, "basics", [benchmark, written], title="The basics")


@pytest.fixture
def job(alice: User, team: Team, suite: Suite, entry: EntryVersion, other_entry: EntryVersion) -> Job:
    """Two contenders on two benchmarks: four queued runs."""
    return factories.job(alice, team, suite, [entry, other_entry])


@pytest.fixture
def board(alice: User, team: Team, suite: Suite) -> Leaderboard:
    return factories.board(alice, team, "main", suite)
