"""What others do in transactions that overlap a deletion: one of the two is refused in words, none waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections, transaction

from webapp.accounts.models import Team, User, Visibility
from webapp.accounts.services import create_team
from webapp.catalog.models import Benchmark, EntryVersion, ModelEntry, Suite
from webapp.errors import Conflict
from webapp.removals import work
from webapp.removals.leaving import remove_account
from webapp.removals.models import Removal
from webapp.removals.services import hand_over, remove_entry, remove_team
from webapp.tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
Deed = Callable[[], Any]


def overlapping(first: Deed, second: Deed) -> Any:
    """Do the first in a transaction that is still open when the second begins in another session.

    Returns what came of the second: a value or an error.
    """
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(second())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        thread.join(0.5)
    thread.join(20)
    return found[0]


@pytest.fixture
def rivals(charlie: User) -> Team:
    return create_team(actor=charlie, name="rivals", title="Rivals")


@pytest.fixture(params=["board", "search", "suite"])
def use(request: pytest.FixtureRequest, charlie: User, rivals: Team, suite: Suite, entry: EntryVersion) -> Deed:
    """What another team makes of what is public here, and has just found."""
    for model in (ModelEntry, Benchmark, Suite):
        model.objects.update(visibility=Visibility.PUBLIC)
    versions = list(suite.benchmarks.select_related("benchmark"))
    deeds: dict[str, Deed] = {
        "board": lambda: factories.board(charlie, rivals, "theirs", suite),
        "search": lambda: factories.search(charlie, rivals, suite, entry),
        "suite": lambda: factories.suite(charlie, rivals, "theirs", versions),
    }
    return deeds[request.param]


def test_what_others_are_making_of_a_team_stands_in_its_way(alice, team, use):
    refused = overlapping(use, lambda: remove_team(actor=alice, team=team, name="lab"))
    assert isinstance(refused, Conflict)
    assert "Other teams rely on what" in str(refused)
    assert not Removal.objects.exists()


def test_who_begins_to_use_a_team_that_goes_is_refused(alice, team, use):
    refused = overlapping(lambda: remove_team(actor=alice, team=team, name="lab"), use)
    assert isinstance(refused, Conflict)
    assert "was hidden or deleted in the same moment" in str(refused)
    assert work.work_on(removal_id=Removal.objects.get().pk), "nothing of others holds it"
    assert not Team.objects.filter(pk=team.pk).exists()


@pytest.mark.parametrize("use", ["search"], indirect=True)
def test_a_search_that_others_are_making_keeps_its_entry(alice, entry, use):
    refused = overlapping(use, lambda: remove_entry(actor=alice, entry=entry.entry, name="small"))
    assert isinstance(refused, Conflict)
    assert ModelEntry.objects.filter(name="small").exists()


def test_of_two_operators_who_leave_at_once_one_stays(alice, charlie):
    both = User.objects.filter(pk__in=[alice.pk, charlie.pk])
    both.update(is_superuser=True)
    refused = overlapping(
        lambda: remove_account(actor=alice, name="alice", password=factories.PASSWORD),
        lambda: remove_account(actor=charlie, name="charlie", password=factories.PASSWORD),
    )
    assert isinstance(refused, Conflict)
    assert "only operator" in str(refused)
    assert both.get(is_superuser=True, is_active=True) == charlie


def test_a_name_that_is_taken_in_the_same_moment_moves_nothing(alice, charlie, team, suite, tmp_path):
    """Entries of one name come from two teams to a third."""
    labs = [team, create_team(actor=alice, name="lab-2", title="Lab 2")]
    heirs = create_team(actor=alice, name="heirs", title="Heirs")
    rivals = create_team(actor=charlie, name="rivals", title="Rivals")
    for lab in labs:
        entry = factories.entry(alice, lab, "same", factories.checkpoint(tmp_path / lab.name, width=lab.pk))
        ModelEntry.objects.filter(name="same").update(visibility=Visibility.PUBLIC)
        own = factories.suite(charlie, rivals, lab.name, [factories.benchmark(charlie, rivals, lab.name)])
        factories.job(charlie, rivals, own, [entry])
    refused = overlapping(*(partial(hand_over, actor=alice, team=lab, to=heirs) for lab in labs))
    assert isinstance(refused, Conflict)
    assert "heirs has something called same already" in str(refused)
    assert ModelEntry.objects.get(name="same", team=labs[1])
