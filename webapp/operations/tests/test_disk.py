"""The disk: for operators alone, with figures that are those of PostgreSQL."""

from __future__ import annotations

import re
import shutil
from collections import namedtuple
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, EntryVersion, Suite
from webapp.jobs.models import Job, Run
from webapp.operations import shares, sizes, volumes
from webapp.operations.disk import TEAMS_SHOWN, disk
from webapp.operations.kinds import KINDS, PLACES, kinds_of_tables
from webapp.operations.models import SizeOfDay
from webapp.results.models import Score
from webapp.tests import factories

Api = Callable[[User | None], APIClient]
MB = 10**6


@pytest.fixture
def operator(charlie: User) -> User:
    charlie.is_staff = True
    charlie.save()
    return charlie


@pytest.fixture
def page(client: Client, operator: User) -> Callable[[], str]:
    client.force_login(operator)
    return lambda: re.sub(r"\s+", " ", client.get("/disk-usage/").content.decode())


def counted(*models: Any) -> None:
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def noted(days_ago: int, total: int, **kinds: int) -> SizeOfDay:
    at = timezone.now() - timedelta(days=days_ago)
    return SizeOfDay.objects.create(day=at.date(), at=at, total=total, kinds=kinds, teams={})


def test_others_learn_nothing_of_it(client: Client, alice: User, api: Api) -> None:
    """An owner of a team is no operator, nor is somebody who has signed out or was switched off."""
    assert client.get("/disk-usage/").status_code == 302
    client.force_login(alice)
    answer = client.get("/disk-usage/")
    assert (answer.status_code, "Database" in answer.content.decode()) == (403, False)
    assert api(None).get("/api/v1/disk-usage/").status_code == 401
    refused = api(alice).get("/api/v1/disk-usage/")
    assert (refused.status_code, refused.json()["detail"]) == (403, "This needs an operator of the platform.")
    assert "Disk usage" not in client.get("/workers/").content.decode()


def test_only_reading_is_there(client: Client, operator: User, api: Api) -> None:
    client.force_login(operator)
    assert client.post("/disk-usage/").status_code == 405
    for method in ("post", "put", "patch", "delete"):
        assert getattr(api(operator), method)("/api/v1/disk-usage/").status_code == 405


@pytest.mark.parametrize("flags", [{"is_staff": True}, {"is_superuser": True}])
def test_the_menu_of_every_operator_leads_to_it(client: Client, charlie: User, flags: dict[str, bool]) -> None:
    client.force_login(charlie)
    assert 'href="/disk-usage/"' not in client.get("/help/").content.decode()
    User.objects.filter(pk=charlie.pk).update(**flags)
    assert 'href="/disk-usage/"' in client.get("/help/").content.decode()


def test_an_operator_comes_to_it_from_the_workers(client: Client, operator: User, page: Callable[[], str]) -> None:
    assert page().count("<h1>Disk usage</h1>") == 1
    assert 'href="/disk-usage/"' in client.get("/workers/").content.decode()


def test_sizes_are_those_of_postgresql(job: Job) -> None:
    factories.worker()
    run = factories.finish([True, False, True, True])
    counted(Score)
    found = sizes.database()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('results_score'), pg_database_size(current_database())")
        scores, total = cursor.fetchone()
    assert found.kinds["scores"] == sizes.Size(scores, run.scores.count())
    assert found.total == total
    assert sum(found.bytes.values()) == total, "nothing is counted twice or left out"
    assert "system" not in sizes.by_kind()


def test_rows_follow_the_size_until_they_are_counted_again(db: None) -> None:
    """As the planner does: as many rows a page as there were."""
    for at in range(400):
        Session.objects.create(session_key=f"{at:032}", session_data="x" * 400, expire_date=timezone.now())
    counted(Session)
    assert sizes.database().kinds["sessions"].rows == 400
    for at in range(400, 800):
        Session.objects.create(session_key=f"{at:032}", session_data="x" * 400, expire_date=timezone.now())
    assert sizes.database().kinds["sessions"].rows == pytest.approx(800, rel=0.1)


def test_every_table_has_its_kind() -> None:
    kinds = kinds_of_tables()
    assert set(kinds.values()) <= set(KINDS)
    assert set(PLACES.values()) <= set(KINDS)
    assert {"jobs_jobrun", "jobs_run"} <= {table for table, kind in kinds.items() if kind == "runs"}
    assert kinds["accounts_auditevent"] == "audit"
    ours = {table: kind for table, kind in kinds.items() if not table.startswith(("django_", "auth_"))}
    known = {label.partition(".")[0] for label in PLACES}
    assert [table for table, kind in ours.items() if kind == "other" and table.partition("_")[0] in known] == []


def test_parts_of_teams_add_up_to_the_whole(
    job: Job, alice: User, bob: User, team: Team, suite: Suite, entry: EntryVersion
) -> None:
    factories.worker()
    factories.finish([True, False, True, True])
    other = Team.objects.exclude(pk=team.pk).order_by("pk").first()
    assert other is not None
    theirs = factories.finish([True] * 4)
    Run.objects.filter(pk=theirs.pk).update(team=other, settings={**theirs.settings, "attempts": 3})
    scores = shares.scores_by_team()
    assert scores == {team.pk: 4, other.pk: 12}, "three attempts at each sample are three scores"
    found = shares.shares({"scores": 1600, "samples": 500, "audit": 7}, scores)
    assert found == {team.pk: 400 + 500, other.pk: 1200}
    questions = BenchmarkVersion.objects.aggregate(n=Sum("samples"))["n"]
    assert questions == 8


def test_imports_without_a_number_of_attempts_count_once(job: Job, team: Team) -> None:
    factories.worker()
    factories.finish([True] * 4)
    Run.objects.update(settings={"attempts": None})
    assert shares.scores_by_team() == {team.pk: 4}


def test_it_is_noted_now_and_then_and_the_last_of_a_day_stays(job: Job, team: Team) -> None:
    assert [sizes.note() for _ in range(2)] == [True, False]
    first = SizeOfDay.objects.get()
    assert {**first.kinds, "workers": 0} == {**sizes.database().bytes, "workers": 0}, "it is a row itself"
    assert str(team.pk) in first.teams
    SizeOfDay.objects.update(at=timezone.now() - sizes.NOTED_EVERY - timedelta(seconds=1), total=1)
    assert sizes.note() is True
    days = SizeOfDay.objects.order_by("day")
    assert (len(days), days.last().total > 1) == (1, True) if first.day == timezone.now().date() else len(days) == 2


def test_growth_is_told_only_of_days_that_were_noted(db: None) -> None:
    assert (disk().week, disk().month, disk().line) == (None, None, None)
    total = sizes.database().total
    noted(20, total - 9 * MB)
    assert disk().week is None, "what was three weeks ago is not last week's size"
    noted(8, total - 2 * MB, notices=0)
    noted(3, total)
    noted(31, total - 5 * MB)
    found = disk()
    assert found.week is not None
    assert found.month is not None
    assert found.week.bytes == pytest.approx(2 * MB, abs=MB / 2)
    assert found.month.bytes == pytest.approx(5 * MB, abs=MB / 2)
    notices = next(row for row in found.kinds if row.key == "notices")
    assert notices.week == notices.bytes


def test_the_line_has_a_point_for_each_day(page: Callable[[], str]) -> None:
    assert "There is a line when there are two days to draw" in page()
    noted(10, 50 * MB)
    noted(5, 100 * MB)
    noted(0, 75 * MB)
    line = disk().line
    assert line is not None
    assert line.points == "0.0,60.0 300.0,0.0 600.0,30.0"
    assert "From 50 MB on" in page()


def test_a_team_that_is_gone_is_not_named(page: Callable[[], str], team: Team) -> None:
    teams = {str(team.pk): [5 * MB, 1000], "999999": [7 * MB, 10]}
    SizeOfDay.objects.create(day=date(2026, 1, 1), at=timezone.now(), total=1, kinds={}, teams=teams)
    (row,) = disk().teams
    assert (row.name, row.bytes, row.scores) == ("lab", 5 * MB, 1000)
    assert "The lab" in page()


def test_many_teams_are_told_in_one_row(db: None, page: Callable[[], str]) -> None:
    made = Team.objects.bulk_create(Team(name=f"team-{at}", title=f"Team {at}") for at in range(TEAMS_SHOWN + 3))
    teams = {str(team.pk): [MB * (at + 1), at] for at, team in enumerate(made)}
    SizeOfDay.objects.create(day=date(2026, 1, 1), at=timezone.now(), total=1, kinds={}, teams=teams)
    found = disk()
    assert [row.bytes for row in found.teams][:2] == [23 * MB, 22 * MB]
    assert found.other_teams is not None
    assert (found.other_teams.title, found.other_teams.bytes) == ("3 more teams", 6 * MB)
    assert "3 more teams" in page()


def test_the_page_says_what_will_go(page: Callable[[], str], alice: User, team: Team) -> None:
    factories.notice(alice, team).email.delete()
    alice.notices.update(read_at=timezone.now() - timedelta(days=178))
    text = page()
    assert re.search(r"Notices that were read</th><td[^>]*>180 days</td> <td[^>]*>0</td><td[^>]*>1</td>", text)
    alice.notices.update(read_at=timezone.now() - timedelta(days=181))
    assert re.search(r"Notices that were read</th><td[^>]*>180 days</td> <td[^>]*>1</td><td[^>]*>0</td>", page())
    assert "CROSSTABLE_KEEP_NOTICES_DAYS" in text
    assert alice.notices.exists(), "looking throws nothing away"


def test_rest_tells_the_same(api: Api, operator: User, job: Job) -> None:
    sizes.note()
    noted(8, 1000, scores=10)
    body = api(operator).get("/api/v1/disk-usage/").json()
    assert body["database"] == sum(one["bytes"] for one in body["kinds"])
    assert body["week"]["bytes"] == body["database"] - 1000
    assert {one["key"] for one in body["retention"]} >= {"notices", "workers", "uploads"}
    diaries = next(one for one in body["retention"] if one["key"] == "diaries")
    assert (diaries["days"], diaries["due"], diaries["variable"]) == (None, 0, "CROSSTABLE_KEEP_DIARIES_DAYS")
    assert [one["team"] for one in body["teams"]] == ["lab"]


Usage = namedtuple("Usage", "total used free")


def test_free_room_of_one_disk_is_told_once(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1000, 950, 50))
    monkeypatch.setitem(connection.settings_dict, "HOST", "/run/postgresql")
    (found,) = volumes.volumes(str(tmp_path))
    assert (found.what, found.free, found.tight) == ("the data folder and the database", 50, True)


def test_a_folder_on_another_machine_is_not_taken_for_one_here(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path may well be here, too: with files of somebody else."""
    settings.DATA_DIR = tmp_path
    monkeypatch.setitem(connection.settings_dict, "HOST", "db.example.org")
    assert [one.what for one in volumes.volumes(str(tmp_path))] == ["the data folder"]
    monkeypatch.setitem(connection.settings_dict, "HOST", "localhost")
    assert [one.what for one in volumes.volumes(str(tmp_path / "missing"))] == ["the data folder"]
    assert [one.what for one in volumes.volumes(None)] == ["the data folder"]
    settings.DATA_DIR = tmp_path / "missing"
    assert (volumes.volumes(None), volumes.folders()) == ([], [])


def test_folders_are_measured_so_far(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "mail" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere").symlink_to("/")
    (tmp_path / "single").write_bytes(bytes(9_000))
    for at in range(3):
        (tmp_path / "mail" / "deep" / str(at)).write_bytes(b"x" * 10_000)
    (found,) = volumes.folders()
    assert (found.name, found.title, found.more) == ("mail", "E-mails that became files", False)
    assert 30_000 <= found.bytes <= 3 * 16_384
    monkeypatch.setattr(volumes, "FILES", 2)
    assert volumes.folders()[0].more
