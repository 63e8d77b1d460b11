"""Who changes several boards locks them in one order; who waits in a circle all the same begins again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from webapp.accounts.models import Team, User
from webapp.catalog.models import BenchmarkVersion, ModelEntry
from webapp.imports import work
from webapp.imports.models import Import
from webapp.imports.tests.files import LARGE, as_csv, load, rows, upload
from webapp.leaderboards.models import Leaderboard
from webapp.removals.services import remove_entry, remove_team
from webapp.tests import factories
from workers.tests.conftest import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Change = Callable[[], Any]


def two_benchmarks(entry: str) -> bytes:
    return as_csv(row for name in ("riddles", "sums") for row in rows(like=LARGE._replace(entry=entry, benchmark=name)))


@pytest.fixture
def boards(alice: User, team: Team) -> list[int]:
    """The first has the second column only, the other has both: column by column, the other would be locked first."""
    assert load(alice, team, two_benchmarks("small")).state == "done"
    first, second = BenchmarkVersion.objects.order_by("pk")
    columns = {"low": [second], "high": [first, second]}
    made = [
        factories.public_board(alice, team, name, factories.suite(alice, team, name, versions))
        for name, versions in columns.items()
    ]
    return [board.pk for board in made]


@pytest.fixture
def imported(alice: User, team: Team, boards: list[int]) -> Change:
    job = upload(alice, team, two_benchmarks("large"))

    def change() -> None:
        work.work_on(import_id=job.pk)
        assert Import.objects.values_list("state", "reason").get(pk=job.pk) == ("done", "2 runs with 8 rows.")

    return change


@pytest.fixture
def entry_removed(alice: User, boards: list[int]) -> Change:
    return lambda: remove_entry(actor=alice, entry=ModelEntry.objects.get(name="small"), name="small")


@pytest.fixture
def team_removed(alice: User, team: Team, boards: list[int]) -> Change:
    return lambda: remove_team(actor=alice, team=team, name="lab")


def lock(board: int, *, wait: bool = True) -> None:
    Leaderboard.objects.select_for_update(no_key=True, nowait=not wait).get(pk=board)


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def with_both_locked(first: int, then: int, change: Change, *, wait: bool) -> None:
    """Make the change while this transaction has the first board, and locks the other one when the change waits."""

    def elsewhere() -> None:
        try:
            change()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            lock(first)
            other = pool.submit(elsewhere)
            wait_until(somebody_waits, seconds=20)
            lock(then, wait=wait)
        other.result(timeout=20)


@pytest.mark.parametrize("name", ["imported", "entry_removed"])
def test_several_boards_are_locked_in_one_order(boards: list[int], name: str, request: pytest.FixtureRequest) -> None:
    low, high = boards
    change = request.getfixturevalue(name)
    Leaderboard.objects.update(stale_since=None, stale_versions=None)
    with_both_locked(low, high, change, wait=False)
    columns = Leaderboard.objects.order_by("pk").values_list("stale_versions", flat=True)
    assert [len(versions or []) for versions in columns] == [2, 2], "all that changed is noted at once"


@pytest.mark.parametrize("name", ["imported", "entry_removed", "team_removed"])
def test_who_waits_in_a_circle_begins_again(boards: list[int], name: str, request: pytest.FixtureRequest) -> None:
    """Somebody has the second board and waits for the first: PostgreSQL ends the change, which has waited longer."""
    low, high = boards
    with_both_locked(high, low, request.getfixturevalue(name), wait=True)
